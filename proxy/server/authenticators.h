// Everything that judges credentials, put together: the engine, the stores in their order, the verify pool,
// and the re-reading of users files. Main thread; the parts themselves are shared by the workers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/check/verifier.h"
#include "auth/check/verify_pool.h"
#include "auth/cyrus/sasl_library.h"
#include "backends/file/file_store.h"
#include "backends/saslauthd/saslauthd_client.h"
#include "proxy/net/resolver.h"
#include "proxy/net/timer.h"
#include "proxy/observe/log_sink.h"
#include "proxy/observe/metrics_registry.h"
#include "proxy/server/auxprop_backend.h"
#include "proxy/server/plan.h"
#include "proxy/server/redis_backend.h"
#include "proxy/server/saslauthd_log.h"

namespace gatepost::server {

/// Mechanisms that every backend can serve, in the configuration's order.
using Servable = std::shared_ptr<const std::vector<std::string>>;

/// By path.
using UsersFiles = std::map<std::string, std::shared_ptr<backends::FileStore>>;
/// Those of `config` that `before` does not have. Blocks: a million users take seconds. One that cannot be
/// read is left out.
[[nodiscard]] UsersFiles read_users_files(const conf::Config& config, const conf::Config& before);

class Authenticators {
  public:
    explicit Authenticators(net::EventLoop& loop);
    ~Authenticators();
    Authenticators(const Authenticators&) = delete;
    Authenticators& operator=(const Authenticators&) = delete;

    /// What these lean on; outlives them.
    struct Process {
        observe::LogSink& log;
        net::BackgroundThread& background;
        net::Resolver& resolver;
    };
    /// Loads everything; what is returned is wrong and must be told. `before`: those that these shall
    /// replace, if any: what a process has but once is shared with them, and what they know is not forgotten
    /// where it still holds. Users files in `read` need not be read.
    [[nodiscard]] std::vector<std::string> start(const Plan& plan, const Process& process,
                                                 const Authenticators* before = nullptr,
                                                 const UsersFiles& read = {});

    /// Reads the users files and the passwords of Redis again, in the background; a bad one changes nothing
    /// and is logged.
    void reload();

    /// Before any executor dies that verdicts are posted to. May take seconds, the first time; any thread,
    /// one at a time.
    void stop_pool();
    /// For metrics; requires that start() succeeded.
    [[nodiscard]] const auth::VerifyCache& cache() const { return *cache_; }

    // After start().
    /// Puts something between a verifier and its parts, to watch them; what it adds outlives the verifier.
    using Wrap = std::function<auth::StoreVerifier::Parts(auth::StoreVerifier::Parts)>;
    /// A verifier for one worker, whose loop, receiver, `metrics` and observer (or nullptr) outlive it; as
    /// many as the plan has workers. Main thread, before the loop runs.
    [[nodiscard]] std::unique_ptr<auth::Verifier> make_verifier(
        net::EventLoop& loop, auth::VerdictReceiver& receiver, const observe::MetricsRegistry& registry,
        observe::WorkerMetrics& metrics, auth::VerifierObserver* observer, const Wrap& wrap = {});
    [[nodiscard]] Servable servable() const { return servable_; }
    /// Calls `told` on the main thread each time that changed users files change what can be served.
    void on_servable(std::function<void(const Servable&)> told) { told_ = std::move(told); }

  private:
    /// A backend in its place; what each worker has for itself is made with its verifier.
    struct Opened {
        std::string name;
        std::shared_ptr<backends::FileStore> file;
        std::unique_ptr<RedisBackend> redis;
        std::unique_ptr<AuxpropBackend> auxprop = {};
        std::shared_ptr<auth::StandIn> stand_in = {};
    };

    /// The library as the process has it, once for all generations.
    struct Sasl {
        std::unique_ptr<auth::SaslLibrary> library;
        std::vector<auth::AuxpropSettings> auxprops;
        bool is_free = true;  ///< no look-up is stuck inside it
        ~Sasl();
    };

    [[nodiscard]] bool start_engine(const Plan& plan, const Authenticators* before,
                                    std::vector<std::string>& problems);
    [[nodiscard]] Result<std::shared_ptr<Sasl>> sasl_for(const Plan& plan, const Authenticators* before);
    [[nodiscard]] Result<std::shared_ptr<auth::VerifyCache>> cache_for(const conf::Config& config,
                                                                       const Authenticators* before);
    void open_backend(const Plan& plan, const std::string& name, const UsersFiles& known,
                      std::vector<std::string>& problems);
    void open_file(const std::string& name, const conf::FileBackend& file, const UsersFiles& known,
                   std::vector<std::string>& problems);
    void open_redis(const std::string& name, const conf::RedisBackend& redis, unsigned workers,
                    std::vector<std::string>& problems);
    void open_sasl(const std::string& name, const conf::SaslBackend& sasl,
                   std::vector<std::string>& problems);
    void look_for_changes();
    [[nodiscard]] bool can_serve(const std::string& mechanism) const;
    void note_servable();
    void note_unservable();

    net::EventLoop& loop_;
    struct Saslauthd {
        std::string name;
        backends::SaslauthdSettings settings;
    };
    std::vector<Opened> opened_;
    std::optional<Saslauthd> saslauthd_;   ///< the last of the backends
    std::vector<std::string> mechanisms_;  ///< of the configuration
    std::string hostname_;
    Servable servable_ = std::make_shared<const std::vector<std::string>>();
    std::function<void(const Servable&)> told_;
    std::unique_ptr<SaslauthdLog> saslauthd_log_;
    std::shared_ptr<const conf::Config> config_;
    std::shared_ptr<const auth::ScramFake> fake_;
    std::shared_ptr<auth::VerifyCache> cache_;
    std::shared_ptr<Sasl> sasl_;
    std::unique_ptr<auth::CyrusEngine> engine_;
    std::unique_ptr<auth::VerifyPool> pool_;
    bool is_stopped_ = false;
    observe::LogSink* log_ = nullptr;
    net::BackgroundThread* background_ = nullptr;
    net::Resolver* resolver_ = nullptr;
    std::shared_ptr<Authenticators*> self_ = std::make_shared<Authenticators*>(this);  ///< of the main thread
    net::Timer look_again_;
};

}  // namespace gatepost::server
