// A Redis of few words in the loop of the test: keeps every command, answers by a script, and can be told to
// be silent, to drop its clients or to go away and come back on the same port.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/redis/redis_observer.h"
#include "backends/redis/reply_reader.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/listener.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/transport.h"

namespace gatepost::backends::testing {

inline std::string bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

inline std::string array(const std::vector<std::string>& texts) {
    std::string reply = "*" + std::to_string(texts.size()) + "\r\n";
    for (const std::string& text : texts) reply += bulk(text);
    return reply;
}

class FakeRedis {
  public:
    /// What to answer to the words of a command, joined by blanks; nothing = silence.
    using Script = std::function<std::optional<std::string>(const std::string&)>;

    explicit FakeRedis(net::EventLoop& loop, const std::string& address = "127.0.0.1:0") : loop_(loop) {
        listen(address);
    }

    void listen(const std::string& address) {
        acceptor_.emplace(loop_, std::move(*net::listen_on(address)),
                          [this](net::UniqueFd socket, const net::SocketAddress&) {
                              clients_.push_back(std::make_unique<Client>(*this, std::move(socket)));
                              ++accepted;
                          });
        address_ = acceptor_->address().to_string();
    }

    /// No more clients, and those there are lose their connection.
    void go_away() {
        acceptor_.reset();
        drop_clients();
    }
    void come_back() { listen(address_); }
    void drop_clients() {
        for (const auto& client : clients_) client->transport.close();
    }
    void send_to_all(std::string_view octets) {
        for (const auto& client : clients_) {
            client->transport.write(octets);
            client->transport.flush();
        }
    }

    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] int count(const std::string& command) const {
        int found = 0;
        for (const std::string& one : commands) found += one == command ? 1 : 0;
        return found;
    }

    std::vector<std::string> commands;
    std::vector<std::size_t> reads;  ///< commands in each read
    std::map<std::string, std::string> answers{{"PING", "+PONG\r\n"}};
    Script script;
    const net::TlsContext* tls = nullptr;
    int accepted = 0;

  private:
    struct Client final : net::TransportHandler {
        Client(FakeRedis& owner, net::UniqueFd socket)
            : fake(owner), transport(owner.loop_, std::move(socket), *this) {
            if (fake.tls != nullptr) transport.start_tls_server(*fake.tls);
            transport.start();
        }
        std::size_t on_bytes(net::Transport&, ByteView bytes) override {
            reader.feed(bytes);
            RedisReply command;
            std::size_t count = 0;
            while (transport.is_open() && reader.next(command) == ReplyReader::Status::kReply) {
                std::string words;
                for (const RedisReply& word : command.items)
                    (words += words.empty() ? "" : " ") += word.octets.reveal();
                ++count;
                fake.commands.push_back(words);
                if (const auto reply = fake.answer_to(words); reply && transport.is_open())
                    transport.write(*reply);
            }
            fake.reads.push_back(count);
            return bytes.size();
        }
        void on_tls_established(net::Transport&) override {}
        void on_drained(net::Transport&) override {}
        void on_closed(net::Transport&, net::CloseCause) override {}

        FakeRedis& fake;
        ReplyReader reader;
        net::Transport transport;
    };

    std::optional<std::string> answer_to(const std::string& words) {
        if (script) {
            if (auto reply = script(words)) return reply;
        }
        if (const auto known = answers.find(words); known != answers.end())
            return known->second.empty() ? std::nullopt : std::optional(known->second);
        return "+OK\r\n";
    }

    net::EventLoop& loop_;
    std::string address_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::optional<net::Acceptor> acceptor_;
};

class FakeObserver final : public RedisObserver {
  public:
    void on_redis_connected(std::string_view server) override { connected.emplace_back(server); }
    void on_redis_lost(std::string_view, std::string_view reason) override { lost.emplace_back(reason); }
    void on_redis_breaker(bool is_open) override { breaker.push_back(is_open); }
    void on_redis_use(RedisUse use) override { uses.push_back(use); }

    std::vector<std::string> connected;
    std::vector<std::string> lost;
    std::vector<bool> breaker;
    std::vector<RedisUse> uses;
};

}  // namespace gatepost::backends::testing
