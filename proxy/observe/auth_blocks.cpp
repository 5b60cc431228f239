#include "proxy/observe/auth_blocks.h"

namespace gatepost::observe {

void AuthBlocks::note(conf::GuessingScope scope, std::string_view key, TimePoint now, TimePoint until) {
    forget(key);
    drop_ended(now);
    if (until <= now || blocks_.size() >= kMost) return;
    const auto [block, is_new] = blocks_.emplace(key, Block{.scope = scope, .until = until});
    ends_.emplace(until, &block->first);
    ++counts_[static_cast<std::size_t>(scope)];
}

void AuthBlocks::forget(std::string_view key) {
    const auto block = blocks_.find(std::string(key));
    if (block != blocks_.end()) drop(block);
}

std::size_t AuthBlocks::active(conf::GuessingScope scope, TimePoint now) {
    drop_ended(now);
    return counts_[static_cast<std::size_t>(scope)];
}

void AuthBlocks::drop_ended(TimePoint now) {
    while (!ends_.empty() && ends_.begin()->first <= now) drop(blocks_.find(*ends_.begin()->second));
}

void AuthBlocks::drop(Blocks::const_iterator block) {
    ends_.erase({block->second.until, &block->first});
    --counts_[static_cast<std::size_t>(block->second.scope)];
    blocks_.erase(block);
}

}  // namespace gatepost::observe
