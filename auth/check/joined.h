// Puts the parts of a record together without leaving a copy behind. Any thread.
#pragma once

#include <initializer_list>

#include "proxy/base/secret.h"

namespace gatepost::auth {

[[nodiscard]] inline Secret joined(std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (const ByteView part : parts) size += part.size();
    const auto buffer = std::make_unique<char[]>(size);
    std::size_t at = 0;
    for (const ByteView part : parts) {
        part.copy(buffer.get() + at, part.size());
        at += part.size();
    }
    Secret whole(ByteView(buffer.get(), size));
    wipe(buffer.get(), size);
    return whole;
}

}  // namespace gatepost::auth
