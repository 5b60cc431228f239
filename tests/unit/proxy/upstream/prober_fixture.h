// A prober of servers that a test makes, and what it was heard to say.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/executor.h"
#include "proxy/net/resolver.h"
#include "proxy/upstream/prober.h"
#include "tests/unit/proxy/upstream/fake_mta.h"

namespace gatepost::upstream::test {

/// Gives one answer after the other; the last one for ever.
class FakeResolver final : public net::Resolver {
  public:
    using Resolver::Resolver;
    void resolve(std::string /*host_and_port*/, Executor& home, Answer answer) override {
        ++asked;
        const net::Resolution found = answers.front();
        if (answers.size() > 1) answers.erase(answers.begin());
        home.post([answer = std::move(answer), found]() mutable { answer(found); });
    }
    /// Those addresses from now on.
    void say(const std::vector<net::SocketAddress>& addresses, bool is_cut = false) {
        answers = {net::Resolved{.addresses = addresses, .ttl = {}, .is_cut = is_cut}};
    }
    void fail(net::ResolveFailure failure) {
        answers = {std::unexpected(net::ResolveError{.failure = failure, .message = "no address today"})};
    }

    std::vector<net::Resolution> answers;
    std::size_t asked = 0;
};

class ProberTest : public LoopTest, public ProbeObserver {
  protected:
    void TearDown() override { prober_.reset(); }

    void start(const std::vector<std::string>& servers) {
        outcomes_.clear();
        changes_.clear();
        settings_.servers.clear();
        for (const std::string& name : servers) settings_.servers.push_back({.name = name, .tls_name = {}});
        prober_ = std::make_unique<Prober>(loop_, resolver_, settings_, *this);
    }
    void await_outcomes(std::size_t count) {
        EXPECT_TRUE(run_until([&] { return outcomes_.size() >= count; }));
    }
    /// Probes until `count` probes have ended.
    void probe(const std::string& server, std::size_t count) {
        start({server});
        await_outcomes(count);
    }
    [[nodiscard]] bool await_servers(std::size_t count) {
        return run_until([&] { return prober_->snapshot()->servers.size() == count; });
    }
    [[nodiscard]] bool await_healthy(std::size_t count) {
        return run_until([&] { return healthy() == count; });
    }
    [[nodiscard]] std::size_t healthy() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(prober_->snapshot()->servers, &Server::is_healthy));
    }

    void probed(std::size_t endpoint, const OpeningFailure* failure) override {
        outcomes_.push_back(std::to_string(endpoint) + (failure == nullptr ? " good" : ' ' + failure->what));
    }
    void health_changed(std::size_t endpoint, const std::string& address, bool healthy,
                        std::string_view what) override {
        changes_.push_back(std::to_string(endpoint) + ' ' + address + (healthy ? " up" : " down, ") +
                           std::string(what));
    }
    void snapshot_changed(std::shared_ptr<const Snapshot> snapshot) override {
        ++snapshots_;
        EXPECT_EQ(snapshot, prober_->snapshot());
    }

    net::BackgroundThread background_;
    FakeResolver resolver_{background_};
    ProbeSettings settings_{.servers = {},
                            .opener = {.opening = {.our_name = "gw.test"}},
                            .interval = std::chrono::milliseconds(5),
                            .timeout = std::chrono::milliseconds(300)};
    std::unique_ptr<Prober> prober_;
    std::vector<std::string> outcomes_;
    std::vector<std::string> changes_;
    int snapshots_ = 0;
};

}  // namespace gatepost::upstream::test
