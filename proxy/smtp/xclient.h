// The command that tells an upstream who its client really is (XCLIENT, Postfix's XCLIENT_README). Never
// sends what was not announced, and never a command that would leave the upstream with another identity.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace gatepost::smtp {

/// Empty, and port 0: not known.
struct XclientFacts {
    std::string_view address;  ///< the client's, "192.0.2.1" or "2001:db8::1"
    std::uint16_t port = 0;
    /// Of the client, and confirmed by a look-up of its addresses: Postfix lets access rules believe it.
    std::string_view name;
    std::string_view helo;
    bool esmtp = false;
    std::string_view login;  ///< "": the client has not authenticated
    std::string_view destination_address;
    std::uint16_t destination_port = 0;
};

// `announced`: Capabilities::xclient. A 220 answers each of these commands, and the session is then where it
// was after the greeting: EHLO is to be said again.

/// The upstream believes an address.
[[nodiscard]] bool can_tell_client(std::string_view announced);
/// The upstream believes a user name.
[[nodiscard]] bool can_tell_login(std::string_view announced);

/// "XCLIENT NAME=… PORT=… PROTO=… HELO=… LOGIN=… DESTADDR=… DESTPORT=… ADDR=…\r\n", at most 512 octets, with
/// those attributes that were announced. One command always, because Postfix forgets LOGIN, HELO and PROTO at
/// each XCLIENT that does not say them, and whom to believe once ADDR or NAME was said. A HELO, then a NAME
/// that does not fit is [UNAVAILABLE]. An error: the address or the login was not announced, or the login
/// cannot be told.
[[nodiscard]] Result<std::string> xclient_command(std::string_view announced, const XclientFacts& facts);

/// LOGIN alone, for connections that clients share. It takes back what the last one said: "" is nobody.
/// Errors as above.
[[nodiscard]] Result<std::string> xclient_login(std::string_view announced, std::string_view login);

}  // namespace gatepost::smtp
