// The strict grammar of each mechanism's client messages: what a SASL library is allowed to see, and whom the
// client names. Never judges a password. Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "auth/dialogue/verdict.h"
#include "proxy/base/bytes.h"

namespace gatepost::auth {

inline constexpr std::size_t kMaxNameSize = 255;
inline constexpr std::size_t kMaxPasswordSize = 1024;

/// 1-255 octets of UTF-8, no controls, no blank (of any script's) at either end: facts.md 1 has what
/// libraries do to others.
[[nodiscard]] bool is_acceptable_name(ByteView name);

/// 1-1024 octets, no controls (NUL, CR and LF among them).
[[nodiscard]] bool is_acceptable_password(ByteView password);

/// Reads the decoded messages of one exchange in order.
class MessageGrammar {
  public:
    enum class Check {
        kGood,
        kMalformed,     ///< not of the mechanism's form
        kUnacceptable,  ///< of its form, but with a name or password that nobody can have, or acting for
                        ///< somebody else
    };

    /// `mechanism` in upper case. Of an unknown one every message is malformed.
    explicit MessageGrammar(std::string_view mechanism);

    /// Checks the next client message. After anything but kGood no further message is good.
    [[nodiscard]] Check next(ByteView message);

    /// Why the last message was not good.
    [[nodiscard]] Reason reason() const noexcept { return reason_; }

    /// Whether the last good message held the password: only such a step needs a record and may hash.
    [[nodiscard]] bool has_password() const noexcept { return has_password_; }

    /// Whom the client has named so far, "" if nobody.
    [[nodiscard]] const std::string& user() const noexcept { return user_; }

  private:
    enum class State { kPlain, kLoginUser, kLoginPassword, kNothingMore };

    [[nodiscard]] Check plain(ByteView message);
    [[nodiscard]] Check login_user(ByteView message);
    [[nodiscard]] Check login_password(ByteView message);
    [[nodiscard]] Check refuse(Check check, Reason reason);

    State state_ = State::kNothingMore;
    Reason reason_ = Reason::kNone;
    bool has_password_ = false;
    std::string user_;
};

}  // namespace gatepost::auth
