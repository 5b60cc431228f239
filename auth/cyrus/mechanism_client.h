// The client's side of a mechanism, by libsasl: for a command that logs in to itself to show how that goes.
// Not in the server. Main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "auth/dialogue/channel.h"
#include "proxy/base/bytes.h"
#include "proxy/base/result.h"
#include "proxy/base/secret.h"

struct sasl_conn;

namespace gatepost::auth {

/// libsasl's client half; after a SaslLibrary was started and gone before it.
class ClientLibrary {
  public:
    ClientLibrary();
    ~ClientLibrary();
    ClientLibrary(const ClientLibrary&) = delete;
    ClientLibrary& operator=(const ClientLibrary&) = delete;

    [[nodiscard]] bool is_usable() const noexcept { return is_usable_; }

  private:
    bool is_usable_;
};

class MechanismClient {
  public:
    /// `mechanism` in upper case. A -PLUS binds to `channel`; EXTERNAL leans on its certificate.
    MechanismClient(std::string mechanism, const std::string& hostname, std::string user,
                    const Secret& password, const Channel& channel);
    ~MechanismClient();
    MechanismClient(const MechanismClient&) = delete;
    MechanismClient& operator=(const MechanismClient&) = delete;

    /// The initial response; nothing where the mechanism has none. The error says why the client cannot
    /// begin.
    [[nodiscard]] Result<std::optional<Secret>> start();

    /// The answer to a challenge, which may be empty. The error: the client does not believe this server.
    [[nodiscard]] Result<Secret> step(ByteView challenge);

  private:
    struct Callbacks;
    [[nodiscard]] std::string complaint(int code) const;

    const std::string mechanism_;
    const std::string user_;
    std::unique_ptr<Callbacks> callbacks_;  // libsasl keeps pointers into it
    sasl_conn* connection_ = nullptr;
};

}  // namespace gatepost::auth
