// One `type: sasl, method: auxprop` of `auth.backends`: what Cyrus SASL is told of it, the store that all
// workers share, and what the log hears of it. Main thread, but for what the store tells.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/check/blocking_store.h"
#include "auth/cyrus/auxprop_question.h"
#include "conf/config.h"
#include "proxy/observe/log_sink.h"

namespace gatepost::server {

/// What is wrong with the backend at one of its keys ("auxprop_plugin", "options.sql_engine").
struct AuxpropProblem {
    std::string key;
    std::string message;  ///< shows no value of an option: it may be a password
};
/// Looks for the plugin's file; starts nothing.
[[nodiscard]] std::vector<AuxpropProblem> auxprop_problems(const conf::SaslBackend& sasl);

/// Who is left out by what is no mistake: "backends.NAME: …".
[[nodiscard]] std::vector<std::string> auxprop_notes(const std::string& name, const conf::SaslBackend& sasl);

/// What libsasl must be started with for it.
[[nodiscard]] auth::AuxpropSettings auxprop_settings(const conf::SaslBackend& sasl,
                                                     const std::string& hostname);

/// Tells when the plugin stops answering and when it answers again, and when its threads are lost: one line a
/// change.
class AuxpropLog final : public auth::BlockingObserver {
  public:
    AuxpropLog(observe::LogSink& log, std::string name) : log_(log), name_(std::move(name)) {}

    void answered(const std::string& complaint) override;
    void lost(std::size_t threads, bool is_open) override;

  private:
    observe::LogSink& log_;
    const std::string name_;
    bool answers_ = true;
    bool is_open_ = false;
    bool has_lost_ = false;
};

class AuxpropBackend {
  public:
    /// The library was started with auxprop_settings() of it; `log` outlives the backend.
    AuxpropBackend(const std::string& name, const conf::SaslBackend& sasl, const std::string& hostname,
                   observe::LogSink& log);

    /// Shared by all workers.
    [[nodiscard]] std::shared_ptr<auth::CredentialStore> store() const { return store_; }

    /// Whether an operator says that its users can be served by `mechanism`.
    [[nodiscard]] bool serves(const std::string& mechanism) const;

    /// See BlockingStore::is_watched().
    [[nodiscard]] bool is_watched() const noexcept { return store_->is_watched(); }

    /// See BlockingStore::stop().
    [[nodiscard]] bool stop() { return store_->stop(); }

  private:
    const std::vector<std::string> mechanisms_;
    AuxpropLog changes_;
    const std::shared_ptr<auth::BlockingStore> store_;
};

}  // namespace gatepost::server
