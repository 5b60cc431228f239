#include "proxy/server/redis_log.h"

#include <utility>

namespace gatepost::server {

using conf::LogEvent;
using conf::LogField;

void RedisLog::connected(std::string_view server) {
    const std::lock_guard lock(mutex_);
    ++connections_;
    // Another server than before: the workers follow a failover one by one.
    if (std::exchange(state_, State::kUp) == State::kUp && server_ == server) return;
    server_ = server;
    log_.log(LogEvent::backend_up, {{LogField::backend, name_}, {LogField::endpoint, server}});
}

void RedisLog::lost(std::string_view server, std::string_view reason, bool had_one) {
    const std::lock_guard lock(mutex_);
    reason_ = reason;
    if (had_one) --connections_;
    if (connections_ != 0 || std::exchange(state_, State::kDown) == State::kDown) return;
    log_.log(
        LogEvent::backend_down,
        {{LogField::backend, name_}, {LogField::endpoint, server}, {LogField::what, std::string(reason)}});
}

void RedisLog::breaker(bool is_open) {
    const std::lock_guard lock(mutex_);
    if (is_open ? open_breakers_++ != 0 : --open_breakers_ != 0) return;
    log_.log(LogEvent::backend_breaker, is_open ? conf::LogLevel::Warning : conf::LogLevel::Info,
             {{LogField::backend, name_},
              {LogField::reason, is_open ? "open" : "closed"},
              {LogField::what, is_open ? std::string_view(reason_) : "it is asked again"}});
}

}  // namespace gatepost::server
