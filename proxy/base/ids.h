// Names by which asynchronous answers find their way home: ids, never pointers. Any thread.
#pragma once

#include <compare>
#include <cstdint>

namespace gatepost {

/// One client connection of one worker. Never reused while the process lives, so a late answer cannot reach a
/// stranger.
struct ConnectionId {
    std::uint64_t value = 0;
    auto operator<=>(const ConnectionId&) const = default;
};

}  // namespace gatepost
