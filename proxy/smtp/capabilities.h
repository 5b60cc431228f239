// What an SMTP service can do, as its EHLO reply says it (RFC 5321 section 4.1.1.1), and what two sides can
// really do together. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proxy/base/bytes.h"

namespace gatepost::smtp {

struct Capabilities {
    bool esmtp = false;  ///< answered EHLO; false = HELO only
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool smtputf8 = false;
    bool dsn = false;
    bool chunking = false;
    bool enhanced_status_codes = false;
    bool starttls = false;
    bool size = false;             ///< SIZE announced
    std::uint64_t size_limit = 0;  ///< octets; 0 = no fixed limit was announced
    std::string auth_mechanisms;   ///< as announced, blank-separated
    std::string xclient;           ///< the attributes of XCLIENT, likewise; empty = not announced
    bool operator==(const Capabilities&) const = default;

    /// What a message can use that may go to either of two services.
    [[nodiscard]] Capabilities intersect(const Capabilities& other) const;

    /// Takes one line of an EHLO reply (without code and line end); unknown keywords are ignored.
    void add_line(ByteView line);
};

}  // namespace gatepost::smtp
