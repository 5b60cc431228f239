#include "proxy/commands/guessing_preview.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "proxy/net/socket_address.h"
#include "proxy/policy/guessing.h"
#include "proxy/policy/memory_limit_store.h"

namespace gatepost::commands {
namespace {

std::optional<policy::GuessingSettings::Failures> to_policy(const std::optional<conf::Rate>& rate) {
    if (!rate) return std::nullopt;
    return policy::GuessingSettings::Failures{.count = rate->count, .per = rate->per};
}

std::string seconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

struct Telling {
    AuthTrace& trace;
    void operator()(const policy::GoOn& go) const {
        trace.row("guessing", go.delay == Duration::zero()
                                  ? "nothing stands against it: the password is checked at once"
                                  : "the password is checked " + seconds(go.delay) + " later");
    }
    void operator()(const policy::RefuseGuess& refusal) const {
        trace.row("guessing", "refused before any check by " + std::string(policy::name_of(refusal.rule)) +
                                  ", for " + seconds(refusal.retry_after) + " yet");
    }
    void operator()(const policy::CannotTell& /*nothing*/) const {
        trace.row("guessing", "the store of the counts cannot answer");
    }
};

/// "" when no listener trusts `address`.
std::string trusting_listener(const conf::Config& config, const net::SocketAddress& address) {
    for (const conf::Listener& listener : config.listeners) {
        for (const conf::Network& network : listener.trusted_networks) {
            const auto cidr = net::Cidr::parse(network.text);
            if (cidr && cidr->contains(address)) return listener.name;
        }
    }
    return {};
}

}  // namespace

bool is_ip_address(std::string_view text) {
    return net::SocketAddress::from_ip(text, 0).has_value();
}

void trace_guessing(const conf::Config& config, const std::string& address, const std::string& user,
                    Executor& home, AuthTrace& trace) {
    const auto socket = net::SocketAddress::from_ip(address, 0);
    if (!socket) return;
    const auto peer = policy::PeerAddress::from_octets(socket->ip_octets());
    const conf::Guessing& rules = config.auth.guessing;
    const auto guessing = std::make_shared<policy::Guessing>(policy::GuessingSettings{
        .per_ip = to_policy(rules.per_ip),
        .per_network = to_policy(rules.per_network),
        .per_user_and_network = to_policy(rules.per_user_and_network),
        .per_user_delay =
            rules.per_user_delay ? std::optional<Duration>(*rules.per_user_delay) : std::nullopt});
    trace.row("guessing", peer.text() +
                              ": this is a new process, the counts of the running Gatepost are in its "
                              "own memory");
    if (const std::string listener = trusting_listener(config, *socket); !listener.empty())
        trace.row("guessing", "listener " + listener + " trusts this address: nothing is counted there");
    std::vector<policy::LimitQuestion> questions = guessing->questions_before(peer, user);
    if (questions.empty()) return trace.row("guessing", "all rules are off");
    const auto store = std::make_shared<policy::MemoryLimitStore>(64);
    store->ask(std::move(questions), Clock::now(), home,
               [guessing, store, peer, user, &trace](const policy::LimitAnswers& answers) {
                   std::visit(Telling{trace}, guessing->verdict(peer, user, answers));
               });
}

}  // namespace gatepost::commands
