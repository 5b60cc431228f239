// The seam to whoever knows the name and password that Gatepost itself shows to an upstream (RFC 4954, the
// client's side). Octets come and go as they are; base64 and the lines are the caller's. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost::smtp {

/// Stateless: one serves all dialogues at once, and the caller counts the challenges.
class AuthClient {
  public:
    struct Start {
        std::string mechanism;
        std::optional<Secret> initial_response;  ///< nothing: "AUTH <mechanism>" alone
    };

    AuthClient() = default;
    AuthClient(const AuthClient&) = delete;
    AuthClient& operator=(const AuthClient&) = delete;
    virtual ~AuthClient() = default;

    /// The best of what the upstream announced ("PLAIN LOGIN CRAM-MD5", in any case). Nothing: none of it can
    /// be spoken.
    [[nodiscard]] virtual std::optional<Start> begin(std::string_view announced, bool is_secured) const = 0;

    /// The answer to the `step`th challenge of this AUTH, from 0. Nothing: the challenge cannot be, and the
    /// dialogue is to be cancelled.
    [[nodiscard]] virtual std::optional<Secret> answer(std::string_view mechanism, int step,
                                                       ByteView challenge) const = 0;
};

}  // namespace gatepost::smtp
