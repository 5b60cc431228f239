// Who is refused now because of too many wrong passwords, as far as this process has seen: the blocks that it
// saw begin, and those by which it refused somebody. A store of counts is never looked through for it. Never
// locks: who owns it does.
#pragma once

#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "conf/metrics.h"
#include "proxy/base/clock.h"

namespace gatepost::observe {

class AuthBlocks {
  public:
    /// More are not remembered at a time.
    static constexpr std::size_t kMost = 65'536;

    /// What is counted under `key` refuses until then. What was said of the same key before is forgotten.
    void note(conf::GuessingScope scope, std::string_view key, TimePoint now, TimePoint until);
    void forget(std::string_view key);

    [[nodiscard]] std::size_t active(conf::GuessingScope scope, TimePoint now);

  private:
    struct Block {
        conf::GuessingScope scope;
        TimePoint until;
    };
    using Blocks = std::unordered_map<std::string, Block>;

    void drop_ended(TimePoint now);
    void drop(Blocks::const_iterator block);

    Blocks blocks_;
    std::set<std::pair<TimePoint, const std::string*>> ends_;  ///< keys of blocks_, the first to end first
    std::array<std::size_t, conf::kGuessingScopeNames.size()> counts_{};
};

}  // namespace gatepost::observe
