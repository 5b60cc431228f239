#include "tests/bench/load_options.h"

#include <cstdlib>
#include <fstream>

namespace gatepost::bench {

const std::string_view kLoadUsage =
    R"(gatepost-load: a closed-loop SMTP client; each reply is checked. Prints one JSON line.

  --target HOST:PORT          HOST is an IPv4 address
  --tls none|starttls|implicit        TLS 1.3, X25519; certificates are not verified
  --user NAME  --password-file FILE | --password-env NAME      AUTH PLAIN in each session
  --seconds S | --sessions N  how long, or how many operations, after --warmup S (default 1)
  --concurrency C             sessions at a time (default 64)
  --messages-per-session M    (default 1); with more than one, an operation is a message, else a session
  --rate N                    messages a second, of all sessions together, each timed from when it is due
  --size OCTETS               of a message (default 4096)
  --pipeline                  MAIL, RCPT and DATA in one write
  --idle N                    open N sessions, log in, hold them, measure memory, QUIT
  --pid PID                   the server: CPU time and memory of its whole process tree are measured
)";

namespace {

using Error = std::string;

std::expected<double, Error> number(std::string_view option, const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || value < 0)
        return std::unexpected(std::string(option) + " wants a number");
    return value;
}

std::expected<void, Error> set_target(LoadOptions& options, const std::string& value) {
    const std::size_t colon = value.rfind(':');
    const auto port = number("--target", colon == std::string::npos ? "" : value.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return std::unexpected("--target wants HOST:PORT");
    options.host = value.substr(0, colon);
    options.port = static_cast<std::uint16_t>(*port);
    return {};
}

std::expected<void, Error> set_tls(LoadOptions& options, std::string_view value) {
    if (value == "none")
        options.tls = LoadTls::kNone;
    else if (value == "starttls")
        options.tls = LoadTls::kStartTls;
    else if (value == "implicit")
        options.tls = LoadTls::kImplicit;
    else
        return std::unexpected("--tls is none, starttls or implicit");
    return {};
}

std::expected<void, Error> set_password(LoadOptions& options, std::string_view name,
                                        const std::string& value) {
    if (name == "--password-env") {
        const char* password = std::getenv(value.c_str());
        if (password == nullptr) return std::unexpected("no variable " + value);
        options.password = password;
        return {};
    }
    std::ifstream file(value);
    if (!std::getline(file, options.password)) return std::unexpected("cannot read " + value);
    return {};
}

std::expected<void, Error> set_number(LoadOptions& options, std::string_view name, const std::string& text) {
    const auto value = number(name, text);
    if (!value) return std::unexpected(value.error());
    if (name == "--sessions")
        options.operations = static_cast<std::uint64_t>(*value);
    else if (name == "--seconds")
        options.seconds = *value;
    else if (name == "--warmup")
        options.warmup = *value;
    else if (name == "--rate")
        options.rate = *value;
    else if (name == "--concurrency")
        options.concurrency = static_cast<unsigned>(*value);
    else if (name == "--messages-per-session")
        options.messages_per_session = static_cast<unsigned>(*value);
    else if (name == "--size")
        options.size = static_cast<std::size_t>(*value);
    else if (name == "--idle")
        options.idle = static_cast<unsigned>(*value);
    else if (name == "--pid")
        options.pid = static_cast<pid_t>(*value);
    else
        return std::unexpected("unknown option " + std::string(name));
    return {};
}

std::expected<void, Error> set_value(LoadOptions& options, std::string_view name, const std::string& value) {
    if (name == "--target") return set_target(options, value);
    if (name == "--tls") return set_tls(options, value);
    if (name == "--password-env" || name == "--password-file") return set_password(options, name, value);
    if (name != "--user") return set_number(options, name, value);
    options.user = value;
    return {};
}

}  // namespace

std::expected<LoadOptions, std::string> parse_load_options(std::span<char* const> arguments) {
    LoadOptions options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view name = arguments[i];
        if (name == "--pipeline") {
            options.pipeline = true;
        } else if (name == "--help") {
            options.help = true;
        } else if (i + 1 == arguments.size()) {
            return std::unexpected("unknown option or missing value: " + std::string(name));
        } else if (const auto set = set_value(options, name, arguments[++i]); !set) {
            return std::unexpected(set.error());
        }
    }
    if (!options.help && options.port == 0) return std::unexpected("--target is missing");
    if (options.concurrency == 0 || options.messages_per_session == 0)
        return std::unexpected("--concurrency and --messages-per-session are at least 1");
    return options;
}

}  // namespace gatepost::bench
