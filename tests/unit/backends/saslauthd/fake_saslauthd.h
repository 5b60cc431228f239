// A saslauthd that does what a test says: on the loop of the client that it serves, so that nothing in a test
// depends on threads.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/net/listener.h"
#include "proxy/net/timer.h"
#include "proxy/net/transport.h"

namespace gatepost::backends {

class FakeSaslauthd final : public net::TransportHandler {
  public:
    /// How a connection is answered once its request is whole.
    struct Plan {
        std::string reply;       ///< octets as they are; "" for none
        bool in_pieces = false;  ///< an octet a time, a turn apart
        bool closes = true;      ///< afterwards
    };
    static Plan say(const std::string& line) {
        return {.reply = std::string(1, '\0') + static_cast<char>(line.size()) + line, .in_pieces = false};
    }
    static Plan hang() { return {.reply = {}, .in_pieces = false, .closes = false}; }

    explicit FakeSaslauthd(net::EventLoop& loop) : loop_(loop) {
        std::string pattern = (std::filesystem::temp_directory_path() / "gatepost-sasl-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        folder_ = pattern;
        listen();
    }
    ~FakeSaslauthd() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    [[nodiscard]] net::SocketAddress address() const {
        return *net::SocketAddress::from_unix_path((folder_ / "mux").string());
    }
    /// Nobody listens from now on; what is connected stays.
    void stop() { acceptor_.reset(); }
    void listen() {
        acceptor_.emplace(
            loop_, std::move(*net::listen_on("unix:" + (folder_ / "mux").string())),
            [this](net::UniqueFd socket, const net::SocketAddress&) {
                ++accepted;
                peers_.push_back(std::make_unique<net::Transport>(loop_, std::move(socket), *this));
                peers_.back()->start();
            });
    }
    void pause() { acceptor_->pause(); }

    /// What the connections that hang are told, at last.
    void release(const Plan& last) {
        for (const auto& peer : peers_) {
            if (peer->is_open()) answer(*peer, last);
        }
    }

    std::function<Plan(const std::vector<std::string>& request)> plan = [](const auto&) { return say("OK"); };
    std::vector<std::vector<std::string>> requests;  ///< user, password, service, realm
    int accepted = 0;
    int lost = 0;  ///< connections that the client closed

  private:
    std::size_t on_bytes(net::Transport& transport, ByteView bytes) override {
        std::vector<std::string> parts;
        ByteView rest = bytes;
        while (parts.size() < 4) {
            if (rest.size() < 2) return 0;
            const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(rest[0])) << 8 |
                                     static_cast<unsigned char>(rest[1]);
            if (rest.size() < 2 + size) return 0;
            parts.emplace_back(rest.substr(2, size));
            rest.remove_prefix(2 + size);
        }
        EXPECT_TRUE(rest.empty()) << "more than a request";
        requests.push_back(parts);
        answer(transport, plan(parts));
        return bytes.size();
    }
    void on_tls_established(net::Transport& /*transport*/) override {}
    void on_drained(net::Transport& /*transport*/) override {}
    void on_closed(net::Transport& /*transport*/, net::CloseCause /*cause*/) override { ++lost; }

    void answer(net::Transport& transport, Plan next) {
        if (!transport.is_open()) return;
        const std::size_t now =
            next.in_pieces ? std::min<std::size_t>(1, next.reply.size()) : next.reply.size();
        transport.write(ByteView(next.reply).substr(0, now));
        transport.flush();
        next.reply.erase(0, now);
        if (!next.reply.empty()) {
            loop_.defer(
                [this, &transport, rest = std::move(next)]() mutable { answer(transport, std::move(rest)); });
        } else if (next.closes) {
            transport.close();
        }
    }

    net::EventLoop& loop_;
    std::filesystem::path folder_;
    std::optional<net::Acceptor> acceptor_;
    std::vector<std::unique_ptr<net::Transport>> peers_;
};

}  // namespace gatepost::backends
