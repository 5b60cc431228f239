// What MAIL and RCPT say is sent on in a form that says the same when it is read again, and as one line.
#include "proxy/smtp/command.h"
#include "proxy/smtp/parameters.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gatepost;

const smtp::Capabilities kEverything{.esmtp = true,
                                     .pipelining = true,
                                     .eight_bit_mime = true,
                                     .smtputf8 = true,
                                     .dsn = true,
                                     .chunking = true,
                                     .enhanced_status_codes = true,
                                     .starttls = false,
                                     .size = true,
                                     .size_limit = 0,
                                     .auth_mechanisms = {},
                                     .xclient = {}};

/// The command for the upstream, without its line end; "" when the client is refused.
std::string encoded(const smtp::Command& command) {
    std::string out;
    if (command.verb == smtp::Verb::kMail) {
        if (const auto mail = smtp::parse_mail(command.argument))
            smtp::append_mail(out, *mail, kEverything, 0);
    }
    if (command.verb == smtp::Verb::kRcpt) {
        if (const auto rcpt = smtp::parse_rcpt(command.argument)) smtp::append_rcpt(out, *rcpt, kEverything);
    }
    if (out.empty()) return out;
    fuzz::require(out.ends_with("\r\n"), "a command is a whole line");
    out.resize(out.size() - 2);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const smtp::Command command = smtp::parse_command(fuzz::octets(data, size));
    (void)smtp::parse_chunk(command.argument);
    if (command.has_controls) return 0;  // never obeyed
    const std::string once = encoded(command);
    fuzz::require(once.find_first_of("\r\n") == std::string::npos && once.find('\0') == std::string::npos,
                  "no line end and no NUL of the client reaches an upstream");
    if (!once.empty())
        fuzz::require(encoded(smtp::parse_command(once)) == once, "reading again says the same");
    return 0;
}
