// How the sink behaves: what it offers and where it misbehaves, as the tests ask for it. Values only; filled
// once from the command line, read by every session. Never changes while the sink runs. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gatepost::bench {

/// One exception from good behaviour: at which command it applies and what happens there.
struct SinkRule {
    std::string verb;  ///< "CONNECT" (the greeting), "EHLO", "MAIL" …; "EOD" is the end of the message data.
    unsigned nth = 0;  ///< Only the n-th such command of a connection, counted from 1; 0 = each.
    std::string contains;  ///< Only when the line holds this text; empty = each.

    std::optional<std::string> reply;    ///< Said instead of the usual reply; lines without their last CRLF.
    std::chrono::milliseconds delay{0};  ///< Waits so long before it replies.
    bool garbage = false;                ///< Replies binary noise.
    bool endless = false;                ///< Replies lines that never end, for as long as the peer reads.
    bool drop_before = false;            ///< Closes instead of replying.
    bool drop_after = false;             ///< Closes behind the reply.
    bool reset = false;                  ///< A close is a TCP reset.
};

struct SinkSettings {
    std::string hostname = "sink.test";
    std::string greeting = "220 sink.test ESMTP ready";
    bool pipelining = true;
    bool chunking = true;
    bool eight_bit_mime = true;
    bool smtputf8 = true;
    bool dsn = true;
    bool enhanced_codes = true;
    bool helo_only = false;  ///< EHLO is 502.
    bool starttls = false;   ///< Offered until TLS is on.
    std::uint64_t max_size =
        100ULL * 1024 * 1024;                 ///< Advertised and enforced, octets; 0 = SIZE without a number.
    std::vector<std::string> extra_keywords;  ///< More lines for the EHLO reply.
    std::uint64_t drop_in_data = 0;           ///< Closes after so many octets of message data; 0 = never.
    std::vector<SinkRule> rules;
};

}  // namespace gatepost::bench
