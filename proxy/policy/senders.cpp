#include "proxy/policy/senders.h"

#include <algorithm>

#include "proxy/policy/key_text.h"

namespace gatepost::policy {
namespace {

constexpr ByteView kSeparators = ", \t\r\n";

std::vector<AddressPattern> to_patterns(const std::vector<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

/// "ann+anything@example.org" of "ann@example.org".
bool is_tagged(const Address& sender, const Address& user) {
    return user.has_domain && !user.local.empty() && sender.has_domain && sender.domain == user.domain &&
           sender.local.starts_with(user.local + '+');
}

bool matches_any(const std::vector<AddressPattern>& patterns, const Address& address) {
    return std::ranges::any_of(patterns, [&](const AddressPattern& one) { return one.matches(address); });
}

}  // namespace

std::string canonical_address(ByteView address) {
    return address.empty() ? "" : Address::of(address).text();
}

bool matches_address(ByteView pattern, ByteView address) {
    return !address.empty() && AddressPattern(pattern).matches(Address::of(address));
}

bool is_own_sender(ByteView user, ByteView patterns, ByteView sender) {
    if (sender.empty() || user.empty()) return false;
    const Address said = Address::of(sender);
    const Address own = Address::of(user);
    if (said == own || is_tagged(said, own)) return true;
    while (!patterns.empty()) {
        const std::size_t end = std::min(patterns.find_first_of(kSeparators), patterns.size());
        if (end > 0 && AddressPattern(patterns.substr(0, end)).matches(said)) return true;
        patterns.remove_prefix(std::min(end + 1, patterns.size()));
    }
    return false;
}

Recipients::Recipients(const std::vector<std::string>& allow, const std::vector<std::string>& deny)
    : allow_(to_patterns(allow)) {
    // Nearly every mail server delivers BOB to bob: no other spelling may get past a denial.
    for (const std::string& pattern : deny) deny_.emplace_back(caseless(pattern));
}

bool Recipients::allows(ByteView recipient) const {
    if (allow_.empty() && deny_.empty()) return true;
    Address address = Address::of(recipient);
    if (!allow_.empty() && !matches_any(allow_, address)) return false;
    address.local = caseless(address.local);
    return !matches_any(deny_, address);
}

}  // namespace gatepost::policy
