// The admin HTTP server, read-only, on the main loop: /metrics, /livez, /readyz and /status.json for
// machines, /status for people. It changes nothing and holds no request longer than its deadline. Its loop's
// thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conf/metrics.h"
#include "proxy/base/result.h"

struct event_base;

namespace gatepost::observe {

/// What the routes show. Called on the loop's thread, once a request.
struct AdminSources {
    std::function<std::string()> metrics;                       ///< MetricsRegistry::scrape()
    std::function<std::vector<std::string>()> unready_because;  ///< sentences for the operator; none = ready
    std::function<std::string()> status_json;
    std::function<std::string()> status_page;                         ///< HTML, everything in it escaped
    std::function<void(conf::AdminRoute, conf::CodeClass)> answered;  ///< to count it
};

class AdminHttp {
  public:
    /// Listens on "127.0.0.1:9587" or "[::1]:0" (IPv6 only). An error says why: no numeric address, in use,
    /// not permitted. `base`, and what `sources` lean on, outlive the result.
    [[nodiscard]] static Result<std::unique_ptr<AdminHttp>> listen(event_base* base, std::string_view address,
                                                                   AdminSources sources);
    ~AdminHttp();
    AdminHttp(const AdminHttp&) = delete;
    AdminHttp& operator=(const AdminHttp&) = delete;

    /// The port listened on, also where the address said 0.
    [[nodiscard]] std::uint16_t port() const noexcept;

  private:
    class Server;
    explicit AdminHttp(std::unique_ptr<Server> server);

    std::unique_ptr<Server> server_;
};

}  // namespace gatepost::observe
