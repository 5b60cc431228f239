#include "backends/redis/redis_link.h"

#include <string>
#include <system_error>
#include <utility>

#include "backends/redis/redis_command.h"
#include "proxy/net/dialer.h"

namespace gatepost::backends {

namespace {

using Kind = RedisReply::Kind;

std::string describe(net::CloseCause cause, std::string_view tls_failure) {
    switch (cause) {
        case net::CloseCause::kEof: return "it closed the connection";
        case net::CloseCause::kDropped:
            return tls_failure.empty() ? "the connection was lost" : "TLS: " + std::string(tls_failure);
        case net::CloseCause::kConnectFailed: return "it cannot be connected to";
        case net::CloseCause::kTlsFailed: return "TLS: " + std::string(tls_failure);
        case net::CloseCause::kBufferOverrun: return "it does not take what is sent";
    }
    return {};
}

std::string refused(std::string_view what, const RedisReply& reply) {
    return std::string(what) + " was refused: " +
           (reply.is(Kind::kError) ? std::string(reply.error_code()) : "an answer of another kind");
}

}  // namespace

RedisLink::RedisLink(net::EventLoop& loop, const net::SocketAddress& address,
                     const RedisLinkSettings& settings, RedisLinkHandler& handler)
    : loop_(loop),
      address_(address),
      handler_(&handler),
      database_(settings.database),
      tell_dial_failure_(loop, [this] { lose(dial_failure_); }) {
    auto socket = net::dial(address);
    if (!socket) {
        dial_failure_ = "it cannot be connected to: " + std::generic_category().message(socket.error());
        tell_dial_failure_.start(Duration::zero());
        return;
    }
    transport_.emplace(loop, std::move(*socket), static_cast<net::TransportHandler&>(*this));
    if (settings.tls) transport_->start_tls_client(*settings.tls, settings.tls_name);
    greet(settings);
    transport_->start();
    flush_later();
}

RedisLink::~RedisLink() = default;

/// All at once: under TLS it waits for the end of the handshake.
void RedisLink::greet(const RedisLinkSettings& settings) {
    const auto say = [this](Greeting step, const Secret& command) {
        greetings_.push_back(step);
        transport_->write(command.reveal());
    };
    if (settings.password && !settings.password->empty()) {
        const ByteView password = settings.password->reveal();
        say(Greeting::kAuth, settings.username.empty()
                                 ? format_command({"AUTH", password})
                                 : format_command({"AUTH", settings.username, password}));
    }
    if (settings.database != 0)
        say(Greeting::kSelect, format_command({"SELECT", std::to_string(settings.database)}));
    if (!settings.client_name.empty())
        say(Greeting::kSetName, format_command({"CLIENT", "SETNAME", settings.client_name}));
    if (settings.must_be_master) say(Greeting::kRole, format_command({"ROLE"}));
    say(Greeting::kPing, format_command({"PING"}));
}

void RedisLink::send(ByteView command) {
    if (handler_ == nullptr || !transport_) return;
    transport_->write(command);
    flush_later();
}

void RedisLink::flush_later() {
    if (std::exchange(*is_flush_due_, true)) return;
    loop_.defer([this, alive = std::weak_ptr(is_flush_due_)] {
        if (alive.expired()) return;
        *is_flush_due_ = false;
        if (transport_) transport_->flush();
    });
}

void RedisLink::close() {
    handler_ = nullptr;
    if (transport_) transport_->close();
    tell_dial_failure_.stop();
}

void RedisLink::lose(std::string_view reason) {
    RedisLinkHandler* handler = handler_;
    close();
    if (handler != nullptr) handler->on_link_lost(reason);
}

std::size_t RedisLink::on_bytes(net::Transport& transport, ByteView bytes) {
    transport.wipe_shown();  // records
    reader_.feed(bytes);
    RedisReply reply;
    while (handler_ != nullptr) {
        switch (reader_.next(reply)) {
            case ReplyReader::Status::kNeedMore: return bytes.size();
            case ReplyReader::Status::kReply: on_reply(std::exchange(reply, {})); break;
            case ReplyReader::Status::kBroken:
                lose("its answer is not of the Redis protocol, or too large");
                break;
        }
    }
    return bytes.size();
}

void RedisLink::on_reply(RedisReply reply) {
    if (greetings_.empty()) return handler_->on_link_reply(std::move(reply));
    const Greeting step = greetings_.front();
    greetings_.pop_front();
    if (const auto reason = objection(step, reply)) return lose(*reason);
    if (greetings_.empty()) handler_->on_link_ready();
}

std::optional<std::string> RedisLink::objection(Greeting step, const RedisReply& reply) const {
    const bool may_not = reply.error_code() == "NOPERM";
    switch (step) {
        case Greeting::kAuth:
            if (reply.is(Kind::kStatus, "OK")) return std::nullopt;
            return refused("AUTH", reply);
        case Greeting::kSelect:
            if (reply.is(Kind::kStatus, "OK")) return std::nullopt;
            return refused("SELECT " + std::to_string(database_), reply);
        case Greeting::kSetName: return std::nullopt;  // a convenience, and old Sentinels do not know it
        case Greeting::kRole:
            if (may_not) return std::nullopt;
            if (!reply.is(Kind::kArray) || reply.items.empty()) return refused("ROLE", reply);
            if (reply.items.front().is(Kind::kText, "master")) return std::nullopt;
            return "it is not the master";
        case Greeting::kPing:
            if (may_not || reply.is(Kind::kStatus, "PONG")) return std::nullopt;
            return refused("PING", reply);
    }
    return std::nullopt;
}

void RedisLink::on_tls_established(net::Transport& /*transport*/) {}

void RedisLink::on_drained(net::Transport& /*transport*/) {}

void RedisLink::on_closed(net::Transport& transport, net::CloseCause cause) {
    lose(describe(cause, transport.tls_failure()));
}

}  // namespace gatepost::backends
