// One question to the DNS: the addresses of a host, and how long they may be used. Blocks for a bounded time,
// by libc's resolver; the answer is parsed here because libc keeps the TTL to itself. Any thread; in the
// gateway only the background thread waits for it.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "proxy/base/clock.h"
#include "proxy/net/socket_address.h"

namespace gatepost::net {

struct DnsAnswer {
    Addresses addresses;    ///< never empty, in the order of the answer
    Duration ttl{};         ///< the smallest on the way to them, CNAMEs too
    bool is_cut = false;    ///< there are more, which did not fit into the message
    bool lacks_v6 = false;  ///< nobody could be asked for AAAA
};

enum class DnsFailure {
    kNoSuchName,   ///< NXDOMAIN
    kNoAddress,    ///< there is the name, but no address of the family in question
    kUnavailable,  ///< no answer, SERVFAIL, refused: nobody knows
    kMalformed,    ///< octets that are no answer
};

/// Told of each question to the DNS; on the thread that asks.
class DnsObserver {
  public:
    virtual ~DnsObserver() = default;
    enum class Type { kA, kAaaa };
    enum class Result { kOk, kNotFound, kFailed };
    virtual void answered(Type type, Result result, Duration took) = 0;
};

/// One answer to a question for A or AAAA, off the wire. Pure; never reads outside of `message`. Only records
/// that belong to the name in the question, or to where its CNAMEs lead, count.
[[nodiscard]] std::expected<DnsAnswer, DnsFailure> parse_dns_answer(std::span<const unsigned char> message,
                                                                    std::uint16_t port);

/// Both families of `host`, along the search domains of resolv.conf, which is read anew. Ends in 16 s at the
/// latest (three servers that answer late or never), in 2 s with one server that is silent. Stops at the
/// first domain that cannot be asked: one further on may have another host of the same name. When only the
/// second family cannot be asked, there is half an answer, and a short TTL. kMalformed counts as kUnavailable
/// here.
/// `observer` may be nullptr.
[[nodiscard]] std::expected<DnsAnswer, DnsFailure> ask_dns(const std::string& host, std::uint16_t port,
                                                           DnsObserver* observer = nullptr);

}  // namespace gatepost::net
