#include "auth/dialogue/scram_grammar.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "auth/dialogue/names.h"
#include "proxy/base/base64.h"
#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

constexpr std::size_t kMaxMessageSize = 4096;
constexpr std::size_t kMaxClientNonceSize = 255;
constexpr std::size_t kMaxWholeNonceSize = 1024;
constexpr std::size_t kMaxBindingSize = 255;
constexpr std::string_view kBindingFlag = "p=";
constexpr std::array<std::string_view, 3> kBindingTypes{"tls-exporter", "tls-server-end-point", "tls-unique"};

/// The parts between commas, in order.
class Parts {
  public:
    explicit Parts(ByteView text) : rest_(text) {}

    /// Nothing once there is none. A comma at the very end has an empty part behind it.
    std::optional<ByteView> next() {
        if (is_done_) return std::nullopt;
        const std::size_t comma = rest_.find(',');
        const ByteView part = rest_.substr(0, comma);
        is_done_ = comma == ByteView::npos;
        if (!is_done_) rest_.remove_prefix(comma + 1);
        return part;
    }

    /// The value of the next part, which must be the attribute `name` ("n=").
    std::optional<ByteView> value(std::string_view name) {
        const std::optional<ByteView> part = next();
        if (!part || !part->starts_with(name)) return std::nullopt;
        return part->substr(name.size());
    }

    [[nodiscard]] bool is_done() const { return is_done_; }

  private:
    ByteView rest_;
    bool is_done_ = false;
};

bool is_nonce(ByteView text, std::size_t most) {
    return !text.empty() && text.size() <= most &&
           std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7E && c != ','; });
}

// Those that RFC 5802 gives a meaning and a place are none, "m" least of all: a mandatory extension that is
// not understood must fail.
bool is_extension(ByteView part) {
    constexpr std::string_view kTaken = "aceimnprsv";
    if (part.size() < 3 || part[1] != '=') return false;
    const char name = part.front();
    const bool is_letter = (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
    const ByteView value = part.substr(2);
    return is_letter && !kTaken.contains(name) && is_utf8(value) && !has_controls(value);
}

// saslname: "," and "=" are written "=2C" and "=3D", and "=" stands for nothing else.
std::optional<std::string> unescape(ByteView name) {
    std::string plain;
    while (!name.empty()) {
        if (name.front() != '=') {
            plain += name.front();
            name.remove_prefix(1);
            continue;
        }
        if (!name.starts_with("=2C") && !name.starts_with("=3D")) return std::nullopt;
        plain += name[1] == '2' ? ',' : '=';
        name.remove_prefix(3);
    }
    return plain;
}

}  // namespace

MessageCheck ScramGrammar::next(ByteView message, Heard& heard) {
    if (message.size() > kMaxMessageSize) return heard.malformed();
    switch (state_) {
        case State::kFirst: state_ = State::kFinal; return first(message, heard);
        case State::kFinal: state_ = State::kEnd; return final(message, heard);
        case State::kEnd: return message.empty() ? MessageCheck::kGood : heard.malformed();
    }
    return heard.malformed();
}

// [p=cb-name / n / y] "," [a=authzid] "," n=user "," r=nonce *("," extension)
MessageCheck ScramGrammar::first(ByteView message, Heard& heard) {
    Parts parts(message);
    const std::optional<ByteView> flag = parts.next();
    const std::optional<ByteView> for_whom = parts.next();
    if (!flag || !for_whom || !is_right_flag(*flag)) return heard.malformed();
    if (!for_whom->empty() && !for_whom->starts_with("a=")) return heard.malformed();
    const std::optional<ByteView> name = parts.value("n=");
    const std::optional<ByteView> nonce = parts.value("r=");
    if (!name || !nonce || !is_nonce(*nonce, kMaxClientNonceSize)) return heard.malformed();
    while (const std::optional<ByteView> part = parts.next()) {
        if (!is_extension(*part)) return heard.malformed();
    }
    const std::optional<std::string> user = unescape(*name);
    const std::optional<std::string> authzid =
        unescape(for_whom->empty() ? ByteView() : for_whom->substr(std::string_view("a=").size()));
    if (!user || !authzid || authzid->empty() != for_whom->empty()) return heard.malformed();

    if (!is_acceptable_name(*user)) return heard.unacceptable();
    heard.user = *user;
    if (!authzid->empty() && *authzid != *user) return heard.unacceptable(Reason::kNotAuthorized);
    heard.authzid = *authzid;
    heard.needs_record = true;
    heard.believes_no_binding = *flag == "y";
    if (needs_binding_) heard.binding_type = flag->substr(kBindingFlag.size());
    header_ = message.substr(0, flag->size() + for_whom->size() + 2);
    nonce_ = *nonce;
    return MessageCheck::kGood;
}

// A -PLUS without a binding is accepted by libsasl (facts.md 1): whoever asks for the one must use the other.
bool ScramGrammar::is_right_flag(ByteView flag) const {
    if (!needs_binding_) return flag == "n" || flag == "y";
    return flag.starts_with(kBindingFlag) &&
           std::ranges::find(kBindingTypes, flag.substr(kBindingFlag.size())) != kBindingTypes.end();
}

// c=<header and binding> "," r=nonce *("," extension) "," p=proof
MessageCheck ScramGrammar::final(ByteView message, Heard& heard) const {
    Parts parts(message);
    const std::optional<ByteView> header = parts.value("c=");
    const std::optional<ByteView> nonce = parts.value("r=");
    if (!header || !nonce || !repeats_header(*header)) return heard.malformed();
    // The server's part is never empty. Whether it is right is the engine's to say.
    if (!is_nonce(*nonce, kMaxWholeNonceSize) || !nonce->starts_with(nonce_) ||
        nonce->size() == nonce_.size()) {
        return heard.malformed();
    }
    while (const std::optional<ByteView> part = parts.next()) {
        if (!parts.is_done()) {
            if (!is_extension(*part)) return heard.malformed();
            continue;
        }
        if (!part->starts_with("p=")) return heard.malformed();
        const std::optional<Secret> proof = base64_decode(part->substr(2));
        return proof && proof->size() == proof_size_ ? MessageCheck::kGood : heard.malformed();
    }
    return heard.malformed();
}

bool ScramGrammar::repeats_header(ByteView encoded) const {
    const std::optional<Secret> decoded = base64_decode(encoded);
    if (!decoded || !decoded->reveal().starts_with(header_)) return false;
    const std::size_t binding_size = decoded->size() - header_.size();
    return needs_binding_ ? binding_size >= 1 && binding_size <= kMaxBindingSize : binding_size == 0;
}

}  // namespace gatepost::auth
