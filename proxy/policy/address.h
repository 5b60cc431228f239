// Addresses as they are compared (RFC 5321 section 2.4): the local part octet for octet, whether it is quoted
// or not, the domain in any case and in any spelling. And the patterns in which operators and records name
// them. Values; pure.
#pragma once

#include <string>

#include "proxy/base/bytes.h"

namespace gatepost::policy {

struct Address {
    std::string local;           ///< without quotes and backslashes
    std::string domain;          ///< by domain_in_ascii()
    std::string unicode_domain;  ///< where that is something else, else ""
    bool has_domain = false;

    /// Any octets. The domain is what stands behind the last "@", or behind a quoted local part.
    [[nodiscard]] static Address of(ByteView text);

    /// In quotes where the local part needs them; reads as the same address again.
    [[nodiscard]] std::string text() const;

    [[nodiscard]] bool operator==(const Address& other) const {
        return has_domain == other.has_domain && local == other.local && domain == other.domain;
    }
};

/// "ann@example.org", "*@*.example.org", "@example.org" (as "*@example.org"), or without "@" for the whole
/// address. "*" is any run of octets, also where it stands in quotes.
class AddressPattern {
  public:
    explicit AddressPattern(ByteView text);

    /// Compares at most as often as the lengths of both multiplied, twice.
    [[nodiscard]] bool matches(const Address& address) const;
    /// Its domain alone. Both have one.
    [[nodiscard]] bool matches_domain_of(const Address& address) const;

  private:
    [[nodiscard]] bool matches_whole(const std::string& local, ByteView domain, bool has_domain) const;

    std::string local_;
    std::string domain_;
    std::string unicode_domain_;
    bool has_domain_ = false;
};

}  // namespace gatepost::policy
