// The commands `limits …` of the admin socket: operators look into the counts of limits and of guesses, and
// forget them. Answers are lines of words with tabs between, for programs: `gatepost limits` makes them
// readable. The main loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/event_loop.h"
#include "proxy/observe/admin_socket.h"
#include "proxy/observe/log_sink.h"
#include "proxy/policy/guessing.h"
#include "proxy/policy/limit_report.h"
#include "proxy/policy/limit_store.h"
#include "proxy/policy/limits.h"

namespace gatepost::server {

/// Where the running process counts, by both of its faces, and what the rules are. All outlive the commands.
struct LimitBooks {
    policy::LimitStore& store;
    policy::LimitInventory& inventory;
    const policy::Limits& limits;
    const policy::Guessing& guessing;
    std::function<void(std::string_view key)> forgotten{};  ///< an operator had a key forgotten
};

/// The first line of an answer to `limits list`, whose further lines are in this order: the columns. A last
/// line "more" says that there are more keys than are told.
inline constexpr std::string_view kLimitColumns =
    "key\tcount\tused\tburst\trefused\tretry_after\tworn_off_in";
inline constexpr std::string_view kMoreLimits = "more";

/// Answers:
///   list [PREFIX]             a table as above; `refused` is an action, "dry-run" or "-"; times are seconds
///   show KEY                  lines NAME, tab, value; an error when nothing is counted under it
///   peek KEY CLASS EVENTS     the same, used 0 included, as it is for a user of that limit class
///   reset KEY                 a sentence
class LimitsCommands {
  public:
    static constexpr std::size_t kMostLooked = 10'000;  ///< so that the most used of them come first
    static constexpr std::size_t kMostShown = 1000;

    LimitsCommands(net::EventLoop& loop, LimitBooks books, observe::LogSink& log)
        : loop_(loop), books_(books), log_(log) {}
    LimitsCommands(const LimitsCommands&) = delete;
    LimitsCommands& operator=(const LimitsCommands&) = delete;

    /// After a reload: the rules are others.
    void use(const LimitBooks& books) { books_.emplace(books); }

    /// Outlives `socket`.
    void add_to(observe::AdminSocket& socket);

    void run(const observe::AdminRequest& request, observe::AdminSocket::Answer answer);

  private:
    void list(const std::string& prefix, observe::AdminSocket::Answer answer);
    void show(const std::string& key, observe::AdminSocket::Answer answer);
    void peek(const std::vector<std::string>& words, observe::AdminSocket::Answer answer);
    void peek_there_now(const std::string& key, const policy::KeyOwner& owner,
                        observe::AdminSocket::Answer answer);
    void reset(const std::string& key, uid_t user, observe::AdminSocket::Answer answer);
    [[nodiscard]] std::string table_of(std::vector<policy::LimitEntry> entries) const;

    net::EventLoop& loop_;
    std::optional<LimitBooks> books_;  ///< never empty
    observe::LogSink& log_;
};

}  // namespace gatepost::server
