// What the fuzz targets share: the input as octets, an invariant that ends the run when it is broken, and
// ways to cut the input into pieces, so that each seed is readable octets and nothing else.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "proxy/base/bytes.h"

namespace gatepost::fuzz {

inline ByteView octets(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Says what was promised and ends the run.
inline void require(bool held, const char* promise) {
    if (held) return;
    std::fprintf(stderr, "broken: %s\n", promise);
    std::abort();
}

/// Where pieces of at most `most` octets end.
inline std::vector<std::size_t> cut_every(std::size_t most, std::size_t size) {
    std::vector<std::size_t> ends;
    for (std::size_t end = 0; end < size;) ends.push_back(end = std::min(size, end + most));
    return ends;
}

/// Feeds `input` to `tell(view)`, which returns how much it consumed, showing again what it left; stops when
/// it returns npos.
template <typename Tell>
void feed(ByteView input, std::size_t most, Tell tell) {
    std::size_t done = 0;
    for (const std::size_t end : cut_every(most, input.size())) {
        // Memory of its own size, so that ASan sees a look behind it.
        const std::vector<char> view(input.begin() + static_cast<std::ptrdiff_t>(done),
                                     input.begin() + static_cast<std::ptrdiff_t>(end));
        const std::size_t consumed = tell(ByteView(view.data(), view.size()));
        if (consumed == ByteView::npos) return;
        require(consumed <= view.size(), "no more is consumed than was shown");
        done += consumed;
    }
}

}  // namespace gatepost::fuzz
