// The leg that faces the client, where Gatepost is the SMTP server: cuts lines, keeps the phase of RFC 5321
// section 4.1.4 and says whether a command is allowed now. What an allowed command does is decided elsewhere.
// A new one begins after STARTTLS: forgetting is its destructor. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "proxy/smtp/command.h"
#include "proxy/smtp/command_table.h"
#include "proxy/smtp/line_reader.h"

namespace gatepost::smtp {

class ClientLeg {
  public:
    /// What the listener demands and what the session has reached.
    struct Standing {
        bool tls_missing = false;   ///< the listener requires TLS and there is none
        bool auth_missing = false;  ///< the listener requires AUTH and there was none
    };

    [[nodiscard]] LineReader::Result next_line(ByteView bytes, std::size_t limit) {
        return lines_.next(bytes, limit);
    }

    /// An over-long line is being dropped as it comes.
    [[nodiscard]] bool is_dropping() const noexcept { return lines_.dropped() > 0; }

    /// nullptr = the command may be obeyed.
    [[nodiscard]] Refusal refusal(const Command& command, Standing standing) const;

    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    void enter(Phase phase) noexcept { phase_ = phase; }

    void greeted(ByteView name, bool with_ehlo);
    [[nodiscard]] const std::string& greeting_name() const noexcept { return greeting_name_; }
    [[nodiscard]] bool is_esmtp() const noexcept { return esmtp_; }

  private:
    LineReader lines_;
    Phase phase_ = Phase::kConnected;
    bool esmtp_ = false;
    std::string greeting_name_;  ///< as sent, at most 255 octets, no controls
};

/// A name fit for a greeting: not empty, no blank, no control (decisions 9).
[[nodiscard]] bool is_greeting_name(ByteView name);

}  // namespace gatepost::smtp
