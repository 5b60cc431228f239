#include "proxy/smtp/capabilities.h"

#include <algorithm>
#include <charconv>

#include "proxy/smtp/command.h"

namespace gatepost::smtp {

Capabilities Capabilities::intersect(const Capabilities& other) const {
    Capabilities both;
    both.esmtp = esmtp && other.esmtp;
    both.pipelining = pipelining && other.pipelining;
    both.eight_bit_mime = eight_bit_mime && other.eight_bit_mime;
    both.smtputf8 = smtputf8 && other.smtputf8;
    both.dsn = dsn && other.dsn;
    both.chunking = chunking && other.chunking;
    both.enhanced_status_codes = enhanced_status_codes && other.enhanced_status_codes;
    both.starttls = starttls && other.starttls;
    both.size = size || other.size;
    both.size_limit = size_limit == 0         ? other.size_limit
                      : other.size_limit == 0 ? size_limit
                                              : std::min(size_limit, other.size_limit);
    if (xclient == other.xclient) both.xclient = xclient;
    if (auth_mechanisms == other.auth_mechanisms) both.auth_mechanisms = auth_mechanisms;
    return both;
}

void Capabilities::add_line(ByteView line) {
    ByteView rest = trim(line);
    const ByteView keyword = take_word(rest);
    const auto is = [&](ByteView name) { return equal_ignoring_case(keyword, name); };
    if (is("PIPELINING")) pipelining = true;
    if (is("8BITMIME")) eight_bit_mime = true;
    if (is("SMTPUTF8")) smtputf8 = true;
    if (is("DSN")) dsn = true;
    if (is("CHUNKING")) chunking = true;
    if (is("ENHANCEDSTATUSCODES")) enhanced_status_codes = true;
    if (is("STARTTLS")) starttls = true;
    if (is("AUTH")) auth_mechanisms = rest;
    if (is("XCLIENT")) xclient = rest;
    if (is("SIZE")) {
        size = true;
        std::uint64_t limit = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), limit);
        if (error == std::errc() && end == rest.data() + rest.size()) size_limit = limit;
    }
}

}  // namespace gatepost::smtp
