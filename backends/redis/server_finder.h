// Where the Redis to talk to is right now: resolved by name, or asked of Sentinels. On the thread of its
// loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "proxy/base/result.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/resolver.h"
#include "proxy/net/timer.h"

namespace gatepost::backends {

struct FoundServer {
    net::Addresses addresses;  ///< never empty
    std::string host;          ///< what its certificate must be for
};

class ServerFinder {
  public:
    using Answer = std::move_only_function<void(Result<FoundServer>)>;

    virtual ~ServerFinder() = default;

    /// `answer` runs once, later, by a deadline of the finder's own; never after another find() or the end of
    /// the finder.
    virtual void find(Answer answer) = 0;
};

/// Resolves one "host:port" or "unix:/path".
class NameFinder final : public ServerFinder {
  public:
    NameFinder(net::EventLoop& loop, net::Resolver& resolver, std::string server, Duration patience);
    void find(Answer answer) override;

  private:
    void finish(Result<FoundServer> found);

    net::EventLoop& loop_;
    net::Resolver& resolver_;
    std::string server_;
    Duration patience_;
    Answer answer_;
    net::Timer deadline_;
    std::shared_ptr<int> asking_;  ///< the question that an answer must belong to
};

}  // namespace gatepost::backends
