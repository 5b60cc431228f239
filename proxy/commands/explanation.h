// The walk of one message through one listener, in the order in which a session looks at it, as rows of text;
// and where it ends. Main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "proxy/commands/explain.h"
#include "proxy/commands/explain_facts.h"
#include "proxy/policy/limits.h"
#include "proxy/server/plan.h"
#include "proxy/smtp/reply.h"

namespace gatepost::commands {

/// "3 of 20 used", or that it is not known.
[[nodiscard]] std::string state_text(const policy::LimitAnswer& answer, std::uint64_t burst);

class Explanation {
  public:
    /// All outlive it. `user` is nullptr for a client who does not log in.
    Explanation(const Explain& what, const server::Plan& plan, const server::ListenerPlan& listener,
                const FoundUser* user, RunningCounts& counts, std::ostream& out);

    /// Writes the rows. "accepted, to upstream …" or "refused at …".
    [[nodiscard]] std::string verdict();
    [[nodiscard]] bool is_accepted() const noexcept { return !refused_; }

  private:
    void client();
    void login();
    void guessing();
    void login_outcome();
    void sender();
    void size();
    void recipient();
    void route();
    void limits(policy::LimitMoment moment, const std::string& at, bool is_authenticated);
    void limit_row(const policy::LimitRule& rule, const policy::LimitQuestion& question,
                   const policy::LimitAnswer& answer);
    [[nodiscard]] policy::LimitSubject subject(bool is_authenticated) const;

    void row(const std::string& what, const std::string& text);
    void refuse(const std::string& at, const smtp::Reply& reply);
    void refuse(const std::string& at, const smtp::StaticReply& reply) { refuse(at, smtp::to_reply(reply)); }

    const Explain& what_;
    const server::Plan& plan_;
    const server::ListenerPlan& listener_;
    const FoundUser* const user_;
    RunningCounts& counts_;
    std::ostream& out_;
    const net::SocketAddress address_;
    const policy::PeerAddress peer_;
    const auth::Identity identity_;
    std::optional<std::string> refused_;  ///< the first refusal
    std::size_t upstream_ = 0;
    std::string last_what_;
};

}  // namespace gatepost::commands
