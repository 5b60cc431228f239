// Runs one input through a parser as a whole, cut in two at every octet, and octet by octet, and demands the
// same story each time. Each piece is copied into memory of its own size, so that ASan sees a look behind it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/base/bytes.h"
#include "proxy/base/printable.h"

namespace gatepost::test {

using Pieces = std::vector<ByteView>;

/// Octets not consumed yet, moved to fresh memory whenever they change.
class Pending {
  public:
    void add(ByteView octets) { octets_.insert(octets_.end(), octets.begin(), octets.end()), renew(); }
    void consume(std::size_t count) {
        ASSERT_LE(count, octets_.size()) << "consumed more than there was";
        octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(count));
        renew();
    }
    [[nodiscard]] ByteView view() const { return {octets_.data(), octets_.size()}; }

  private:
    void renew() { std::vector<char>(octets_.begin(), octets_.end()).swap(octets_); }
    std::vector<char> octets_;
};

/// `tell` feeds the pieces to a fresh parser and tells what it said. Returns the story of the whole.
inline std::string story_at_every_split(ByteView octets,
                                        const std::function<std::string(const Pieces&)>& tell) {
    const std::string whole = tell({octets});
    for (std::size_t cut = 1; cut < octets.size(); ++cut) {
        const std::string story = tell({octets.substr(0, cut), octets.substr(cut)});
        if (story == whole) continue;
        ADD_FAILURE() << "cut before octet " << cut << " of \"" << printable(octets, 400) << "\":\n  "
                      << story << "\nas a whole:\n  " << whole;
        return whole;
    }
    Pieces single;
    for (std::size_t i = 0; i < octets.size(); ++i) single.push_back(octets.substr(i, 1));
    EXPECT_EQ(tell(single), whole) << "octet by octet: \"" << printable(octets, 400) << '"';
    return whole;
}

}  // namespace gatepost::test
