// The SMTP side of one AUTH dialogue (RFC 4954): base64, "=", "*", and the strict grammar of each client
// message before anybody else sees it. Never judges a password, never looks anything up. Pure; the thread of
// its conversation.
#pragma once

#include <optional>
#include <string>

#include "auth/dialogue/message.h"
#include "auth/dialogue/verdict.h"
#include "auth/dialogue/verifier.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

/// What one line of the client means.
struct Turn {
    enum class Kind {
        kStep,          ///< hand `step` to the verifier and wait for its verdict
        kCancelled,     ///< the client sent "*": 501, and no failure
        kUndecodable,   ///< not base64: 501 5.5.2
        kMalformed,     ///< decoded, but no message of this mechanism: 501 5.5.2
        kUnacceptable,  ///< a name or password that nobody can have: 535, at the same time as every other
                        ///< failure
    };
    Kind kind = Kind::kMalformed;
    Step step;                      ///< for kStep
    Reason reason = Reason::kNone;  ///< for kUnacceptable and kMalformed: what the log says
};

/// One object per AUTH command; after any turn but kStep, and after any verdict but kChallenge, it is used
/// up.
///
///     Exchange exchange(arguments.mechanism);
///     Turn turn = exchange.begin(arguments.initial);     // kStep: verifier.step(id, std::move(turn.step))
///     … verdict kChallenge: send "334 " + Exchange::challenge(verdict.challenge), then
///     turn = exchange.line(next_line);                   // the line without its CRLF
class Exchange {
  public:
    /// `mechanism` in upper case, one that was offered.
    explicit Exchange(std::string mechanism);

    /// The AUTH command's initial response as sent: nothing, "=" (empty) or base64. Call first and once.
    /// Of a mechanism that begins with a challenge (CRAM-MD5, DIGEST-MD5) any is kMalformed.
    [[nodiscard]] Turn begin(std::optional<ByteView> initial);

    /// A continuation line without its line end. The empty line is the empty message (SCRAM ends with one).
    /// An unasked-for one too many is kMalformed.
    [[nodiscard]] Turn line(ByteView line);

    /// The text of the 334 reply for a raw challenge: base64, "" for the empty one (the reply is then "334 ",
    /// with the blank).
    [[nodiscard]] static std::string challenge(ByteView raw);

    [[nodiscard]] const std::string& mechanism() const noexcept { return mechanism_; }

    /// The name of the user as far as the client has said it in an acceptable message; "" before. For limits,
    /// facts and logs; proves nothing.
    [[nodiscard]] const std::string& user() const noexcept { return grammar_.user(); }

  private:
    [[nodiscard]] Turn decoded(ByteView text, bool is_first);

    std::string mechanism_;
    MessageGrammar grammar_;
};

}  // namespace gatepost::auth
