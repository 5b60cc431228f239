// One question to a property plugin of Cyrus SASL, through libsasl's own machinery: a connection of its own,
// and a mechanism of ours that logs nobody in but asks for a user's properties. Blocks as the plugin does.
// Any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proxy/base/secret.h"

namespace gatepost::auth {

struct AuxpropSettings {
    std::string plugin;                          ///< "sasldb", "sql", "ldapdb"
    std::map<std::string, std::string> options;  ///< of Cyrus SASL, by its own names; may hold passwords
    std::string realm;                           ///< of users without one; "" = none is appended
    std::string hostname;  ///< what sasldb and sql take for the realm where there is none

    [[nodiscard]] bool operator==(const AuxpropSettings&) const = default;
};

struct Properties {
    enum class Code {
        kFound,
        kNoUser,
        kRefused,  ///< of ldapdb: it was not let in, or not let act for the user, or something unusual failed
        kFailed,
    };
    Code code = Code::kFailed;
    std::vector<Secret> passwords;  ///< userPassword
    std::vector<Secret> keys;       ///< authPassword
    bool was_searched = false;      ///< sasldb or sql said that it has looked, and found nothing
    std::string error;              ///< what the plugin complained of last, printable; "" = of nothing
};

/// Registers the mechanism; after sasl_server_init, main thread. false when libsasl refuses it.
[[nodiscard]] bool register_auxprop_question();

/// `wants_keys`: authPassword too. The library was started with the same plugin and options.
[[nodiscard]] Properties ask_properties(const AuxpropSettings& settings, const std::string& user,
                                        bool wants_keys);

}  // namespace gatepost::auth
