// What happens to messages that arrive at the sink: shown to a reader, stored for a test. Blocks on files;
// one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "tests/bench/sink_session.h"

namespace gatepost::bench {

/// Prints each message to standard output in a form pleasant to read.
[[nodiscard]] std::unique_ptr<MessageTaker> make_show_taker();

/// Writes NNNN.env (one line of JSON), then NNNN.eml (exact octets) into `folder`, which is made when
/// missing. Numbers go on behind those already there; each file appears whole.
[[nodiscard]] std::unique_ptr<MessageTaker> make_store_taker(const std::filesystem::path& folder);

/// Hands each message to all of `takers`, in order.
[[nodiscard]] std::unique_ptr<MessageTaker> make_all_taker(std::vector<std::unique_ptr<MessageTaker>> takers);

}  // namespace gatepost::bench
