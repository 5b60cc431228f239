// However an address is spelled, it is compared as one: its canonical form stays what it is, a pattern that
// names it matches every spelling, and nobody's name is a sender of somebody else's.
#include "proxy/policy/senders.h"
#include "tests/fuzz/fuzz.h"

using namespace gatepost;

// A pattern, LF, an address.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = fuzz::octets(data, size);
    const std::size_t end = std::min(input.find('\n'), input.size());
    const ByteView pattern = input.substr(0, std::min<std::size_t>(end, 255));
    const ByteView address = input.substr(std::min(end + 1, input.size())).substr(0, 320);

    const std::string once = policy::canonical_address(address);
    fuzz::require(policy::canonical_address(once) == once, "a canonical address is its own canonical form");
    fuzz::require(once.empty() == address.empty(), "only the null sender is the null sender");
    fuzz::require(policy::matches_address(pattern, once) == policy::matches_address(pattern, address),
                  "a pattern matches all spellings or none");
    fuzz::require(policy::is_own_sender(pattern, "", once) == policy::is_own_sender(pattern, "", address),
                  "all spellings are the user's or none");
    if (address.empty()) return 0;
    fuzz::require(policy::matches_address("*", address), "a star matches everything");
    fuzz::require(policy::is_own_sender(address, "", once), "a user's own name is his in any spelling");
    if (!address.contains('*'))
        fuzz::require(!policy::Recipients({}, {once}).allows(address),
                      "what is denied is denied however spelled");
    return 0;
}
