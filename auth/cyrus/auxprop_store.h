// Our auxiliary property plugin inside libsasl: the only one it may ask. It serves no userPassword, so that
// nothing behind our own password check can accept anybody. Any thread.
#pragma once

namespace gatepost::auth {

inline constexpr char kAuxpropName[] = "gatepost";

/// Registers the plugin; after sasl_server_init, main thread. false when libsasl refuses it.
[[nodiscard]] bool register_auxprop_store();

}  // namespace gatepost::auth
