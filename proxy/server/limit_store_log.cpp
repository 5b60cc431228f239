#include "proxy/server/limit_store_log.h"

namespace gatepost::server {

using conf::LimitStoreUnavailable;
using conf::LogEvent;
using conf::LogField;

void LimitStoreLog::use(observe::MetricsRegistry& registry) {
    const std::lock_guard lock(mutex_);
    registry_ = &registry;
    registry_->set_limit_store_up(stores_away_ == 0);
    registry_->set_limit_replicas(replicas_);
}

void LimitStoreLog::replicas(unsigned seen) {
    const std::lock_guard lock(mutex_);
    replicas_ = seen;
    registry_->set_limit_replicas(seen);
}

void LimitStoreLog::away(std::string_view reason, unsigned replicas) {
    const std::lock_guard lock(mutex_);
    if (stores_away_++ != 0) return;
    registry_->set_limit_store_up(false);
    switch (when_unavailable_) {
        case LimitStoreUnavailable::Local:
            return log_.log(LogEvent::limit_store_away,
                            {{LogField::what, "limits are counted by this process alone"},
                             {LogField::share, replicas},
                             {LogField::reason, std::string(reason)}});
        case LimitStoreUnavailable::Allow:
            return log_.log(LogEvent::limit_store_away,
                            {{LogField::what, "no limits hold"}, {LogField::reason, std::string(reason)}});
        case LimitStoreUnavailable::Defer:
            return log_.log(LogEvent::limit_store_away, {{LogField::what, "what has a limit is deferred"},
                                                         {LogField::reason, std::string(reason)}});
    }
}

void LimitStoreLog::back() {
    const std::lock_guard lock(mutex_);
    if (--stores_away_ != 0) return;
    registry_->set_limit_store_up(true);
    log_.log(LogEvent::limit_store_back, {{LogField::what, "limits are counted by Redis again"}});
}

}  // namespace gatepost::server
