#include "proxy/server/privileges.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <iterator>
#include <linux/capability.h>
#include <optional>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "conf/keys.h"
#include "proxy/base/printable.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

constexpr std::size_t kLongestEntry = std::size_t{256} * 1024;  // a group may have thousands of members

std::unexpected<Error> fail_with(const std::string& what, int error) {
    return fail(what + ": " + std::generic_category().message(error));
}

/// The entry of `name` by one of the …_r functions; nothing when there is none.
template <typename Entry, typename Look>
std::optional<Entry> entry_of(const std::string& name, Look look) {
    Entry entry{};
    Entry* found = nullptr;
    std::vector<char> room(kLongestEntry);
    if (look(name.c_str(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    return entry;  // of which only the numbers are used: the texts go with the room
}

std::string shown(std::string_view name) {
    return "\"" + printable(name, 64) + "\"";
}

bool is_already(const RunAs& account) {
    return ::getuid() == account.uid && ::geteuid() == account.uid && ::getgid() == account.gid &&
           ::getegid() == account.gid;
}

bool has_capabilities() {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) return true;
    return std::ranges::any_of(sets, [](const auto& set) { return (set.permitted | set.effective) != 0; });
}

/// The kernel was told; now it is asked.
Result<void> must_be_final(const RunAs& account) {
    uid_t real = 0, effective = 0, saved = 0;
    gid_t real_group = 0, effective_group = 0, saved_group = 0;
    ::getresuid(&real, &effective, &saved);
    ::getresgid(&real_group, &effective_group, &saved_group);
    const bool is_user = real == account.uid && effective == account.uid && saved == account.uid;
    const bool is_group =
        real_group == account.gid && effective_group == account.gid && saved_group == account.gid;
    const bool can_return = ::setuid(0) == 0 || ::setgid(0) == 0 || ::setgroups(0, nullptr) == 0;
    if (is_user && is_group && !can_return && !has_capabilities()) return {};
    return fail("became user " + account.user + ", but could become root again");
}

/// The file is in a folder that the user may own, so what is given away is what was looked at: a socket.
Result<void> give_socket_to(const std::string& path, const RunAs& account) {
    const net::UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat found{};
    if (!file || ::fstat(file.get(), &found) != 0) return fail_with(path, errno);
    if (!S_ISSOCK(found.st_mode)) return fail(path + ": somebody put another file in its place");
    if (found.st_uid == account.uid && found.st_gid == account.gid) return {};
    if (::fchownat(file.get(), "", account.uid, account.gid, AT_EMPTY_PATH) != 0)
        return fail_with("cannot give " + path + " to " + account.user, errno);
    return {};
}

std::string variant_of(const conf::Config& config, std::string_view path) {
    constexpr std::string_view kBackends = "backends.";
    if (!path.starts_with(kBackends)) return "";
    const std::size_t end = path.find('.', kBackends.size());
    const auto type = config.settings.find(std::string(path.substr(0, end)) + ".type");
    return type == config.settings.end() ? "" : type->second.text;
}

/// What the child that became the user found, a line each.
void write_all(int descriptor, const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    for (std::string_view rest = text; !rest.empty();) {
        const ssize_t written = ::write(descriptor, rest.data(), rest.size());
        if (written <= 0) return;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::vector<std::string> read_lines(int descriptor) {
    std::string text;
    std::array<char, 4096> room{};
    for (ssize_t size = 0; (size = ::read(descriptor, room.data(), room.size())) > 0;)
        text.append(room.data(), static_cast<std::size_t>(size));
    std::vector<std::string> lines;
    for (std::size_t from = 0, end = 0; (end = text.find('\n', from)) != std::string::npos; from = end + 1)
        lines.push_back(text.substr(from, end - from));
    return lines;
}

}  // namespace

Result<RunAs> find_run_as(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::string user(text.substr(0, colon));
    const auto found = entry_of<passwd>(user, ::getpwnam_r);
    if (!found) return fail("there is no user " + shown(user) + "; expected user or user:group");
    RunAs account{.user = user, .uid = found->pw_uid, .gid = found->pw_gid};
    if (colon != std::string_view::npos) {
        const std::string name(text.substr(colon + 1));
        const auto group = entry_of<::group>(name, ::getgrnam_r);
        if (!group) return fail("there is no group " + shown(name) + "; expected user or user:group");
        account.gid = group->gr_gid;
    }
    if (account.uid == 0 || account.gid == 0)
        return fail(shown(text) + " is root, of whose rights this is to be rid; \"\" changes nothing");
    return account;
}

void forbid_new_privileges() {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

Result<void> become(const RunAs& account) {
    if (!is_already(account)) {
        if (::geteuid() != 0) {
            return fail("to become user " + account.user +
                        " Gatepost must be started as root, or as that user; it is user id " +
                        std::to_string(::geteuid()));
        }
        const std::string what = "cannot become user " + account.user;
        if (::initgroups(account.user.c_str(), account.gid) != 0) return fail_with(what, errno);
        if (::setresgid(account.gid, account.gid, account.gid) != 0) return fail_with(what, errno);
        if (::setresuid(account.uid, account.uid, account.uid) != 0) return fail_with(what, errno);
        if (auto final = must_be_final(account); !final) return final;
    }
    // Keys are in memory, and other processes of this user are none of ours.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return {};
}

bool drop_privileges(const conf::Config& config, observe::LogSink& log) {
    if (config.run_as.empty()) return true;
    const Result<RunAs> account = find_run_as(config.run_as);
    Result<void> done = account ? Result<void>() : std::unexpected(account.error());
    if (done && ::geteuid() == 0 && !config.admin.socket.empty())
        done = give_socket_to(config.admin.socket, *account);
    if (done) done = become(*account);
    if (!done) {
        log.log(LogEvent::privileges_failed, {{LogField::what, "run_as: " + done.error().message}});
        return false;
    }
    log.log(LogEvent::privileges, {{LogField::user, account->user}});
    for (const std::string& note : unreadable_files(config)) {
        log.log(LogEvent::config_note,
                {{LogField::file, config.file}, {LogField::what, note + "; a reload will fail"}});
    }
    return true;
}

std::vector<std::string> unreadable_files(const conf::Config& config) {
    std::vector<std::string> found;
    for (const auto& [path, setting] : config.settings) {
        const conf::Key* const key = conf::find_key_of(path, variant_of(config, path));
        const bool is_file =
            key != nullptr && (key->type == conf::Type::File || key->type == conf::Type::SecretFile);
        if (!is_file || setting.text.empty()) continue;
        const net::UniqueFd file(::open(setting.text.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!file)
            found.push_back(path + ": " + setting.text + ": " + std::generic_category().message(errno));
    }
    return found;
}

std::vector<std::string> run_as_notes(const conf::Config& config) {
    const Result<RunAs> account = config.run_as.empty() ? fail("") : find_run_as(config.run_as);
    if (!account || ::geteuid() != 0) return {};
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
    const net::UniqueFd reading(ends[0]);
    net::UniqueFd writing(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        if (become(*account)) write_all(writing.get(), unreadable_files(config));
        ::_exit(0);
    }
    writing.reset();
    std::vector<std::string> notes = read_lines(reading.get());
    if (child > 0) ::waitpid(child, nullptr, 0);
    for (std::string& note : notes)
        note += "; run_as: " + account->user + " cannot read it, so a reload will fail";
    return notes;
}

}  // namespace gatepost::server
