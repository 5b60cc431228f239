// What a conversation needs to know of the configuration: one immutable value per listener, shared by its
// connections and outliving them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/policy/guessing.h"
#include "proxy/policy/limits.h"
#include "proxy/policy/routes.h"
#include "proxy/policy/senders.h"

namespace gatepost::session {

struct UpstreamSettings {
    std::string name;  ///< as users' records name it
    /// For everything from MAIL to a connection that is ready, waiting for a free one included. Whoever opens
    /// it keeps its own time; this is the limit for when nothing at all is heard.
    Duration connect_timeout = std::chrono::seconds(10);
    Duration reply_timeout = std::chrono::minutes(5);
    bool mail_auth = false;  ///< MAIL … AUTH=<user> (RFC 4954 section 5)
};

struct Settings {
    std::string hostname;  ///< greeting, EHLO reply, Received:

    bool offers_tls = false;   ///< STARTTLS
    bool require_tls = true;   ///< before TLS only EHLO, HELO, STARTTLS, NOOP, QUIT (decisions 1)
    bool require_auth = true;  ///< MAIL before AUTH is 530, but for trusted clients

    std::vector<std::string> mechanisms;  ///< offered, in this order; each can be served by every backend
    bool plaintext_without_tls = false;
    bool legacy_auth_line = false;
    int max_attempts = 3;
    bool says_disabled = false;  ///< 525 to a disabled user who knows the password, not 535
    policy::Guessing guessing{policy::GuessingSettings{}};  ///< of itself: no rule at all
    policy::Limits limits{{}};
    Duration limits_timeout =
        std::chrono::seconds(5);  ///< the store keeps its own time; this is for when it does not

    bool own_senders = false;  ///< MAIL FROM must be the user's, or what his record allows
    bool null_sender = true;   ///< MAIL FROM:<> is allowed
    policy::Recipients recipients{{}, {}};

    std::uint64_t max_message_size = 0;  ///< octets; 0 = no limit
    std::size_t max_recipients = 1000;
    int max_errors = 10;
    std::size_t max_line_length = 2048;
    bool received_header = true;
    bool user_in_received = false;  ///< names the authenticated user there

    Duration command_timeout = std::chrono::minutes(5);
    Duration auth_timeout = std::chrono::seconds(60);  ///< for each line of an AUTH exchange
    Duration data_timeout = std::chrono::minutes(10);  ///< without one octet of message data
    Duration failure_delay =
        std::chrono::seconds(1);  ///< every refused AUTH is answered this long after its last line
    Duration handshake_timeout = std::chrono::seconds(15);

    std::string listener;  ///< its name, for the routes
    policy::Routes routes{{}};
    std::vector<UpstreamSettings> upstreams{UpstreamSettings{}};  ///< never empty; the first is the default
};

/// RFC 4954 section 4.
inline constexpr std::size_t kMaxAuthLine = 12288;

}  // namespace gatepost::session
