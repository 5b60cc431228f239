// What one worker's verifier asked of cache and backends, counted. Worker's thread.
#pragma once

#include "auth/check/verifier_observer.h"
#include "proxy/observe/metrics_registry.h"

namespace gatepost::server {

class VerifierMetrics final : public auth::VerifierObserver {
  public:
    /// Both outlive this object; `metrics` is the worker's own.
    VerifierMetrics(observe::MetricsRegistry& registry, observe::WorkerMetrics& metrics)
        : registry_(registry), metrics_(metrics) {}

    void on_cache_lookup(std::string_view backend, bool is_hit) override {
        metrics_.auth_cache_looked_up(registry_.backend(backend),
                                      is_hit ? conf::CacheResult::kHit : conf::CacheResult::kMiss);
    }

    void on_backend_answer(std::string_view backend, auth::BackendAnswer answer, Duration took) override {
        const observe::BackendIndex index = registry_.backend(backend);
        metrics_.auth_backend_answered(index, to_label(answer), took);
        // Of all workers the one that asked last has the say.
        registry_.set_auth_backend_up(
            index, answer == auth::BackendAnswer::kOk || answer == auth::BackendAnswer::kDenied);
    }

  private:
    [[nodiscard]] static conf::BackendResult to_label(auth::BackendAnswer answer) {
        using enum conf::BackendResult;
        switch (answer) {
            case auth::BackendAnswer::kOk: return kOk;
            case auth::BackendAnswer::kDenied: return kDenied;
            case auth::BackendAnswer::kError: return kError;
            case auth::BackendAnswer::kTimeout: return kTimeout;
        }
        return kError;
    }

    observe::MetricsRegistry& registry_;
    observe::WorkerMetrics& metrics_;
};

}  // namespace gatepost::server
