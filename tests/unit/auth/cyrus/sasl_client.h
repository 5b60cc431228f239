// Somebody else's client: libsasl's own, with one user and password.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct sasl_conn;

namespace gatepost::auth {

class SaslClient {
  public:
    struct Facts {
        std::string user;
        std::string password;
        std::string acts_for = {};
        std::string binding_type = {};
        std::string binding = {};
    };

    /// Once in a process, before any other.
    static bool init();
    static void done();

    SaslClient(std::string mechanism, Facts facts);
    ~SaslClient();
    SaslClient(const SaslClient&) = delete;
    SaslClient& operator=(const SaslClient&) = delete;

    /// The initial response; nothing when the mechanism has none, or the client cannot begin (`code()` says
    /// why).
    std::optional<std::string> start();
    std::string step(const std::string& challenge);

    [[nodiscard]] int code() const { return code_; }

  private:
    struct Callbacks;
    const std::string mechanism_;
    const Facts facts_;
    std::unique_ptr<Callbacks> callbacks_;
    sasl_conn* connection_ = nullptr;
    int code_ = 0;
};

}  // namespace gatepost::auth
