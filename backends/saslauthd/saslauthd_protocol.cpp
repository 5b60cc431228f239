#include "backends/saslauthd/saslauthd_protocol.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace gatepost::backends {

namespace {

constexpr std::size_t kCountSize = 2;
/// libsasl's own buffer for a reply.
constexpr std::size_t kReplyLimit = 1024;

/// How the refusals of saslauthd 2.1 begin that are none: its own store could not be asked. What it says as a
/// bare "NO", or "NO PAM auth error", when a directory behind PAM is away, nobody can tell from a wrong
/// password.
constexpr std::array<std::string_view, 5> kTroubles{
    "NO [ALERT] ",        "NO saslauthd internal error", "NO internal mechanism failure",
    "NO PAM start error", "NO Insufficient permission",
};

void append_counted(std::string& out, std::string_view part) {
    const auto size = static_cast<std::uint16_t>(part.size());
    out += static_cast<char>(size >> 8);
    out += static_cast<char>(size & 0xff);
    out += part;
}

}  // namespace

Secret saslauthd_request(std::string_view user, ByteView password, std::string_view service,
                         std::string_view realm) {
    std::string octets;
    // Once and for all: growing would leave copies behind.
    octets.reserve(4 * kCountSize + user.size() + password.size() + service.size() + realm.size());
    for (const std::string_view part : {user, password, service, realm}) append_counted(octets, part);
    Secret request(octets);
    wipe(octets.data(), octets.size());
    return request;
}

SaslauthdReply read_saslauthd_reply(ByteView received) {
    using Kind = SaslauthdReply::Kind;
    if (received.size() < kCountSize) return {};
    const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(received[0])) << 8 |
                             static_cast<unsigned char>(received[1]);
    if (size < 2 || size > kReplyLimit) return {.kind = Kind::kNonsense, .text = {}};
    const ByteView text = received.substr(kCountSize, size);
    if (text.size() < size) return {};
    if (text.starts_with("OK")) return {.kind = Kind::kAccepted, .text = text};
    if (!text.starts_with("NO")) return {.kind = Kind::kNonsense, .text = text};
    const bool is_trouble =
        std::ranges::any_of(kTroubles, [text](std::string_view start) { return text.starts_with(start); });
    return {.kind = is_trouble ? Kind::kTrouble : Kind::kRefused, .text = text};
}

}  // namespace gatepost::backends
