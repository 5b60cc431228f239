#include "proxy/net/resolver.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <utility>

#include "proxy/net/dns_query.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::net {

namespace {

using namespace std::chrono_literals;

constexpr Duration kShortestTtl = 1s;
constexpr Duration kLongestTtl = 300s;
/// Nobody says how long an entry of /etc/hosts holds, and asking again is to read a small file.
constexpr Duration kTtlOfThisMachine = 10s;

/// While it lives, getaddrinfo() of this thread finds no DNS server: it answers from /etc/hosts and from what
/// else /etc/nsswitch.conf names, and at once.
class WithoutDns {
  public:
    WithoutDns() {
        ::res_init();
        servers_ = std::exchange(_res.nscount, 0);
    }
    ~WithoutDns() { _res.nscount = servers_; }
    WithoutDns(const WithoutDns&) = delete;
    WithoutDns& operator=(const WithoutDns&) = delete;

  private:
    int servers_ = 0;
};

/// Empty when it does not know. Other services than the DNS that nsswitch.conf names (mDNS, LDAP) tell no TTL
/// either, and count as this machine.
Addresses ask_this_machine(const Endpoint& endpoint) {
    const WithoutDns dns_is_asked_later;
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(endpoint.port);
    int status = ::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
    // A machine or container with nothing but loopback has no "configured" address family.
    if (status != 0) {
        hints.ai_flags = AI_NUMERICSERV;
        status = ::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
    }
    if (status != 0) return {};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    Addresses addresses;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        const auto address = SocketAddress::from_sockaddr(one->ai_addr, one->ai_addrlen);
        if (address.is_ip()) addresses.push_back(address);
    }
    return addresses;
}

/// Nothing is sent: connect() of a datagram socket only looks for the route.
bool has_route(const SocketAddress& address) {
    const UniqueFd socket(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t size = address.to_sockaddr(storage);
    return socket && ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0;
}

/// A machine without IPv6 need not try the addresses of a name that has both. Where neither can be reached,
/// the network is down, and that is for others to find out.
Addresses without_unreachable_family(Addresses addresses) {
    const auto reaches = [&addresses](int family) {
        return std::ranges::any_of(addresses, [family](const SocketAddress& address) {
            return address.family() == family && has_route(address);
        });
    };
    const bool reaches_v4 = reaches(AF_INET);
    const bool reaches_v6 = reaches(AF_INET6);
    if (reaches_v4 != reaches_v6) {
        std::erase_if(addresses, [left_out = reaches_v4 ? AF_INET6 : AF_INET](const SocketAddress& address) {
            return address.family() == left_out;
        });
    }
    return addresses;
}

ResolveError to_error(DnsFailure failure, const std::string& host) {
    const std::string beginning = "cannot resolve " + host + ": ";
    switch (failure) {
        case DnsFailure::kNoSuchName: return {ResolveFailure::kNoSuchName, beginning + "no such name"};
        case DnsFailure::kNoAddress:
            return {ResolveFailure::kNoSuchName, beginning + "the name has no address"};
        case DnsFailure::kUnavailable:
        case DnsFailure::kMalformed: break;
    }
    return {ResolveFailure::kUnavailable, beginning + "the DNS gives no answer"};
}

std::optional<Resolved> numeric_answer(const std::string& host_and_port) {
    const auto address = numeric_endpoint(host_and_port);
    if (!address) return std::nullopt;
    return Resolved{.addresses = {*address}, .ttl = Duration::max()};
}

}  // namespace

BackgroundThread::BackgroundThread() : thread_([this] { run(); }) {}

BackgroundThread::~BackgroundThread() {
    stop();
}

void BackgroundThread::stop() {
    {
        const std::lock_guard hold(lock_);
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void BackgroundThread::post(Task task) {
    {
        const std::lock_guard hold(lock_);
        tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
}

void BackgroundThread::run() {
    while (true) {
        Task task;
        {
            std::unique_lock hold(lock_);
            changed_.wait(hold, [this] { return stopping_ || !tasks_.empty(); });
            if (stopping_) return;
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        task();
    }
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    if (text.starts_with("unix:")) {
        if (!SocketAddress::parse(text)) return std::nullopt;
        return Endpoint{.host = std::string(text), .port = 0};
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    const std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || port == 0)
        return std::nullopt;
    const bool is_v6 = host.starts_with('[');
    if (is_v6 && !SocketAddress::from_ip(host, port)) return std::nullopt;
    if (!is_v6 && host.find_first_of(":[] \t/") != std::string_view::npos) return std::nullopt;
    return Endpoint{.host = std::string(host), .port = port};
}

std::optional<SocketAddress> numeric_endpoint(std::string_view text) {
    if (!parse_endpoint(text)) return std::nullopt;
    return SocketAddress::parse(text);
}

Duration clamp_ttl(Duration ttl) {
    return ttl == Duration::max() ? ttl : std::clamp(ttl, kShortestTtl, kLongestTtl);
}

Resolved in_order(Addresses addresses, Duration ttl) {
    std::ranges::sort(addresses, [](const SocketAddress& one, const SocketAddress& other) {
        if (one.family() != other.family()) return one.family() == AF_INET6;
        // As views, octets compare unsigned.
        const auto order = one.ip_octets() <=> other.ip_octets();
        return order != 0 ? order < 0 : one < other;
    });
    const auto doubles = std::ranges::unique(addresses);
    addresses.erase(doubles.begin(), doubles.end());
    const bool is_cut = addresses.size() > kMostAddresses;
    if (is_cut) addresses.resize(kMostAddresses);
    return {.addresses = std::move(addresses), .ttl = ttl, .is_cut = is_cut};
}

Resolution resolve_now(const std::string& host_and_port, DnsObserver* observer) {
    if (auto numeric = numeric_answer(host_and_port)) return std::move(*numeric);
    const auto endpoint = parse_endpoint(host_and_port);
    if (!endpoint) {
        return std::unexpected(
            ResolveError{.failure = ResolveFailure::kNoSuchName,
                         .message = "\"" + host_and_port + "\" is not host:port, [IPv6]:port or unix:/path"});
    }
    if (Addresses local = ask_this_machine(*endpoint); !local.empty())
        return in_order(std::move(local), kTtlOfThisMachine);
    auto answer = ask_dns(endpoint->host, endpoint->port, observer);
    if (!answer) return std::unexpected(to_error(answer.error(), endpoint->host));
    Resolved resolved = in_order(without_unreachable_family(std::move(answer->addresses)), answer->ttl);
    resolved.is_cut = resolved.is_cut || answer->is_cut;
    resolved.lacks_v6 = answer->lacks_v6;
    return resolved;
}

void Resolver::resolve(std::string host_and_port, Executor& home, Answer answer) {
    if (auto numeric = numeric_answer(host_and_port)) {
        home.post([answer = std::move(answer), found = std::move(*numeric)]() mutable {
            answer(std::move(found));
        });
        return;
    }
    background_.post(
        [name = std::move(host_and_port), &home, answer = std::move(answer), observer = observer_]() mutable {
            home.post([answer = std::move(answer), found = resolve_now(name, observer)]() mutable {
                answer(std::move(found));
            });
        });
}

}  // namespace gatepost::net
