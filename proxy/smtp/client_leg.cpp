#include "proxy/smtp/client_leg.h"

#include "proxy/base/printable.h"

namespace gatepost::smtp {

Refusal ClientLeg::refusal(const Command& command, Standing standing) const {
    const CommandRow& row = kCommandTable[static_cast<std::size_t>(command.verb)];
    if (standing.tls_missing && !row.before_tls) return &replies::kTlsRequired;
    if (command.has_controls) {
        const bool greets = command.verb == Verb::kEhlo || command.verb == Verb::kHelo;
        return greets ? &replies::kBadGreetingName : &replies::kControlsInCommand;  // decisions 9
    }
    if (standing.auth_missing && row.needs_auth) return &replies::kAuthRequired;
    if (const Refusal refused = row.by_phase[static_cast<std::size_t>(phase_)]) return refused;
    if (!row.takes_argument && !command.argument.empty()) return &replies::kNoArguments;
    return nullptr;
}

void ClientLeg::greeted(ByteView name, bool with_ehlo) {
    greeting_name_ = name.substr(0, 255);
    esmtp_ = with_ehlo;
    phase_ = Phase::kGreeted;
}

bool is_greeting_name(ByteView name) {
    return !name.empty() && name.find(' ') == ByteView::npos && !has_controls(name);
}

}  // namespace gatepost::smtp
