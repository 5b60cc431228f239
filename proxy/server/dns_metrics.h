// Questions to the DNS, counted. On the background thread.
#pragma once

#include "proxy/net/dns_query.h"
#include "proxy/observe/worker_metrics.h"

namespace gatepost::server {

class DnsMetrics final : public net::DnsObserver {
  public:
    /// `metrics` is of the process, for the background thread alone, and outlives this.
    explicit DnsMetrics(observe::WorkerMetrics& metrics) : metrics_(metrics) {}

    void answered(Type type, Result result, Duration took) override {
        metrics_.dns_answered(static_cast<conf::DnsType>(type), static_cast<conf::DnsResult>(result), took);
    }

  private:
    static_assert(static_cast<int>(Type::kAaaa) == static_cast<int>(conf::DnsType::kAaaa));
    static_assert(static_cast<int>(Result::kFailed) == static_cast<int>(conf::DnsResult::kFailed));

    observe::WorkerMetrics& metrics_;
};

}  // namespace gatepost::server
