// The mechanisms of Cyrus SASL that Gatepost lets in, and what each of them needs. A table; any thread.
#pragma once

#include <span>
#include <string_view>

namespace gatepost::auth {

/// How a mechanism comes to believe a client, and so what must have been said here before its OK counts.
enum class Proof {
    kPassword,     ///< our password check said yes
    kKeys,         ///< it was served stored keys
    kPlain,        ///< it was served the password itself
    kCertificate,  ///< TLS proved the name
    kItsOwn,       ///< the plugin asks somebody else (a KDC): its word is all there is
};

struct Plugin {
    std::string_view mechanism;
    std::string_view file;  ///< how the names of its files begin; "" = built in
    Proof proof = Proof::kPassword;
    std::string_view package;  ///< of Debian
};

[[nodiscard]] std::span<const Plugin> known_plugins();

/// nullptr when `mechanism` (upper case) is none of them.
[[nodiscard]] const Plugin* find_plugin(std::string_view mechanism);

/// Whether the file of the plugin of users of that name lies where libsasl looks for plugins.
[[nodiscard]] bool has_auxprop_file(std::string_view plugin);

/// Debian's package with the plugin of users of that name.
[[nodiscard]] std::string_view package_of_auxprop(std::string_view plugin);

}  // namespace gatepost::auth
