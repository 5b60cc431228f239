// Replays a transcript against a Conversation, without a socket, a clock or a thread, and says where the
// conversation did something else than the story tells.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tests/runners/transcript.h"

namespace gatepost::test {

/// How the octets of one block (what a client or an upstream sends at once) arrive: the lengths of its
/// pieces, which add up to `size`. `begin` counts the octets of all blocks before it.
using Delivery = std::function<std::vector<std::size_t>(std::size_t begin, std::size_t size)>;

struct Replayed {
    std::vector<std::string> differences;  ///< empty = the story was told as it is written
    std::vector<std::size_t> blocks;       ///< the sizes of all blocks that were delivered
};

[[nodiscard]] Replayed replay(const Transcript& transcript, const Delivery& delivery);

/// Every block in one piece.
[[nodiscard]] Delivery whole();

}  // namespace gatepost::test
