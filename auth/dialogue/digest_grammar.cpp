#include "auth/dialogue/digest_grammar.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "auth/dialogue/names.h"

namespace gatepost::auth {
namespace {

constexpr std::size_t kMaxResponseSize = 2048;
constexpr std::size_t kMaxValueSize = 255;

// Those that may stand only once. Others (auth-param) are ignored, as the RFC asks.
enum Directive : std::size_t {
    kUsername,
    kRealm,
    kNonce,
    kCnonce,
    kNonceCount,
    kQop,
    kDigestUri,
    kResponse,
    kMaxbuf,
    kCharset,
    kCipher,
    kAuthzid,
    kDirectives
};

constexpr std::array<std::string_view, kDirectives> kNames{"username", "realm",   "nonce",      "cnonce",
                                                           "nc",       "qop",     "digest-uri", "response",
                                                           "maxbuf",   "charset", "cipher",     "authzid"};

using Values = std::array<std::optional<std::string>, kDirectives>;

bool is_token_char(char c) {
    constexpr std::string_view kSeparators = "()<>@,;:\\\"/[]?={} \t";
    return c > 0x20 && c < 0x7F && !kSeparators.contains(c);
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, {}, lower, lower);
}

bool is_lower_hex(std::string_view text, std::size_t size) {
    return text.size() == size &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// Reads names and values from the front of a message; what cannot be read is nothing.
class Scanner {
  public:
    explicit Scanner(ByteView text) : rest_(text) {}

    void skip_blanks() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
    }

    bool skip(char c) {
        skip_blanks();
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        skip_blanks();
        return true;
    }

    std::optional<std::string> token() {
        const auto end = std::ranges::find_if_not(rest_, is_token_char);
        std::string text(rest_.begin(), end);
        if (text.empty()) return std::nullopt;
        rest_.remove_prefix(text.size());
        return text;
    }

    std::optional<std::string> value() { return rest_.starts_with('"') ? quoted() : token(); }

    [[nodiscard]] bool is_at(char c) const { return rest_.starts_with(c); }
    [[nodiscard]] bool is_done() const { return rest_.empty(); }

  private:
    std::optional<std::string> quoted() {
        std::string text;
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] == '"') {
                rest_.remove_prefix(i + 1);
                return text;
            }
            if (rest_[i] == '\\' && ++i == rest_.size()) return std::nullopt;
            text += rest_[i];
        }
        return std::nullopt;  // it never ends
    }

    ByteView rest_;
};

// A name may be empty or too long here, so that it is unacceptable and not malformed.
std::optional<Values> read(ByteView message) {
    Values values;
    Scanner scanner(message);
    scanner.skip_blanks();
    do {
        if (scanner.is_done() || scanner.is_at(',')) continue;  // the RFC allows empty elements
        const std::optional<std::string> name = scanner.token();
        if (!name || !scanner.skip('=')) return std::nullopt;
        std::optional<std::string> value = scanner.value();
        if (!value) return std::nullopt;
        const auto* const known =
            std::ranges::find_if(kNames, [&](std::string_view n) { return equals_ignoring_case(n, *name); });
        if (known == kNames.end()) continue;
        std::optional<std::string>& place = values[static_cast<std::size_t>(known - kNames.begin())];
        if (place) return std::nullopt;  // libsasl leaks the one before (facts.md 0.3)
        place = std::move(value);
    } while (scanner.skip(','));
    if (!scanner.is_done()) return std::nullopt;
    return values;
}

bool is_text(const std::optional<std::string>& value) {
    return value && !value->empty() && value->size() <= kMaxValueSize;
}

// Everything but the names. Only "auth" is offered: there is TLS for what the other kinds of protection do.
bool is_whole(const Values& values) {
    if (!values[kUsername] || !is_text(values[kNonce]) || !is_text(values[kCnonce]) ||
        !is_text(values[kDigestUri])) {
        return false;
    }
    if (!is_lower_hex(values[kNonceCount].value_or(""), 8) ||
        !is_lower_hex(values[kResponse].value_or(""), 32)) {
        return false;
    }
    if (values[kRealm] && values[kRealm]->size() > kMaxValueSize) return false;
    if (!equals_ignoring_case(values[kQop].value_or("auth"), "auth") || values[kCipher]) return false;
    if (!equals_ignoring_case(values[kCharset].value_or("utf-8"), "utf-8")) return false;
    const std::string maxbuf = values[kMaxbuf].value_or("0");
    return !maxbuf.empty() && maxbuf.size() <= 8 &&
           std::ranges::all_of(maxbuf, [](char c) { return c >= '0' && c <= '9'; }) &&
           !(values[kAuthzid] && values[kAuthzid]->empty());
}

bool has_controls_but_tabs(ByteView text) {
    return std::ranges::any_of(text, [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7F; });
}

MessageCheck response(ByteView message, Heard& heard) {
    if (message.size() > kMaxResponseSize || has_controls_but_tabs(message)) return heard.malformed();
    const std::optional<Values> values = read(message);
    if (!values || !is_whole(*values)) return heard.malformed();
    const std::string& user = *(*values)[kUsername];
    // UTF-8 whether a charset is named or not: libsasl's own client sends it without, and its server takes
    // the octets as they are. ISO 8859-1 is next to never valid UTF-8, and then the digest is of another
    // name.
    if (!is_acceptable_name(user)) return heard.unacceptable();
    heard.user = user;
    const std::string authzid = (*values)[kAuthzid].value_or("");
    if (!authzid.empty() && authzid != user) return heard.unacceptable(Reason::kNotAuthorized);
    heard.authzid = authzid;
    heard.realm = (*values)[kRealm].value_or("");
    heard.needs_record = true;
    return MessageCheck::kGood;
}

}  // namespace

MessageCheck DigestGrammar::next(ByteView message, Heard& heard) {
    switch (state_) {
        case State::kResponse: state_ = State::kEnd; return response(message, heard);
        case State::kEnd: return message.empty() ? MessageCheck::kGood : heard.malformed();
    }
    return heard.malformed();
}

}  // namespace gatepost::auth
