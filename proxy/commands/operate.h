// `gatepost who|kick|drain|reload|bans|log`: ask the running Gatepost over its admin socket to show or to do
// something. Exit status: 0 it is so, 1 it cannot be, else as in admin_target.h. Main thread; block.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "proxy/commands/admin_target.h"

namespace gatepost::commands {

/// What is empty is not given.
struct Whom {
    std::string session{};
    std::string user{};
    std::string ip{};
    std::string listener{};
    bool is_all = false;

    [[nodiscard]] std::vector<std::string> words() const;
};

/// A table, or with `is_json` an array of objects; the oldest session first.
[[nodiscard]] int who(const AdminTarget& target, const Whom& whom, bool is_json, std::ostream& out,
                      std::ostream& err);
/// 1 when there is no such session.
[[nodiscard]] int kick(const AdminTarget& target, const Whom& whom, std::ostream& out, std::ostream& err);

/// With `waits` it returns when the last session has ended, else when it was asked for.
[[nodiscard]] int drain(const AdminTarget& target, bool waits, std::ostream& out, std::ostream& err);
/// With `waits` 1 when nothing changed, and why; else when it was asked for.
[[nodiscard]] int reload(const AdminTarget& target, bool waits, std::ostream& out, std::ostream& err);

[[nodiscard]] int bans_list(const AdminTarget& target, std::ostream& out, std::ostream& err);
[[nodiscard]] int bans_lift(const AdminTarget& target, const std::string& key, std::ostream& out,
                            std::ostream& err);

[[nodiscard]] int log_level(const AdminTarget& target, const std::string& level, std::ostream& out,
                            std::ostream& err);

}  // namespace gatepost::commands
