// Servers to connect to, of a few lines each, and a loop to wait for them in.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/net/listener.h"
#include "proxy/net/timer.h"
#include "proxy/net/transport.h"
#include "proxy/upstream/snapshot.h"

namespace gatepost::upstream::test {

/// An SMTP server that says what it is told to, and remembers what it was sent.
class FakeMta final : private net::TransportHandler {
  public:
    /// Behind an answer, or instead of it: the connection is closed.
    static constexpr char kHangUp = '\x01';

    explicit FakeMta(net::EventLoop& loop)
        : loop_(loop),
          acceptor_(std::make_unique<net::Acceptor>(
              loop, std::move(*net::listen_on("127.0.0.1:0")),
              [this](net::UniqueFd socket, const auto&) { accept(std::move(socket)); })),
          address_(acceptor_->address()) {}

    [[nodiscard]] net::SocketAddress address() const { return address_; }

    /// By the first word of a line; "" for the greeting. Nothing is answered to what is not here.
    std::map<std::string, std::string, std::less<>> answers = {
        {"", "220 mta\r\n"},
        {"EHLO", "250-mta\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-XCLIENT LOGIN ADDR\r\n250 8BITMIME\r\n"},
        {"XCLIENT", "220 again\r\n"},
        {"QUIT", std::string("221 bye\r\n") + kHangUp},
    };
    std::map<std::string, std::string, std::less<>> once;  ///< goes before `answers`
    std::vector<std::string>
        heard;  ///< lines, without their ends; of a binary PROXY header "PROXY v2" and its command
    std::size_t accepted = 0;

    [[nodiscard]] std::size_t open() const {
        std::size_t count = 0;
        for (const auto& client : clients_) count += client->is_open() ? 1 : 0;
        return count;
    }
    [[nodiscard]] std::size_t heard_of(std::string_view line) const {
        return static_cast<std::size_t>(std::ranges::count(heard, line));
    }

    void say(std::string_view octets) {
        for (const auto& client : clients_) {
            if (client->is_open()) say(*client, octets);
        }
    }
    void hang_up() { say(std::string_view(&kHangUp, 1)); }
    /// From now on connections are refused.
    void shut() { acceptor_.reset(); }

  private:
    void accept(net::UniqueFd socket) {
        ++accepted;
        clients_.push_back(std::make_unique<net::Transport>(loop_, std::move(socket),
                                                            static_cast<net::TransportHandler&>(*this)));
        clients_.back()->start();
        say(*clients_.back(), answers[""]);
    }

    void say(net::Transport& client, std::string_view octets) {
        const bool hangs_up = octets.ends_with(kHangUp);
        client.write(octets.substr(0, octets.size() - (hangs_up ? 1 : 0)));
        client.flush();
        if (hangs_up) client.close();
    }

    std::size_t on_bytes(net::Transport& client, ByteView bytes) override {
        constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
        std::size_t consumed = 0;
        if (bytes.starts_with(kSignature) && bytes.size() >= 16) {
            consumed = 16U + static_cast<unsigned char>(bytes[15]);
            heard.emplace_back(bytes[12] == '\x20' ? "PROXY v2 LOCAL" : "PROXY v2 PROXY");
        }
        for (std::size_t end = bytes.find("\r\n", consumed); end != ByteView::npos && client.is_open();
             end = bytes.find("\r\n", consumed)) {
            heard.emplace_back(bytes.substr(consumed, end - consumed));
            consumed = end + 2;
            answer(client, std::string_view(heard.back()).substr(0, heard.back().find(' ')));
        }
        return consumed;
    }
    void answer(net::Transport& client, std::string_view word) {
        if (const auto first = once.find(word); first != once.end()) {
            const std::string octets = first->second;
            once.erase(first);
            return say(client, octets);
        }
        if (const auto usual = answers.find(word); usual != answers.end()) say(client, usual->second);
    }
    void on_tls_established(net::Transport& /*client*/) override {}
    void on_drained(net::Transport& /*client*/) override {}
    void on_closed(net::Transport& /*client*/, net::CloseCause /*cause*/) override {}

    net::EventLoop& loop_;
    std::unique_ptr<net::Acceptor> acceptor_;
    const net::SocketAddress address_;
    std::vector<std::unique_ptr<net::Transport>> clients_;
};

/// Everything is on one loop, which runs until something is so.
class LoopTest : public ::testing::Test {
  protected:
    [[nodiscard]] bool run_until(const std::function<bool()>& is_so,
                                 Duration limit = std::chrono::seconds(3)) {
        bool was_so = false;
        net::Timer give_up(loop_, [&] { loop_.stop(); });
        give_up.start(limit);
        net::Timer look(loop_, [&] {
            was_so = is_so();
            if (was_so) loop_.stop();
            look.start(std::chrono::milliseconds(1));
        });
        look.start(Duration::zero());
        loop_.run();
        return was_so;
    }
    void run_for(Duration time) {
        (void)run_until([] { return false; }, time);
    }

    static Server server_of(const FakeMta& mta, std::size_t endpoint = 0) {
        return {.endpoint = endpoint,
                .name = "mta" + std::to_string(endpoint),
                .tls_name = "mta.test",
                .address = mta.address(),
                .is_healthy = true,
                .is_known = true,
                .capabilities = {}};
    }

    net::EventLoop loop_;
};

}  // namespace gatepost::upstream::test
