// What lives from MAIL to the end of one mail transaction, and not longer: nothing of it can leak into the
// next. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/session/conversation.h"
#include "proxy/smtp/body_scanner.h"
#include "proxy/smtp/dot_stuffer.h"
#include "proxy/smtp/parameters.h"

namespace gatepost::session {

struct Conversation::Transaction {
    smtp::MailArguments mail;
    WallTime begun;
    std::size_t upstream = 0;  ///< where it goes: index in Settings::upstreams

    // Limits
    std::vector<LimitCharge> charges;
    std::unordered_set<std::string>
        charged_domains;                       ///< keys of what counts once for each recipient's domain
    std::size_t charges_before_recipient = 0;  ///< so many are not of the recipient asked about last
    std::uint64_t bytes_reserved = 1;          ///< of the message, with every rule that counts octets
    std::string recipient;                     ///< RCPT's argument, while the limits are asked

    // Recipients
    bool mail_accepted = false;
    bool was_pipelined = false;  ///< a command went upstream before the one ahead of it was answered
    std::size_t pending = 0;     ///< sent, the upstream's answer awaited
    std::size_t accepted = 0;
    std::size_t refused = 0;
    struct Refusal {
        smtp::Reply reply;
        Origin origin = Origin::kGateway;
    };
    std::optional<Refusal>
        recipient_refusal;                    ///< the last one; but one for now counts more than one for ever
    std::optional<smtp::Reply> mail_refusal;  ///< kept while answers to pipelined commands are outstanding

    // Message data
    smtp::BodyScanner scanner;
    smtp::ChunkScanner chunk_scanner;
    smtp::DotStuffer stuffer;
    std::uint64_t received = 0;   ///< octets of message data from the client
    std::uint64_t sent = 0;       ///< octets of message data to the upstream, the Received: field included
    bool has_trace = false;       ///< the Received: field was sent
    bool chunks_as_data = false;  ///< BDAT from the client, DATA to an upstream without CHUNKING
    std::string held_end;         ///< of the end mark, while the limits are asked
    bool data_begun = false;      ///< what goes upstream is message data: only an abrupt end takes it back
};

}  // namespace gatepost::session
