#include "proxy/smtp/parameters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/base/xtext.h"
#include "proxy/smtp/command.h"
#include "proxy/smtp/path.h"
#include "proxy/smtp/reply_catalog.h"

namespace gatepost::smtp {
namespace {

struct Parameter {
    ByteView keyword;
    ByteView value;
    bool has_value = false;
};

Parameter take_parameter(ByteView& rest) {
    const ByteView word = take_word(rest);
    const std::size_t equals = word.find('=');
    if (equals == ByteView::npos) return {word, {}, false};
    return {word.substr(0, equals), word.substr(equals + 1), true};
}

bool take_keyword(ByteView& rest, ByteView keyword) {
    if (rest.size() < keyword.size() || !equal_ignoring_case(rest.substr(0, keyword.size()), keyword))
        return false;
    rest = trim(rest.substr(keyword.size()));
    return true;
}

std::optional<std::uint64_t> to_number(ByteView text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || text.size() > 20 || end != text.data() + text.size()) return std::nullopt;
    // More than 64 bits can hold is more than any limit, not a syntax error (RFC 1870 allows 20 digits).
    if (error == std::errc::result_out_of_range) return UINT64_MAX;
    if (error != std::errc()) return std::nullopt;
    return number;
}

bool is_xtext(ByteView text, std::size_t limit) {
    return !text.empty() && text.size() <= limit && xtext_decode(text).has_value();
}

/// RFC 4954 section 5: xtext of an address, or "<>".
bool is_auth_parameter(ByteView value) {
    const std::optional<std::string> decoded = xtext_decode(value);
    return decoded && (*decoded == "<>" || is_address(*decoded));
}

bool is_notify(ByteView value) {
    if (equal_ignoring_case(value, "NEVER")) return true;
    while (!value.empty()) {
        const std::size_t end = std::min(value.find(','), value.size());
        const ByteView word = value.substr(0, end);
        if (!std::ranges::any_of(std::array<ByteView, 3>{"SUCCESS", "FAILURE", "DELAY"},
                                 [&](ByteView known) { return equal_ignoring_case(known, word); })) {
            return false;
        }
        if (end == value.size()) return true;
        value.remove_prefix(end + 1);
    }
    return false;
}

/// addr-type ";" xtext (RFC 3461) or utf-8-addr-xtext (RFC 6533); what it says is not ours to read.
bool is_original_recipient(ByteView value) {
    const std::size_t semicolon = value.find(';');
    if (semicolon == 0 || semicolon == ByteView::npos || value.size() > 500) return false;
    const bool word = std::ranges::all_of(value.substr(0, semicolon), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!word || semicolon + 1 == value.size()) return false;
    if (equal_ignoring_case(value.substr(0, semicolon), "utf-8")) return is_utf8(value);
    return is_ascii(value) && xtext_decode(value.substr(semicolon + 1)).has_value();
}

std::optional<StaticReply> take(MailArguments& mail, const Parameter& parameter) {
    const auto is = [&](ByteView name) { return equal_ignoring_case(parameter.keyword, name); };
    const auto valid = [](bool good) { return good ? std::nullopt : std::optional(replies::kBadParameter); };
    if (is("SIZE")) {
        const bool again = mail.size.has_value();
        mail.size = to_number(parameter.value);
        return valid(mail.size && !again);
    }
    if (is("BODY")) {
        const bool again = mail.body != BodyType::kNotGiven;
        if (equal_ignoring_case(parameter.value, "7BIT")) {
            mail.body = BodyType::k7Bit;
        } else if (equal_ignoring_case(parameter.value, "8BITMIME")) {
            mail.body = BodyType::k8BitMime;
        } else {
            return replies::kUnknownParameter;
        }
        return valid(!again);
    }
    if (is("SMTPUTF8")) {
        const bool again = mail.smtputf8;
        mail.smtputf8 = true;
        return valid(!parameter.has_value && !again);
    }
    if (is("RET")) {
        const bool again = !mail.dsn_return.empty();
        mail.dsn_return = parameter.value;
        return valid(!again && (equal_ignoring_case(parameter.value, "FULL") ||
                                equal_ignoring_case(parameter.value, "HDRS")));
    }
    if (is("ENVID")) {
        const bool again = !mail.envelope_id.empty();
        mail.envelope_id = parameter.value;
        return valid(!again && is_xtext(parameter.value, 100));
    }
    if (is("AUTH")) {
        const bool again = std::exchange(mail.auth_given, true);
        return valid(!again && is_auth_parameter(parameter.value));
    }
    return replies::kUnknownParameter;
}

std::optional<StaticReply> take(RcptArguments& rcpt, const Parameter& parameter) {
    const auto valid = [](bool good) { return good ? std::nullopt : std::optional(replies::kBadParameter); };
    if (equal_ignoring_case(parameter.keyword, "NOTIFY")) {
        const bool again = !rcpt.notify.empty();
        rcpt.notify = parameter.value;
        return valid(!again && is_notify(parameter.value));
    }
    if (equal_ignoring_case(parameter.keyword, "ORCPT")) {
        const bool again = !rcpt.original_recipient.empty();
        rcpt.original_recipient = parameter.value;
        return valid(!again && is_original_recipient(parameter.value));
    }
    return replies::kUnknownParameter;
}

}  // namespace

