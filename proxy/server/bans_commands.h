// The commands `bans list` and `bans lift` of the admin socket: who is refused right now because of too many
// wrong passwords (auth.guessing). The main loop's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/net/event_loop.h"
#include "proxy/observe/admin_socket.h"
#include "proxy/observe/log_sink.h"
#include "proxy/server/limits_commands.h"

namespace gatepost::server {

/// The first line of an answer to `bans list`: the columns. The last one may be kMoreLimits.
inline constexpr std::string_view kBanColumns = "key\tscope\twho\tfailures\tallowed\tretry_after";

class BansCommands {
  public:
    BansCommands(net::EventLoop& loop, LimitBooks books, observe::LogSink& log)
        : loop_(loop), books_(books), log_(log) {}
    BansCommands(const BansCommands&) = delete;
    BansCommands& operator=(const BansCommands&) = delete;

    /// After a reload: the rules are others.
    void use(const LimitBooks& books) { books_.emplace(books); }

    /// Outlives `socket`.
    void add_to(observe::AdminSocket& socket);

    void run(const observe::AdminRequest& request, observe::AdminSocket::Answer answer);

  private:
    void list(observe::AdminSocket::Answer answer);
    void lift(const std::string& key, uid_t user, observe::AdminSocket::Answer answer);
    [[nodiscard]] std::string table_of(std::vector<policy::LimitEntry> entries) const;

    net::EventLoop& loop_;
    std::optional<LimitBooks> books_;  ///< never empty
    observe::LogSink& log_;
};

}  // namespace gatepost::server
