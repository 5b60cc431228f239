// Octets that wait to be sent. Holds no memory while empty. On the thread of its owner.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "proxy/base/bytes.h"

namespace gatepost::net {

class OutBuffer {
  public:
    void append(ByteView octets) { octets_.append(octets); }

    /// Valid until the next append(), consume() or clear().
    [[nodiscard]] ByteView pending() const noexcept { return ByteView(octets_).substr(sent_); }
    [[nodiscard]] std::size_t size() const noexcept { return octets_.size() - sent_; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    /// Forgets the first `count` octets; moves the rest down only when most of the memory is spent.
    void consume(std::size_t count) {
        sent_ += count;
        if (sent_ == octets_.size()) {
            clear();
        } else if (sent_ > octets_.size() / 2) {
            octets_.erase(0, std::exchange(sent_, 0));
        }
    }

    void clear() noexcept {
        std::string().swap(octets_);
        sent_ = 0;
    }

  private:
    std::string octets_;
    std::size_t sent_ = 0;
};

}  // namespace gatepost::net
