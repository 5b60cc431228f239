// Gatepost's own name and password for an upstream, told by PLAIN (RFC 4616), LOGIN or CRAM-MD5 (RFC 2195).
// Never judges a client and never says a word of them in an error. Immutable: any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"
#include "proxy/smtp/auth_client.h"

namespace gatepost::auth {

class UpstreamCredentials final : public smtp::AuthClient {
  public:
    /// Neither may hold a NUL, which ends them in PLAIN.
    UpstreamCredentials(std::string user, Secret password)
        : user_(std::move(user)), password_(std::move(password)) {}

    /// Over TLS PLAIN comes first, as it needs the fewest round trips; in the clear CRAM-MD5, as it hides the
    /// password.
    [[nodiscard]] std::optional<Start> begin(std::string_view announced, bool is_secured) const override;

    [[nodiscard]] std::optional<Secret> answer(std::string_view mechanism, int step,
                                               ByteView challenge) const override;

  private:
    [[nodiscard]] Secret plain_message() const;
    [[nodiscard]] bool plain_fits_in_command() const;
    [[nodiscard]] std::optional<Secret> cram_md5(ByteView challenge) const;

    std::string user_;
    Secret password_;
};

}  // namespace gatepost::auth
