// The command line of the sink as values. Never touches sockets or files.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tests/bench/sink_settings.h"

namespace gatepost::bench {

struct SinkOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0 = a free one.
    bool show = false;
    std::filesystem::path store;        ///< empty = off
    std::filesystem::path wire;         ///< empty = off
    std::filesystem::path certificate;  ///< with `key`: STARTTLS is offered; empty = it is not
    std::filesystem::path key;
    std::uint64_t read_rate = 0;  ///< octets a second and connection; 0 = as fast as they come
    bool help = false;
    SinkSettings settings;
};

extern const std::string_view kSinkUsage;

/// `arguments` without the program's name. The error is one sentence.
[[nodiscard]] std::expected<SinkOptions, std::string> parse_sink_options(std::span<char* const> arguments);

}  // namespace gatepost::bench
