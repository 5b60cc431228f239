#include "proxy/net/dns_query.h"

#include <algorithm>
#include <arpa/nameser.h>
#include <array>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <optional>
#include <resolv.h>
#include <string_view>
#include <strings.h>
#include <vector>

namespace gatepost::net {

namespace {

using namespace std::chrono_literals;

using Question = std::expected<DnsAnswer, DnsFailure>;

/// Further steps are a loop, or nobody's intent.
constexpr int kMostAliases = 16;
/// What a DNS message can have at most.
constexpr std::size_t kLargestMessage = 65535;
/// No question begins after this.
constexpr Duration kPatience = 10s;
/// To learn of the other family soon.
constexpr Duration kTtlOfHalfAnAnswer = 5s;

struct Record {
    std::string owner;
    std::string target;  ///< of a CNAME
    std::string_view octets;
    int type = ns_t_invalid;
    Duration ttl{};
};

bool is_same_name(const std::string& one, const std::string& other) {
    return ::strcasecmp(one.c_str(), other.c_str()) == 0;
}

/// Nothing when `record` is malformed.
std::optional<Record> to_record(const ns_msg& message, const ns_rr& record) {
    // RFC 2181 section 8: a TTL with the highest bit set is none.
    const auto seconds = static_cast<std::int32_t>(ns_rr_ttl(record));
    Record made{.owner = ns_rr_name(record),
                .target = {},
                .octets = {reinterpret_cast<const char*>(ns_rr_rdata(record)),
                           static_cast<std::size_t>(ns_rr_rdlen(record))},
                .type = ns_rr_class(record) == ns_c_in ? int{ns_rr_type(record)} : int{ns_t_invalid},
                .ttl = std::chrono::seconds(std::max(seconds, 0))};
    if (made.type == ns_t_cname) {
        std::array<char, NS_MAXDNAME> target{};
        if (::dn_expand(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(record), target.data(),
                        target.size()) < 0)
            return std::nullopt;
        made.target = target.data();
    }
    return made;
}

bool is_address(const Record& record) {
    return (record.type == ns_t_a && record.octets.size() == NS_INADDRSZ) ||
           (record.type == ns_t_aaaa && record.octets.size() == NS_IN6ADDRSZ);
}

/// The records of the answer in order; nothing when one of them is malformed.
std::optional<std::vector<Record>> read_records(ns_msg& message) {
    std::vector<Record> records;
    for (int index = 0; index < ns_msg_count(message, ns_s_an); ++index) {
        ns_rr raw;
        if (::ns_parserr(&message, ns_s_an, index, &raw) != 0) return std::nullopt;
        auto record = to_record(message, raw);
        if (!record) return std::nullopt;
        records.push_back(std::move(*record));
    }
    return records;
}

/// Where the CNAMEs lead that begin at `name`; `ttl` becomes the smallest of theirs. Nothing for a loop.
std::optional<std::string> follow_aliases(const std::vector<Record>& records, std::string name,
                                          Duration& ttl) {
    for (int steps = 0; steps <= kMostAliases; ++steps) {
        const auto alias = std::ranges::find_if(records, [&](const Record& record) {
            return record.type == ns_t_cname && is_same_name(record.owner, name);
        });
        if (alias == records.end()) return name;
        ttl = std::min(ttl, alias->ttl);
        name = alias->target;
    }
    return std::nullopt;
}

/// libc's state for one look-up: /etc/resolv.conf as it is now, with less patience.
class ResolverState {
  public:
    explicit ResolverState(DnsObserver* observer) : observer_(observer), is_good_(::res_ninit(&state_) == 0) {
        // Tried in turn, the server that is silent costs this much each time. libc's own 5 s would hold up
        // the other names.
        state_.retrans = 1;
        state_.retry = std::min(state_.retry, 2);
        // libc waits without end for TCP, which it tries when UDP does not hold the answer. So that this is
        // rare, UDP may hold 1200 octets: 70 IPv4 addresses, or 40 of IPv6.
        state_.options |= RES_USE_EDNS0 | RES_IGNTC;
    }
    ~ResolverState() {
        if (is_good_) ::res_nclose(&state_);
    }
    ResolverState(const ResolverState&) = delete;
    ResolverState& operator=(const ResolverState&) = delete;

    [[nodiscard]] bool is_good() const noexcept { return is_good_; }

    /// What `host` may mean, in the order of trial: as getaddrinfo() would.
    [[nodiscard]] std::vector<std::string> candidates(const std::string& host) const {
        if (host.ends_with('.')) return {host};
        std::vector<std::string> names;
        for (const char* domain : state_.dnsrch) {
            if (domain == nullptr) break;
            names.push_back(host + "." + domain);
        }
        const bool is_whole_first = std::ranges::count(host, '.') >= std::ptrdiff_t{state_.ndots};
        names.insert(is_whole_first ? names.begin() : names.end(), host);
        return names;
    }

    [[nodiscard]] Question ask(const std::string& name, ns_type type, std::uint16_t port) {
        const TimePoint began = Clock::now();
        if (began > end_) return std::unexpected(DnsFailure::kUnavailable);
        Question answer = ask_now(name, type, port);
        if (observer_ != nullptr)
            observer_->answered(type == ns_t_a ? DnsObserver::Type::kA : DnsObserver::Type::kAaaa,
                                result_of(answer), Clock::now() - began);
        return answer;
    }

