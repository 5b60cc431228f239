#include "proxy/smtp/xclient.h"

#include <algorithm>
#include <cstddef>

#include "proxy/base/bytes.h"
#include "proxy/base/xtext.h"
#include "proxy/smtp/command.h"

namespace gatepost::smtp {
namespace {

constexpr std::string_view kUnavailable = "[UNAVAILABLE]";
constexpr std::string_view kTemporarilyUnavailable = "[TEMPUNAVAIL]";
constexpr std::size_t kMaxCommand = 512;
/// As it stands in the command: Postfix answers 501 to a longer one.
constexpr std::size_t kMaxValue = 255;
constexpr std::size_t kMaxLabel = 63;

std::string known_or_unavailable(std::string_view text) {
    return std::string(text.empty() || text.size() > kMaxValue ? kUnavailable : text);
}

std::string port_value(std::uint16_t port) {
    return known_or_unavailable(port == 0 ? "" : std::to_string(port));
}

/// What is no IP address (a unix socket's "unix") is not known.
std::string address_value(std::string_view address) {
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) {
        return std::string(kUnavailable);
    }
    if (address.find(':') != std::string_view::npos) return "IPV6:" + std::string(address);
    return known_or_unavailable(address);
}

bool is_label(std::string_view label) {
    const auto may_stand = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '_';
    };
    return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' && label.back() != '-' &&
           std::ranges::all_of(label, may_stand);
}

/// Names in the DNS can be anything, and Postfix answers 501 to one that no host can have.
bool is_host_name(std::string_view name) {
    if (name.find_first_not_of("0123456789.") == std::string_view::npos) return false;
    for (std::string_view rest = name;;) {
        const std::size_t dot = rest.find('.');
        if (!is_label(rest.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        rest.remove_prefix(dot + 1);
    }
}

Result<std::string> login_value(std::string_view announced, std::string_view login) {
    if (login.empty()) return std::string(kUnavailable);
    if (!can_tell_login(announced)) return fail("the upstream does not announce LOGIN for XCLIENT");
    // Decoded it would be the same octets, and so nobody.
    if (equal_ignoring_case(login, kUnavailable) || equal_ignoring_case(login, kTemporarilyUnavailable)) {
        return fail("the user name means \"nobody\" in XCLIENT");
    }
    std::string value = xtext_encode(login);
    if (value.size() > kMaxValue) return fail("the user name is too long for XCLIENT");
    return value;
}

}  // namespace

bool can_tell_client(std::string_view announced) {
    return has_word(announced, "ADDR");
}

bool can_tell_login(std::string_view announced) {
    return has_word(announced, "LOGIN");
}

Result<std::string> xclient_command(std::string_view announced, const XclientFacts& facts) {
    if (!can_tell_client(announced)) return fail("the upstream does not announce ADDR for XCLIENT");
    const auto login = login_value(announced, facts.login);
    if (!login) return std::unexpected(login.error());
    std::string name = known_or_unavailable(is_host_name(facts.name) ? facts.name : "");
    std::string helo = known_or_unavailable(xtext_encode(facts.helo));

    const auto command = [&] {
        std::string line = "XCLIENT";
        const auto add = [&](std::string_view attribute, std::string_view value) {
            if (has_word(announced, attribute)) line.append(" ").append(attribute).append("=").append(value);
        };
        add("NAME", name);
        add("PORT", port_value(facts.port));
        add("PROTO", facts.esmtp ? "ESMTP" : "SMTP");
        add("HELO", helo);
        add("LOGIN", *login);
        add("DESTADDR", address_value(facts.destination_address));
        add("DESTPORT", port_value(facts.destination_port));
        add("ADDR", address_value(facts.address));
        line += kCrlf;
        return line;
    };
    std::string line = command();
    // Without the two the longest is 450 octets. HELO goes first: what a client calls himself is worth less.
    for (std::string* const dropped : {&helo, &name}) {
        if (line.size() <= kMaxCommand) break;
        *dropped = kUnavailable;
        line = command();
    }
    return line;
}

Result<std::string> xclient_login(std::string_view announced, std::string_view login) {
    // Not even "nobody" may be left unsaid: the connection may still be somebody else's.
    if (!can_tell_login(announced)) return fail("the upstream does not announce LOGIN for XCLIENT");
    const auto value = login_value(announced, login);
    if (!value) return std::unexpected(value.error());
    return "XCLIENT LOGIN=" + *value + "\r\n";
}

}  // namespace gatepost::smtp
