// What operators ask a worker about its sessions, and which of them it is to end.
#include <utility>

#include "proxy/server/session_list.h"
#include "proxy/server/worker.h"

namespace gatepost::server {

void Worker::list_sessions(SessionFilter filter, std::function<void(std::vector<SessionRow>)> told) {
    loop_.post([this, filter = std::move(filter), told = std::move(told)] {
        std::vector<SessionRow> rows;
        for (const auto& [id, connection] : connections_) {
            std::optional<SessionRow> row = connection->row();
            if (row && fits(filter, *row)) rows.push_back(std::move(*row));
        }
        told(std::move(rows));
    });
}

/// What has ended leaves at the end of this turn only, so nothing vanishes from the map meanwhile.
void Worker::kick(SessionFilter filter, std::function<void(std::size_t)> told) {
    loop_.post([this, filter = std::move(filter), told = std::move(told)] {
        std::size_t kicked = 0;
        for (const auto& [id, connection] : connections_) {
            const std::optional<SessionRow> row = connection->row();
            if (!row || !fits(filter, *row)) continue;
            connection->kick();
            ++kicked;
        }
        told(kicked);
    });
}

}  // namespace gatepost::server
