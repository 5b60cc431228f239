// Everything that judges credentials, put together: the engine, the stores in their order, the verify pool,
// and the re-reading of users files. Main thread; the parts themselves are shared by the workers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/check/verifier.h"
#include "auth/check/verify_pool.h"
#include "auth/cyrus/sasl_library.h"
#include "backends/file/file_store.h"
#include "proxy/net/resolver.h"
#include "proxy/net/timer.h"
#include "proxy/observe/log_sink.h"
#include "proxy/server/plan.h"

namespace gatepost::server {

class Authenticators {
  public:
    explicit Authenticators(net::EventLoop& loop);
    ~Authenticators();
    Authenticators(const Authenticators&) = delete;
    Authenticators& operator=(const Authenticators&) = delete;

    /// Loads everything; what is returned is wrong and must be told. `log` and `background` outlive this
    /// object.
    [[nodiscard]] std::vector<std::string> start(const Plan& plan, observe::LogSink& log,
                                                 net::BackgroundThread& background);

    /// Reads the users files again, in the background; a bad one changes nothing and is logged.
    void reload();

    /// Before any executor dies that verdicts are posted to.
    void stop_pool();

    // After start().
    [[nodiscard]] auth::MechanismEngine& engine() { return *engine_; }
    [[nodiscard]] auth::VerifyPool& pool() { return *pool_; }
    [[nodiscard]] const std::vector<auth::NamedStore>& stores() const { return stores_; }

  private:
    void look_for_changes();

    net::EventLoop& loop_;
    std::vector<std::pair<std::string, std::shared_ptr<backends::FileStore>>> files_;
    std::vector<auth::NamedStore> stores_;
    std::unique_ptr<auth::SaslLibrary> library_;
    std::unique_ptr<auth::CyrusEngine> engine_;
    std::unique_ptr<auth::VerifyPool> pool_;
    observe::LogSink* log_ = nullptr;
    net::BackgroundThread* background_ = nullptr;
    net::Timer look_again_;
};

}  // namespace gatepost::server
