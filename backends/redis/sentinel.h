// Asks Sentinels in turn who the master is; the one that knew is asked first the next time. Whether the
// master agrees (ROLE) is for the connection to see. On the thread of its loop.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/redis/redis_link.h"
#include "backends/redis/server_finder.h"

namespace gatepost::backends {

struct SentinelSettings {
    std::vector<std::string> servers;  ///< "host:port", at least one
    std::string master;
    RedisLinkSettings link;  ///< TLS and credentials of the Sentinels; `tls_name` is set for each
    Duration patience = std::chrono::milliseconds(500);  ///< with each
};

class Sentinel final : public ServerFinder, private RedisLinkHandler {
  public:
    Sentinel(net::EventLoop& loop, net::Resolver& resolver, SentinelSettings settings);
    ~Sentinel() override;
    void find(Answer answer) override;

  private:
    void ask_next();
    void on_resolved(net::Resolution found);
    void give_up_on_it(std::string_view reason);
    void leave();
    void finish(Result<FoundServer> found);

    void on_link_ready() override;
    void on_link_reply(RedisReply reply) override;
    void on_link_lost(std::string_view reason) override;

    net::EventLoop& loop_;
    net::Resolver& resolver_;
    SentinelSettings settings_;
    std::size_t first_ = 0;  ///< whom to ask first
    std::size_t asked_ = 0;  ///< how many in this round
    std::string complaints_;
    Answer answer_;
    std::unique_ptr<RedisLink> link_;
    net::Timer deadline_;
    std::shared_ptr<int> asking_;  ///< the question that a resolved name must belong to
};

}  // namespace gatepost::backends
