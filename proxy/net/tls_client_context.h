// What we show and believe as the client of a TLS server: authorities, versions, our own certificate. Never
// changes once made; sessions that were begun with it outlive it. One per worker thread, because threads that
// share an SSL_CTX wait for each other.
#pragma once

#include <memory>
#include <string>

#include "proxy/base/result.h"
#include "proxy/net/tls_context.h"

namespace gatepost::net {

struct TlsClientSettings {
    std::string ca;             ///< PEM bundle; "" = the system's authorities
    bool verifies = true;       ///< chain and name; without it anybody may answer
    CertificateFiles own = {};  ///< both "" = none is shown
};

/// Immutable, and no session is remembered in it: any thread.
class TlsClientContext {
  public:
    /// Reads all files; blocks. The error says which file and what is wrong with it.
    [[nodiscard]] static Result<std::unique_ptr<TlsClientContext>> make(const TlsClientSettings& settings);
    ~TlsClientContext();
    TlsClientContext(const TlsClientContext&) = delete;
    TlsClientContext& operator=(const TlsClientContext&) = delete;

    [[nodiscard]] ssl_ctx_st* get() const noexcept { return context_; }

    /// Makes a client's session ask for `server_name` (SNI, unless it is an address) and, if this context
    /// verifies, believe only a certificate for it. False for a name that cannot be asked for, or an empty
    /// one that would have to be verified.
    [[nodiscard]] bool expect(ssl_st* session, const std::string& server_name) const;

  private:
    TlsClientContext(ssl_ctx_st* context, bool verifies) : context_(context), verifies_(verifies) {}

    ssl_ctx_st* context_;
    bool verifies_;
};

}  // namespace gatepost::net