Parsed<MailArguments> parse_mail(ByteView argument) {
    if (!take_keyword(argument, "FROM:")) return std::unexpected(replies::kBadSender);
    const std::optional<Path> path = take_path(argument);
    if (!path) return std::unexpected(replies::kBadSender);
    MailArguments mail;
    mail.sender = path->address;
    mail.sender_has_8bit = path->has_8bit;
    while (!argument.empty()) {
        if (const auto refusal = take(mail, take_parameter(argument))) return std::unexpected(*refusal);
    }
    if (mail.sender_has_8bit && !mail.smtputf8) return std::unexpected(replies::kNeedsSmtpUtf8);
    return mail;
}

Parsed<RcptArguments> parse_rcpt(ByteView argument) {
    if (!take_keyword(argument, "TO:")) return std::unexpected(replies::kBadRecipient);
    const std::optional<Path> path = take_path(argument);
    if (!path || path->address.empty()) return std::unexpected(replies::kBadRecipient);
    RcptArguments rcpt{path->address, path->has_8bit, {}, {}};
    while (!argument.empty()) {
        if (const auto refusal = take(rcpt, take_parameter(argument))) return std::unexpected(*refusal);
    }
    return rcpt;
}

Parsed<ChunkArguments> parse_chunk(ByteView argument) {
    const std::optional<std::uint64_t> size = to_number(take_word(argument));
    const bool last = equal_ignoring_case(argument, "LAST");
    if (!size || *size == UINT64_MAX || (!last && !argument.empty()))
        return std::unexpected(replies::kBadChunkSize);
    return ChunkArguments{*size, last};
}

std::optional<StaticReply> missing_at(const Capabilities& upstream, const MailArguments& mail) {
    if (mail.smtputf8 && !upstream.smtputf8) return replies::kNoSmtpUtf8;
    if (mail.body == BodyType::k8BitMime && !upstream.eight_bit_mime) return replies::kNo8BitMime;
    if (!upstream.dsn && (!mail.dsn_return.empty() || !mail.envelope_id.empty()))
        return replies::kUnknownParameter;
    return std::nullopt;
}

std::optional<StaticReply> missing_at(const Capabilities& upstream, const RcptArguments& rcpt) {
    if (!upstream.dsn && (!rcpt.notify.empty() || !rcpt.original_recipient.empty()))
        return replies::kUnknownParameter;
    if (!upstream.smtputf8 && !is_ascii(rcpt.original_recipient)) return replies::kNoSmtpUtf8;
    return std::nullopt;
}

void append_mail(std::string& out, const MailArguments& mail, const Capabilities& upstream, std::size_t added,
                 const std::optional<std::string>& submitter) {
    out += "MAIL FROM:<";
    out += mail.sender;
    out += '>';
    if (mail.size && upstream.size) {
        out += " SIZE=";
        // A size at the end of 64 bits stays there: it must not wrap round to a small one.
        out += std::to_string(std::max(*mail.size, *mail.size + added));
    }
    if (mail.body != BodyType::kNotGiven && upstream.eight_bit_mime) {
        out += mail.body == BodyType::k7Bit ? " BODY=7BIT" : " BODY=8BITMIME";
    }
    if (mail.smtputf8) out += " SMTPUTF8";
    if (!mail.dsn_return.empty()) out += " RET=" + mail.dsn_return;
    if (!mail.envelope_id.empty()) out += " ENVID=" + mail.envelope_id;
    if (submitter) out += " AUTH=" + (*submitter == "<>" ? *submitter : xtext_encode(*submitter));
    out += kCrlf;
}

void append_rcpt(std::string& out, const RcptArguments& rcpt, const Capabilities& upstream) {
    out += "RCPT TO:<";
    out += rcpt.recipient;
    out += '>';
    if (upstream.dsn && !rcpt.notify.empty()) {
        out += " NOTIFY=";
        out += rcpt.notify;
    }
    if (upstream.dsn && !rcpt.original_recipient.empty()) {
        out += " ORCPT=";
        out += rcpt.original_recipient;
    }
    out += kCrlf;
}

}  // namespace gatepost::smtp
