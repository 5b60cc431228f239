#include "proxy/smtp/received.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace gatepost::smtp {
namespace {

std::string host_octets(ByteView name) {
    constexpr ByteView kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
    std::string shown(name.substr(0, 255));
    for (char& c : shown) {
        if (kAllowed.find(c) == ByteView::npos) c = '?';
    }
    return shown.empty() ? "unknown" : shown;
}

/// 255 octets, which is what names have at most, are 765 here: the line stays below 998.
std::string escaped_user(ByteView user) {
    constexpr ByteView kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&'*+-/=?^_`{|}~.@";
    constexpr ByteView kHex = "0123456789ABCDEF";
    std::string shown;
    for (const char c : user.substr(0, 255)) {
        if (kAllowed.contains(c)) {
            shown += c;
            continue;
        }
        const auto value = static_cast<unsigned char>(c);
        shown += '%';
        shown += kHex[value >> 4];
        shown += kHex[value & 15];
    }
    return shown;
}

std::string protocol(const TraceFacts& facts) {
    if (!facts.esmtp) return "SMTP";
    std::string with = facts.smtputf8 ? "UTF8SMTP" : "ESMTP";
    if (facts.tls) with += 'S';
    if (facts.authenticated) with += 'A';
    return with;
}

}  // namespace

std::string message_date(WallTime time) {
    constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    std::array<char, 48> text{};
    const int length =
        std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d +0000",
                      kDays.at(std::chrono::weekday(day).c_encoding()), static_cast<unsigned>(date.day()),
                      kMonths.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
                      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                      static_cast<int>(clock.seconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::string received_field(const TraceFacts& facts) {
    const bool v6 = facts.client_address.find(':') != ByteView::npos;
    std::string field = "Received: from ";
    field += host_octets(facts.greeting_name);
    field += v6 ? " ([IPv6:" : " ([";
    field += facts.client_address;
    field += "])\r\n\t";
    if (!facts.user.empty()) field += "(authenticated as " + escaped_user(facts.user) + ")\r\n\t";
    field += "by ";
    field += facts.our_name;
    field += " with ";
    field += protocol(facts);
    field += " id ";
    field += facts.session_id;
    field += ";\r\n\t";
    field += message_date(facts.time);
    field += kCrlf;
    return field;
}

}  // namespace gatepost::smtp