  private:
    [[nodiscard]] static DnsObserver::Result result_of(const Question& answer) {
        if (answer) return DnsObserver::Result::kOk;
        const bool is_known =
            answer.error() == DnsFailure::kNoSuchName || answer.error() == DnsFailure::kNoAddress;
        return is_known ? DnsObserver::Result::kNotFound : DnsObserver::Result::kFailed;
    }

    [[nodiscard]] Question ask_now(const std::string& name, ns_type type, std::uint16_t port) {
        const int size = ::res_nquery(&state_, name.c_str(), ns_c_in, type, buffer_.get(), kLargestMessage);
        if (size >= 0)
            return parse_dns_answer({buffer_.get(), std::min<std::size_t>(size, kLargestMessage)}, port);
        switch (state_.res_h_errno) {
            case HOST_NOT_FOUND: return std::unexpected(DnsFailure::kNoSuchName);
            case NO_DATA: return std::unexpected(DnsFailure::kNoAddress);
            default: return std::unexpected(DnsFailure::kUnavailable);
        }
    }

    DnsObserver* const observer_;
    const TimePoint end_ = Clock::now() + kPatience;
    struct __res_state state_{};
    bool is_good_;
    std::unique_ptr<unsigned char[]> buffer_ = std::make_unique<unsigned char[]>(kLargestMessage);
};

bool nobody_knows(const Question& answer) {
    return !answer &&
           (answer.error() == DnsFailure::kUnavailable || answer.error() == DnsFailure::kMalformed);
}

Question ask_for_both(ResolverState& state, const std::string& name, std::uint16_t port) {
    std::array<unsigned char, NS_MAXCDNAME> wire{};
    if (::ns_name_pton(name.c_str(), wire.data(), wire.size()) < 0)
        return std::unexpected(DnsFailure::kNoSuchName);  // cannot be asked for, so nobody has it
    Question v4 = state.ask(name, ns_t_a, port);
    if (nobody_knows(v4)) return std::unexpected(DnsFailure::kUnavailable);
    if (!v4 && v4.error() == DnsFailure::kNoSuchName) return v4;
    Question v6 = state.ask(name, ns_t_aaaa, port);
    if (nobody_knows(v6)) {
        // Some servers never answer such a question, so this may not cost the other family.
        if (!v4) return std::unexpected(DnsFailure::kUnavailable);
        v4->ttl = std::min(v4->ttl, kTtlOfHalfAnAnswer);
        v4->lacks_v6 = true;
        return v4;
    }
    if (!v6) return v4;
    if (!v4) return v6;
    v4->addresses.insert(v4->addresses.end(), v6->addresses.begin(), v6->addresses.end());
    v4->ttl = std::min(v4->ttl, v6->ttl);
    v4->is_cut = v4->is_cut || v6->is_cut;
    return v4;
}

}  // namespace

std::expected<DnsAnswer, DnsFailure> parse_dns_answer(std::span<const unsigned char> octets,
                                                      std::uint16_t port) {
    ns_msg message;
    if (octets.size() > kLargestMessage ||
        ::ns_initparse(octets.data(), static_cast<int>(octets.size()), &message) != 0)
        return std::unexpected(DnsFailure::kMalformed);
    switch (ns_msg_getflag(message, ns_f_rcode)) {
        case ns_r_noerror: break;
        case ns_r_nxdomain: return std::unexpected(DnsFailure::kNoSuchName);
        default: return std::unexpected(DnsFailure::kUnavailable);
    }
    ns_rr question;
    if (ns_msg_count(message, ns_s_qd) != 1 || ::ns_parserr(&message, ns_s_qd, 0, &question) != 0)
        return std::unexpected(DnsFailure::kMalformed);
    const auto records = read_records(message);
    DnsAnswer answer{.addresses = {},
                     .ttl = Duration::max(),
                     .is_cut = ns_msg_getflag(message, ns_f_tc) != 0,
                     .lacks_v6 = false};
    const auto name =
        records ? follow_aliases(*records, ns_rr_name(question), answer.ttl) : std::optional<std::string>();
    if (!name) return std::unexpected(DnsFailure::kMalformed);
    for (const Record& record : *records) {
        if (!is_address(record) || !is_same_name(record.owner, *name)) continue;
        answer.addresses.push_back(SocketAddress::from_ip_octets(record.octets, port));
        answer.ttl = std::min(answer.ttl, record.ttl);
    }
    if (answer.addresses.empty()) return std::unexpected(DnsFailure::kNoAddress);
    return answer;
}

std::expected<DnsAnswer, DnsFailure> ask_dns(const std::string& host, std::uint16_t port,
                                             DnsObserver* observer) {
    ResolverState state(observer);
    if (!state.is_good()) return std::unexpected(DnsFailure::kUnavailable);
    DnsFailure failure = DnsFailure::kNoSuchName;
    for (const std::string& name : state.candidates(host)) {
        Question answer = ask_for_both(state, name, port);
        if (answer || answer.error() == DnsFailure::kUnavailable) return answer;
        if (answer.error() == DnsFailure::kNoAddress) failure = DnsFailure::kNoAddress;
    }
    return std::unexpected(failure);
}

}  // namespace gatepost::net
