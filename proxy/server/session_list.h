// Sessions of all workers, as operators ask for them: the words of a filter, whom it means, and the list as
// lines of words with tabs between. Pure, but for gathering, which is the main thread's.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/executor.h"
#include "proxy/base/result.h"
#include "proxy/server/operations.h"

namespace gatepost::server {

class Worker;

/// From "user=alice", "ip=192.0.2.1", "listener=submission", "session=5x-0-1": each at most once.
/// ip= may be a network, "192.0.2.0/24".
[[nodiscard]] Result<SessionFilter> parse_filter(std::span<const std::string> words);

/// For people: "user alice, ip 192.0.2.1", or "all".
[[nodiscard]] std::string filter_text(const SessionFilter& filter);

[[nodiscard]] bool is_empty(const SessionFilter& filter);
[[nodiscard]] bool fits(const SessionFilter& filter, const SessionRow& row);

/// The first line of a list, and the last one when there are more than are told.
inline constexpr std::string_view kSessionColumns =
    "session\tlistener\tip\tuser\thelo\ttls\tphase\tupstream\tage\tmessages\treceived\tsent\t"
    "mechanism\tbackend";
inline constexpr std::string_view kMoreSessions = "more";

/// Lines in that order, the oldest session first; "-" for nothing, `age` in seconds. What clients said is
/// printable. At most about `most` octets.
[[nodiscard]] std::string session_table(std::vector<SessionRow> rows,
                                        std::size_t most = std::size_t{16} * 1024 * 1024);

using Workers = std::vector<std::unique_ptr<Worker>>;

/// Asks all workers; `told` on `home` once all have answered. A worker that has stopped never answers.
void gather_sessions(const Workers& workers, Executor& home, const SessionFilter& filter,
                     std::function<void(std::vector<SessionRow>)> told);
void kick_sessions(const Workers& workers, Executor& home, const SessionFilter& filter,
                   std::function<void(std::size_t)> told);

}  // namespace gatepost::server
