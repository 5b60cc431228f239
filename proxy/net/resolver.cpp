#include "proxy/net/resolver.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <netdb.h>
#include <system_error>
#include <utility>

namespace gatepost::net {

BackgroundThread::BackgroundThread() : thread_([this] { run(); }) {}

BackgroundThread::~BackgroundThread() {
    {
        const std::lock_guard hold(lock_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
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

Result<Addresses> resolve_now(const std::string& host_and_port) {
    if (const auto numeric = numeric_endpoint(host_and_port)) return Addresses{*numeric};
    const auto endpoint = parse_endpoint(host_and_port);
    if (!endpoint) return fail("\"" + host_and_port + "\" is not host:port, [IPv6]:port or unix:/path");
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(endpoint->port);
    int status = ::getaddrinfo(endpoint->host.c_str(), port.c_str(), &hints, &found);
    const int error = errno;
    // A machine or container with nothing but loopback has no "configured" address family.
    if (status == EAI_NONAME || status == EAI_ADDRFAMILY || status == EAI_NODATA) {
        hints.ai_flags = AI_NUMERICSERV;
        status = ::getaddrinfo(endpoint->host.c_str(), port.c_str(), &hints, &found);
    }
    if (status != 0) {
        const std::string reason = status == EAI_SYSTEM ? std::generic_category().message(error)
                                                        : std::string(::gai_strerror(status));
        return fail("cannot resolve " + endpoint->host + ": " + reason);
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    Addresses addresses;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        const auto address = SocketAddress::from_sockaddr(one->ai_addr, one->ai_addrlen);
        if (address.is_ip() && std::ranges::find(addresses, address) == addresses.end())
            addresses.push_back(address);
    }
    if (addresses.empty()) return fail("cannot resolve " + endpoint->host + ": no IPv4 or IPv6 address");
    return addresses;
}

void Resolver::resolve(std::string host_and_port, Executor& home, Answer answer) {
    if (const auto numeric = numeric_endpoint(host_and_port)) {
        home.post([answer = std::move(answer), address = *numeric]() mutable { answer(Addresses{address}); });
        return;
    }
    background_.post([name = std::move(host_and_port), &home, answer = std::move(answer)]() mutable {
        home.post(
            [answer = std::move(answer), found = resolve_now(name)]() mutable { answer(std::move(found)); });
    });
}

}  // namespace gatepost::net
