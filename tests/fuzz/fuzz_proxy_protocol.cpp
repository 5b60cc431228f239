// A PROXY header means the same however many octets follow it, and is never longer than what was received.
#include "proxy/net/proxy_protocol.h"
#include "tests/fuzz/fuzz.h"

using namespace gatepost;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = fuzz::octets(data, size);
    const net::ProxyParse whole = net::parse_proxy_header(input);
    const auto* const header = std::get_if<net::ProxyHeader>(&whole);
    const bool malformed = std::holds_alternative<net::ProxyMalformed>(whole);
    if (header != nullptr) {
        fuzz::require(header->consumed > 0 && header->consumed <= size,
                      "a header is within what was received");
        fuzz::require(header->is_local != header->source.is_ip(), "addresses are there or it is local");
    }
    if (size > net::kMaxProxyV2Size)
        fuzz::require(header != nullptr || malformed, "no header is longer than the limit");
    for (std::size_t cut = 0; cut < std::min<std::size_t>(size, 300); ++cut) {
        const net::ProxyParse early = net::parse_proxy_header(input.substr(0, cut));
        if (const auto* const sooner = std::get_if<net::ProxyHeader>(&early)) {
            fuzz::require(
                header != nullptr && sooner->consumed == header->consumed && sooner->source == header->source,
                "octets behind the header do not matter");
        } else if (std::holds_alternative<net::ProxyMalformed>(early)) {
            fuzz::require(malformed, "what is malformed stays so");
        } else {
            fuzz::require(header == nullptr || cut < header->consumed,
                          "a whole header is seen as soon as it is there");
        }
    }
    return 0;
}
