#include "auth/cyrus/plugins.h"

#include <algorithm>
#include <array>

namespace gatepost::auth {
namespace {

constexpr std::string_view kModules = "libsasl2-modules";

constexpr std::array kPlugins{
    Plugin{"PLAIN", "libplain.so", Proof::kPassword, kModules},
    Plugin{"LOGIN", "liblogin.so", Proof::kPassword, kModules},
    Plugin{"SCRAM-SHA-1", "libscram.so", Proof::kKeys, kModules},
    Plugin{"SCRAM-SHA-1-PLUS", "libscram.so", Proof::kKeys, kModules},
    Plugin{"SCRAM-SHA-256", "libscram.so", Proof::kKeys, kModules},
    Plugin{"SCRAM-SHA-256-PLUS", "libscram.so", Proof::kKeys, kModules},
    Plugin{"SCRAM-SHA-512", "libscram.so", Proof::kKeys, kModules},
    Plugin{"SCRAM-SHA-512-PLUS", "libscram.so", Proof::kKeys, kModules},
    Plugin{"CRAM-MD5", "libcrammd5.so", Proof::kPlain, kModules},
    Plugin{"DIGEST-MD5", "libdigestmd5.so", Proof::kPlain, kModules},
    Plugin{"EXTERNAL", "", Proof::kCertificate, ""},
    Plugin{"GSSAPI", "libgssapiv2.so", Proof::kItsOwn, "libsasl2-modules-gssapi-mit"},
    Plugin{"GSS-SPNEGO", "libgssapiv2.so", Proof::kItsOwn, "libsasl2-modules-gssapi-mit"},
    Plugin{"NTLM", "libntlm.so", Proof::kPlain, kModules},
};

}  // namespace

std::span<const Plugin> known_plugins() {
    return kPlugins;
}

const Plugin* find_plugin(std::string_view mechanism) {
    const auto* const found = std::ranges::find(kPlugins, mechanism, &Plugin::mechanism);
    return found == kPlugins.end() ? nullptr : found;
}

}  // namespace gatepost::auth
