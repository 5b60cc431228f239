#include "auth/dialogue/message.h"

#include <array>

#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

// White space of Unicode that may look like nothing at the end of a name: a name is refused for it, never
// trimmed, because limits, audit and stores must all mean the same user.
constexpr std::array<std::string_view, 21> kBlanks{" ",
                                                   "\xC2\xA0",
                                                   "\xE1\x9A\x80",
                                                   "\xE2\x80\x80",
                                                   "\xE2\x80\x81",
                                                   "\xE2\x80\x82",
                                                   "\xE2\x80\x83",
                                                   "\xE2\x80\x84",
                                                   "\xE2\x80\x85",
                                                   "\xE2\x80\x86",
                                                   "\xE2\x80\x87",
                                                   "\xE2\x80\x88",
                                                   "\xE2\x80\x89",
                                                   "\xE2\x80\x8A",
                                                   "\xE2\x80\x8B",
                                                   "\xE2\x80\xA8",
                                                   "\xE2\x80\xA9",
                                                   "\xE2\x80\xAF",
                                                   "\xE2\x81\x9F",
                                                   "\xE3\x80\x80",
                                                   "\xEF\xBB\xBF"};

bool has_blank_at_an_end(ByteView name) {
    for (const std::string_view blank : kBlanks) {
        if (name.starts_with(blank) || name.ends_with(blank)) return true;
    }
    return false;
}

// U+0080..U+009F in valid UTF-8: controls too, and terminals obey them.
bool has_c1_controls(ByteView text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        const auto next = static_cast<unsigned char>(text[i + 1]);
        if (text[i] == '\xC2' && next >= 0x80 && next <= 0x9F) return true;
    }
    return false;
}

}  // namespace

bool is_acceptable_name(ByteView name) {
    return !name.empty() && name.size() <= kMaxNameSize && is_utf8(name) && !has_controls(name) &&
           !has_c1_controls(name) && !has_blank_at_an_end(name);
}

bool is_acceptable_password(ByteView password) {
    return !password.empty() && password.size() <= kMaxPasswordSize && !has_controls(password);
}

MessageGrammar::MessageGrammar(std::string_view mechanism) {
    if (mechanism == "PLAIN") state_ = State::kPlain;
    if (mechanism == "LOGIN") state_ = State::kLoginUser;
}

MessageGrammar::Check MessageGrammar::next(ByteView message) {
    switch (state_) {
        case State::kPlain: return plain(message);
        case State::kLoginUser: return login_user(message);
        case State::kLoginPassword: return login_password(message);
        case State::kNothingMore: return refuse(Check::kMalformed, Reason::kBadMessage);
    }
    return refuse(Check::kMalformed, Reason::kBadMessage);
}

// RFC 4616: [authzid] NUL authcid NUL passwd, and no NUL inside any of them.
MessageGrammar::Check MessageGrammar::plain(ByteView message) {
    const std::size_t first = message.find('\0');
    const std::size_t second = first == ByteView::npos ? ByteView::npos : message.find('\0', first + 1);
    if (second == ByteView::npos || message.find('\0', second + 1) != ByteView::npos) {
        return refuse(Check::kMalformed, Reason::kBadMessage);
    }
    const ByteView authzid = message.substr(0, first);
    const ByteView authcid = message.substr(first + 1, second - first - 1);
    if (!is_acceptable_name(authcid)) return refuse(Check::kUnacceptable, Reason::kBadMessage);
    user_ = authcid;
    if (!is_acceptable_password(message.substr(second + 1)))
        return refuse(Check::kUnacceptable, Reason::kBadMessage);
    if (!authzid.empty() && authzid != authcid) return refuse(Check::kUnacceptable, Reason::kNotAuthorized);
    state_ = State::kNothingMore;
    has_password_ = true;
    return Check::kGood;
}

MessageGrammar::Check MessageGrammar::login_user(ByteView message) {
    if (!is_acceptable_name(message)) return refuse(Check::kUnacceptable, Reason::kBadMessage);
    user_ = message;
    state_ = State::kLoginPassword;
    return Check::kGood;
}

MessageGrammar::Check MessageGrammar::login_password(ByteView message) {
    if (!is_acceptable_password(message)) return refuse(Check::kUnacceptable, Reason::kBadMessage);
    state_ = State::kNothingMore;
    has_password_ = true;
    return Check::kGood;
}

MessageGrammar::Check MessageGrammar::refuse(Check check, Reason reason) {
    state_ = State::kNothingMore;
    reason_ = reason;
    return check;
}

}  // namespace gatepost::auth
