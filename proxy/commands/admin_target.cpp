#include "proxy/commands/admin_target.h"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <sstream>

#include "conf/environment.h"
#include "conf/keys.h"
#include "conf/loader.h"
#include "proxy/observe/admin_client.h"
#include "proxy/policy/limit_report.h"

namespace gatepost::commands {
namespace {

using Answer = std::expected<std::string, observe::AdminFailure>;

/// The path of a socket; "" when `admin` is an address.
std::string socket_path(const std::string& admin) {
    constexpr std::string_view kUnix = "unix:";
    if (admin.starts_with(kUnix)) return admin.substr(kUnix.size());
    return admin.starts_with('/') ? admin : "";
}

/// Where the package and the documentation put it.
constexpr std::string_view kUsualSocket = "/run/gatepost/admin.sock";

void note_usual_place(const Error& why, const std::string& command, std::string_view place,
                      std::ostream& err) {
    err << "gatepost " << command << ": " << why.message << "; asking at " << place << '\n';
}

std::expected<std::string, int> told(const Answer& answer, const std::string& command, std::ostream& err) {
    if (answer) return *answer;
    err << "gatepost " << command << ": " << answer.error().message << '\n';
    const bool is_refused = answer.error().kind == observe::AdminFailure::Kind::kRefused;
    return std::unexpected(is_refused ? kRefusedThere : kCannotReach);
}

int no_socket(const std::string& command, const std::string& config, std::ostream& err) {
    err << "gatepost " << command << ": " << config
        << " names no admin.socket. Write\n  admin: {socket: /run/gatepost/admin.sock}\nand restart "
           "Gatepost: this command asks it there.\n";
    return kWrongUsage;
}

}  // namespace

std::expected<std::string, int> ask_running(const AdminTarget& target, const std::vector<std::string>& words,
                                            std::ostream& err, Duration patience) {
    const std::string& command = words.front();
    std::string path = socket_path(target.admin);
    if (path.empty() && !target.admin.empty()) {
        err << "gatepost " << command << ": --admin " << target.admin
            << " is no socket: expected unix:/path, because HTTP changes nothing\n";
        return std::unexpected(kWrongUsage);
    }
    if (path.empty()) {
        const auto place = conf::load_admin_place(target.config, conf::process_environment());
        path = place ? place->socket : std::string(kUsualSocket);
        if (!place) note_usual_place(place.error(), command, path, err);
        if (path.empty()) return std::unexpected(no_socket(command, target.config, err));
    }
    return told(observe::ask_admin(path, words, patience), command, err);
}

std::expected<std::string, int> ask_status(const AdminTarget& target, std::ostream& err) {
    AdminTarget where = target;
    if (where.admin.empty()) {
        const auto place = conf::load_admin_place(target.config, conf::process_environment());
        if (!place) {
            where.admin = conf::find_key("admin.address")->initial;
            note_usual_place(place.error(), "status", where.admin, err);
        } else {
            where.admin = place->socket.empty() ? place->address : "unix:" + place->socket;
        }
        if (where.admin.empty()) return std::unexpected(no_socket("status", target.config, err));
    }
    if (!socket_path(where.admin).empty()) return ask_running(where, {"status"}, err);
    return told(observe::fetch_admin(where.admin, "/status.json", kPatience), "status", err);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::string readable_seconds(const std::string& seconds) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), number);
    if (error != std::errc{} || end != seconds.data() + seconds.size()) return seconds;
    return policy::duration_text(std::chrono::seconds(number));
}

}  // namespace gatepost::commands
