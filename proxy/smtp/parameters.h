// The arguments of MAIL, RCPT and BDAT as values: parsed and checked on the client's side, encoded anew for
// the upstream's (RFC 1870 SIZE, 6152 8BITMIME, 6531 SMTPUTF8, 3461 DSN, 4954 AUTH=, 3030 BDAT). Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "proxy/base/bytes.h"
#include "proxy/smtp/capabilities.h"
#include "proxy/smtp/reply.h"

namespace gatepost::smtp {

enum class BodyType : std::uint8_t { kNotGiven, k7Bit, k8BitMime };

struct MailArguments {
    std::string sender;  ///< "" = the null sender <>
    bool sender_has_8bit = false;
    std::optional<std::uint64_t> size;  ///< octets as declared
    BodyType body = BodyType::kNotGiven;
    bool smtputf8 = false;
    std::string dsn_return;   ///< RET: "FULL", "HDRS" or ""
    std::string envelope_id;  ///< ENVID as sent (xtext) or ""
    /// AUTH= was given. Its value is checked and dropped: what goes upstream is Gatepost's decision
    /// (transcripts A12).
    bool auth_given = false;
};

struct RcptArguments {
    ByteView recipient;  ///< into the argument
    bool recipient_has_8bit = false;
    ByteView notify;              ///< NOTIFY as sent, or ""
    ByteView original_recipient;  ///< ORCPT as sent, or ""
};

struct ChunkArguments {
    std::uint64_t size = 0;
    bool last = false;
};

template <typename Arguments>
using Parsed = std::expected<Arguments, StaticReply>;

/// `argument` is what stands behind the verb: "FROM:<a@b> SIZE=1". The error is what the client hears: 501,
/// 553, 555.
[[nodiscard]] Parsed<MailArguments> parse_mail(ByteView argument);
[[nodiscard]] Parsed<RcptArguments> parse_rcpt(ByteView argument);
[[nodiscard]] Parsed<ChunkArguments> parse_chunk(ByteView argument);

/// A reply when the upstream cannot carry what the client asks for; nothing when it can.
[[nodiscard]] std::optional<StaticReply> missing_at(const Capabilities& upstream, const MailArguments& mail);
[[nodiscard]] std::optional<StaticReply> missing_at(const Capabilities& upstream, const RcptArguments& rcpt);

/// Appends the command, with its CRLF, as far as `upstream` knows the parameters. `added` octets are put on
/// top of SIZE; `submitter` is who AUTH= names (RFC 4954 section 5), "<>" for nobody, nothing: no AUTH=.
void append_mail(std::string& out, const MailArguments& mail, const Capabilities& upstream, std::size_t added,
                 const std::optional<std::string>& submitter = std::nullopt);
void append_rcpt(std::string& out, const RcptArguments& rcpt, const Capabilities& upstream);

}  // namespace gatepost::smtp
