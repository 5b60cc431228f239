// The command line of the load tool as values. Reads the password file, nothing else.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace gatepost::bench {

enum class LoadTls { kNone, kStartTls, kImplicit };

struct LoadOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    LoadTls tls = LoadTls::kNone;
    std::string user;  ///< empty = no AUTH
    std::string password;
    std::uint64_t operations = 0;  ///< stop after so many measured ones; 0 = by time
    double seconds = 3;
    double warmup = 1;  ///< seconds before anything is measured
    double rate = 0;    ///< messages a second of all sessions together; 0 = each follows the last reply
    unsigned concurrency = 64;
    unsigned messages_per_session = 1;
    std::size_t size = 4096;
    bool pipeline = false;
    unsigned idle = 0;  ///< open so many sessions, hold them and measure memory; 0 = off
    pid_t pid = 0;      ///< the process under test; 0 = none
    bool help = false;
};

extern const std::string_view kLoadUsage;

/// `arguments` without the program's name. The error is one sentence.
[[nodiscard]] std::expected<LoadOptions, std::string> parse_load_options(std::span<char* const> arguments);

}  // namespace gatepost::bench
