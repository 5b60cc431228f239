#include "backends/redis/replicas.h"

#include <algorithm>
#include <utility>

#include "backends/redis/limit_script.h"

namespace gatepost::backends {

Replicas::Replicas(net::EventLoop& loop, RedisConnection& connection, std::string id, Told told)
    : connection_(connection),
      id_(std::move(id)),
      told_(std::move(told)),
      next_(loop, [this] { beat(); }),
      self_(std::make_shared<Replicas*>(this)) {}

void Replicas::begin() {
    if (std::exchange(has_begun_, true)) return;
    beat();
}

void Replicas::beat() {
    if (!has_begun_) return;
    next_.start(kBeat);
    connection_.command({"EVAL", heartbeat_script(), "1", kReplicasKey, clock_, id_},
                        [self = std::weak_ptr(self_)](const RedisOutcome& outcome) {
                            if (const auto alive = self.lock()) (*alive)->on_answer(outcome);
                        });
}

void Replicas::on_answer(const RedisOutcome& outcome) {
    if (outcome.status == RedisStatus::kReply && outcome.reply.is(RedisReply::Kind::kInteger)) {
        seen_ = static_cast<unsigned>(std::clamp<long long>(outcome.reply.integer, 1, 100'000));
    } else {
        next_.start(kBeatInVain);
    }
    told_(outcome);
}

}  // namespace gatepost::backends
