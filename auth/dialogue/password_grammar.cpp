#include "auth/dialogue/password_grammar.h"

#include "auth/dialogue/names.h"

namespace gatepost::auth {
namespace {

MessageCheck password(ByteView password, Heard& heard) {
    if (!is_acceptable_password(password)) return heard.unacceptable();
    heard.has_password = true;
    heard.needs_record = true;
    return MessageCheck::kGood;
}

}  // namespace

// RFC 4616: [authzid] NUL authcid NUL passwd, and no NUL inside any of them.
MessageCheck PlainGrammar::next(ByteView message, Heard& heard) {
    const std::size_t first = message.find('\0');
    const std::size_t second = first == ByteView::npos ? ByteView::npos : message.find('\0', first + 1);
    if (second == ByteView::npos || message.find('\0', second + 1) != ByteView::npos) {
        return heard.malformed();
    }
    const ByteView authzid = message.substr(0, first);
    const ByteView authcid = message.substr(first + 1, second - first - 1);
    if (!is_acceptable_name(authcid)) return heard.unacceptable();
    heard.user = authcid;
    const ByteView secret = message.substr(second + 1);
    if (!is_acceptable_password(secret)) return heard.unacceptable();
    if (!authzid.empty() && authzid != authcid) return heard.unacceptable(Reason::kNotAuthorized);
    heard.authzid = authzid;
    return password(secret, heard);
}

MessageCheck LoginGrammar::next(ByteView message, Heard& heard) {
    switch (state_) {
        case State::kUser:
            if (!is_acceptable_name(message)) return heard.unacceptable();
            heard.user = message;
            state_ = State::kPassword;
            return MessageCheck::kGood;
        case State::kPassword: return password(message, heard);
    }
    return heard.malformed();
}

}  // namespace gatepost::auth
