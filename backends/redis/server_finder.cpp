#include "backends/redis/server_finder.h"

#include <utility>

#include "backends/redis/redis_url.h"

namespace gatepost::backends {

NameFinder::NameFinder(net::EventLoop& loop, net::Resolver& resolver, std::string server, Duration patience)
    : loop_(loop),
      resolver_(resolver),
      server_(std::move(server)),
      patience_(patience),
      deadline_(loop, [this] { finish(fail("its name was not resolved in time")); }) {}

void NameFinder::find(Answer answer) {
    answer_ = std::move(answer);
    asking_ = std::make_shared<int>();
    deadline_.start(patience_);
    resolver_.resolve(server_, loop_, [this, question = std::weak_ptr(asking_)](net::Resolution found) {
        if (question.expired()) return;
        if (!found) return finish(fail(std::move(found.error().message)));
        finish(FoundServer{.addresses = std::move(found->addresses), .host = host_of(server_)});
    });
}

void NameFinder::finish(Result<FoundServer> found) {
    asking_.reset();
    deadline_.stop();
    if (answer_) std::exchange(answer_, nullptr)(std::move(found));
}

}  // namespace gatepost::backends
