#include "auth/dialogue/exchange.h"

#include <utility>

#include "auth/dialogue/mechanisms.h"
#include "proxy/base/base64.h"

namespace gatepost::auth {

Exchange::Exchange(std::string mechanism) : mechanism_(std::move(mechanism)), grammar_(mechanism_) {}

Turn Exchange::begin(std::optional<ByteView> initial) {
    if (!initial) {
        return {.kind = Turn::Kind::kStep,
                .step = {.mechanism = mechanism_, .is_first = true, .message = {}}};
    }
    // RFC 4954 section 4: a mechanism that begins with a challenge has no initial response, not even "=".
    const Mechanism* const known = find_mechanism(mechanism_);
    if (known != nullptr && known->server_first) {
        grammar_ = MessageGrammar({});
        return {.kind = Turn::Kind::kMalformed, .step = {}, .reason = Reason::kBadMessage};
    }
    // "=" is how an empty initial response is written, because the empty text would be none at all.
    if (*initial == "=") return decoded("", true);
    if (initial->empty())
        return {.kind = Turn::Kind::kUndecodable, .step = {}, .reason = Reason::kBadMessage};
    return decoded(*initial, true);
}

Turn Exchange::line(ByteView line) {
    if (line == "*") return {.kind = Turn::Kind::kCancelled, .step = {}, .reason = Reason::kCancelled};
    return decoded(line, false);
}

std::string Exchange::challenge(ByteView raw) {
    return base64_encode(raw);
}

Turn Exchange::decoded(ByteView text, bool is_first) {
    std::optional<Secret> message = base64_decode(text);
    if (!message) return {.kind = Turn::Kind::kUndecodable, .step = {}, .reason = Reason::kBadMessage};
    switch (grammar_.next(message->reveal())) {
        case MessageGrammar::Check::kGood:
            return {.kind = Turn::Kind::kStep,
                    .step = {.mechanism = mechanism_, .is_first = is_first, .message = std::move(message)}};
        case MessageGrammar::Check::kMalformed:
            return {.kind = Turn::Kind::kMalformed, .step = {}, .reason = grammar_.reason()};
        case MessageGrammar::Check::kUnacceptable:
            return {.kind = Turn::Kind::kUnacceptable, .step = {}, .reason = grammar_.reason()};
    }
    return {};
}

}  // namespace gatepost::auth
