#include "proxy/server/acceptors.h"

#include <utility>

namespace gatepost::server {

void Acceptors::serve(std::vector<Door> doors) {
    auto before = std::exchange(accepting_, {});
    std::vector<std::unique_ptr<Accepting>> kept;
    for (Door& door : doors) {
        const auto found = before.find(door.address);
        kept.push_back(found == before.end() ? nullptr : std::move(before.extract(found).mapped()));
    }
    for (const auto& [address, accepting] : before) accepting->acceptor->accept_rest();
    for (std::size_t i = 0; i < doors.size(); ++i) {
        std::unique_ptr<Accepting> accepting = std::move(kept[i]);
        if (!accepting) {
            accepting = std::make_unique<Accepting>();
            accepting->acceptor = std::make_unique<net::Acceptor>(
                loop_, std::move(doors[i].socket),
                [this, its = accepting.get()](net::UniqueFd socket, const net::SocketAddress& peer) {
                    handler_(its->listener, std::move(socket), peer);
                });
        }
        accepting->listener = i;
        accepting_.emplace(std::move(doors[i].address), std::move(accepting));
    }
}

}  // namespace gatepost::server
