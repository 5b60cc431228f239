// Tells the log when saslauthd stops answering and when it answers again: one line a change, not one a check.
// Any worker's thread.
#pragma once

#include <atomic>
#include <string>

#include "backends/saslauthd/saslauthd_client.h"
#include "proxy/observe/log_sink.h"

namespace gatepost::server {

class SaslauthdLog final : public backends::SaslauthdObserver {
  public:
    SaslauthdLog(observe::LogSink& log, std::string name) : log_(log), name_(std::move(name)) {}

    void checked(backends::SaslauthdOutcome outcome, std::string_view detail, Duration /*took*/) override {
        using backends::SaslauthdOutcome;
        if (outcome == SaslauthdOutcome::kIgnoresRealms && !has_said_realms_.exchange(true)) {
            log_.log(conf::LogEvent::backend_failed,
                     {{conf::LogField::backend, name_}, {conf::LogField::what, detail}});
        }
        const bool answers =
            outcome == SaslauthdOutcome::kAccepted || outcome == SaslauthdOutcome::kRefused ||
            outcome == SaslauthdOutcome::kIgnoresRealms || outcome == SaslauthdOutcome::kPasswordTooLong;
        if (answers == answers_.exchange(answers)) return;
        log_.log(answers ? conf::LogEvent::backend : conf::LogEvent::backend_failed,
                 {{conf::LogField::backend, name_},
                  {conf::LogField::what, answers ? std::string_view("saslauthd answers again") : detail}});
    }
    void circuit_changed(bool /*is_open*/) override {}

  private:
    observe::LogSink& log_;
    const std::string name_;
    std::atomic<bool> answers_ = true;
    std::atomic<bool> has_said_realms_ = false;  ///< once a process: any user can bring it about
};

}  // namespace gatepost::server
