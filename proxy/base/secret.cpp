#include "proxy/base/secret.h"

#include <algorithm>
#include <string.h>
#include <utility>

namespace gatepost {

void wipe(void* memory, std::size_t size) noexcept {
    if (memory != nullptr && size > 0) ::explicit_bzero(memory, size);
}

bool equal_in_constant_time(ByteView left, ByteView right) noexcept {
    unsigned difference = left.size() == right.size() ? 0U : 1U;
    const std::size_t size = std::min(left.size(), right.size());
    for (std::size_t i = 0; i < size; ++i) {
        difference |= static_cast<unsigned char>(left[i]) ^ static_cast<unsigned char>(right[i]);
    }
    return difference == 0;
}

Secret::Secret(ByteView octets) : octets_(std::make_unique<char[]>(octets.size())), size_(octets.size()) {
    std::ranges::copy(octets, octets_.get());
}

void Secret::clear() noexcept {
    wipe(octets_.get(), size_);
    octets_.reset();
    size_ = 0;
}

void Secret::swap(Secret& other) noexcept {
    std::swap(octets_, other.octets_);
    std::swap(size_, other.size_);
}

}  // namespace gatepost
