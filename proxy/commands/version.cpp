#include "proxy/commands/version.h"

#include <event2/event.h>
#include <openssl/crypto.h>

#include "auth/cyrus/sasl_library.h"

namespace gatepost::commands {

int version(std::ostream& out) {
    out << "gatepost " << GATEPOST_VERSION << '\n'
        << "  compiler    " << __VERSION__ << '\n'
        << "  libevent    " << event_get_version() << '\n'
        << "  OpenSSL     " << OpenSSL_version(OPENSSL_VERSION_STRING) << '\n'
        << "  Cyrus SASL  " << auth::SaslLibrary::version() << '\n';
    return 0;
}

}  // namespace gatepost::commands
