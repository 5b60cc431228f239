#include "auth/cyrus/plugins.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <ranges>
#include <string>

#include <sasl/sasl.h>

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

bool has_auxprop_file(std::string_view plugin) {
    // libsasl tells nobody where it looks: beside itself, or where this variable says.
    std::string folders;
    if (const char* const given = std::getenv("SASL_PATH"); given != nullptr) {
        folders = given;
    } else if (Dl_info where{}; dladdr(reinterpret_cast<const void*>(&sasl_server_init), &where) != 0 &&
                                where.dli_fname != nullptr) {
        folders = std::filesystem::path(where.dli_fname).parent_path() / "sasl2";
    }
    std::error_code ignored;
    for (const auto part : std::views::split(folders, ':')) {
        const std::filesystem::path folder(std::string_view(part.begin(), part.end()));
        if (std::filesystem::exists(folder / ("lib" + std::string(plugin) + ".so"), ignored)) return true;
        if (std::filesystem::exists(folder / ("lib" + std::string(plugin) + ".so.2"), ignored)) return true;
    }
    return false;
}

std::string_view package_of_auxprop(std::string_view plugin) {
    if (plugin == "sql") return "libsasl2-modules-sql";
    if (plugin == "ldapdb") return "libsasl2-modules-ldap";
    return "libsasl2-modules-db";
}

}  // namespace gatepost::auth
