// Our auxiliary property plugin inside libsasl: the only one it may ask. Serves what the exchange at hand has
// prefetched, and to the mechanisms that need it only: behind our own password check nothing can accept
// anybody. Any thread.
#pragma once

#include <string_view>

#include "proxy/base/secret.h"

namespace gatepost::auth {

inline constexpr char kAuxpropName[] = "gatepost";

/// The id of the callback whose context is the PropertySource of a connection; none of libsasl's own.
inline constexpr unsigned long kPropertyCallback = 0x67701;

/// Where one connection's properties come from; lives as long as the connection.
class PropertySource {
  public:
    virtual ~PropertySource() = default;
    /// The value of "userPassword" or "authPassword" of the user at hand; empty = there is none. May not
    /// throw.
    [[nodiscard]] virtual Secret property(std::string_view name) noexcept = 0;
};

/// Registers the plugin; after sasl_server_init, main thread. false when libsasl refuses it.
[[nodiscard]] bool register_auxprop_store();

}  // namespace gatepost::auth
