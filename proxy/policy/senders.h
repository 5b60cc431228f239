// Who may say what in MAIL FROM and RCPT TO: the sender policy (`policy.senders: own`) and the patterns of
// recipients. How addresses are compared, address.h has. Immutable, pure.
#pragma once

#include <string>
#include <vector>

#include "proxy/base/bytes.h"
#include "proxy/policy/address.h"

namespace gatepost::policy {

/// The one spelling that all spellings of an address share: local part unquoted where that is possible,
/// domain in lower case, in A-labels and without dots at its end. "" stays "".
[[nodiscard]] std::string canonical_address(ByteView address);

/// By AddressPattern. The null sender is matched by no pattern.
[[nodiscard]] bool matches_address(ByteView pattern, ByteView address);

/// MAIL FROM of a user under `policy.senders: own`: his own name, his name with a +tag in the local part, or
/// one of the patterns of his record (separated by commas or blanks). A name without a domain is his as it
/// stands, without tags: whose "ann+x" is, only the upstream knows. Never the null sender: that is a policy
/// of its own.
[[nodiscard]] bool is_own_sender(ByteView user, ByteView patterns, ByteView sender);

/// Which recipients may be named. Patterns as in matches_address().
class Recipients {
  public:
    /// An empty `allow` allows all; what `deny` matches, in any (ASCII) case, is denied whatever
    /// `allow` says.
    Recipients(const std::vector<std::string>& allow, const std::vector<std::string>& deny);

    [[nodiscard]] bool allows(ByteView recipient) const;

  private:
    std::vector<AddressPattern> allow_;
    std::vector<AddressPattern> deny_;
};

}  // namespace gatepost::policy
