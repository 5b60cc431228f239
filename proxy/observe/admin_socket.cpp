#include "proxy/observe/admin_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/net/timer.h"
#include "proxy/net/transport.h"

namespace gatepost::observe {
namespace {

/// Of many thousand sessions.
constexpr std::size_t kLongestAnswer = std::size_t{32} * 1024 * 1024;
constexpr mode_t kOwnerAndGroup = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;

std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    for (std::size_t from = 0; from <= line.size();) {
        const std::size_t to = std::min(line.find('\t', from), line.size());
        words.emplace_back(line.substr(from, to - from));
        from = to + 1;
    }
    return words;
}

/// With all of its groups, not the first alone.
std::optional<AdminPeer> peer_of(int socket) {
    ucred found{};
    socklen_t size = sizeof found;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &found, &size) != 0) return std::nullopt;
    AdminPeer peer{.user = found.uid, .groups = {found.gid}};
    std::array<gid_t, 256> more{};
    size = sizeof more;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, more.data(), &size) == 0)
        peer.groups.insert(peer.groups.end(), more.data(), more.data() + size / sizeof(gid_t));
    return peer;
}

/// The text of a file that cannot be listened on, with what helps.
Error cannot_listen(const std::string& path, const Error& error) {
    struct stat found{};
    const bool is_socket = ::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode);
    return {error.message + (is_socket ? "; another process answers there" : "")};
}

}  // namespace

/// The permissions alone would do; but a folder or a container may give the file away.
AdminLevel level_of(const AdminPeer& peer) {
    if (peer.user == 0 || peer.user == ::geteuid()) return AdminLevel::kOperate;
    return std::ranges::find(peer.groups, ::getegid()) != peer.groups.end() ? AdminLevel::kRead
                                                                            : AdminLevel::kNone;
}

std::unexpected<Error> needs_operator() {
    return fail("only root and the user that Gatepost runs as may change anything; its group may look");
}

/// One peer: its line, then its answer.
class AdminSocket::Connection final : public net::TransportHandler {
  public:
    Connection(AdminSocket& socket, std::uint64_t id, net::UniqueFd fd, uid_t user, bool may_operate)
        : socket_(socket),
          id_(id),
          user_(user),
          may_operate_(may_operate),
          transport_(socket.loop_, std::move(fd), *this, {.hard = kLongestAnswer}),
          deadline_(socket.loop_, [this] { on_deadline(); }) {
        deadline_.start(socket.settings_.request_timeout);
        transport_.start();
    }

    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] bool was_asked() const noexcept { return was_asked_; }
    [[nodiscard]] AdminRequest request(std::vector<std::string> words) const {
        return {.words = std::move(words), .user = user_, .may_operate = may_operate_};
    }

    void wait_for_answer(Duration timeout) { deadline_.start(timeout); }

    void refuse(const std::string& why) {
        was_asked_ = true;
        socket_.send(id_, fail(why));
    }

    void finish(const std::string& text) {
        transport_.write(text);
        transport_.finish(socket_.settings_.answer_timeout);
        socket_.let_go(id_);
    }

  private:
    std::size_t on_bytes(net::Transport& /*transport*/, ByteView bytes) override {
        if (was_asked_) return bytes.size();
        const std::size_t end = bytes.find('\n');
        if (std::min(end, bytes.size()) >= socket_.settings_.longest_request) {
            refuse("a request has at most " + std::to_string(socket_.settings_.longest_request) + " octets");
            return bytes.size();
        }
        if (end == ByteView::npos) return 0;
        was_asked_ = true;
        deadline_.start(socket_.settings_.answer_timeout);
        socket_.run(*this, bytes.substr(0, end));
        return bytes.size();
    }
    void on_tls_established(net::Transport& /*transport*/) override {}
    void on_drained(net::Transport& /*transport*/) override {}
    void on_closed(net::Transport& /*transport*/, net::CloseCause /*cause*/) override { socket_.let_go(id_); }

    void on_deadline() {
        refuse(was_asked_ ? "no answer in time" : "a request is one line, and none came in time");
    }

    AdminSocket& socket_;
    const std::uint64_t id_;
    const uid_t user_;
    const bool may_operate_;
    net::Transport transport_;
    net::Timer deadline_;
    bool was_asked_ = false;
};

Result<std::unique_ptr<AdminSocket>> AdminSocket::listen(net::EventLoop& loop, AdminSocketSettings settings,
                                                         LogSink& log) {
    Result<net::UniqueFd> listening = net::listen_on("unix:" + settings.path);
    if (!listening) return std::unexpected(cannot_listen(settings.path, listening.error()));
    if (::chmod(settings.path.c_str(), kOwnerAndGroup) != 0)
        return fail("cannot set the mode of " + settings.path + ": " + std::system_category().message(errno));
    return std::unique_ptr<AdminSocket>(
        new AdminSocket(loop, std::move(settings), log, std::move(*listening)));
}

AdminSocket::AdminSocket(net::EventLoop& loop, AdminSocketSettings settings, LogSink& log,
                         net::UniqueFd listening)
    : loop_(loop),
      settings_(std::move(settings)),
      log_(log),
      acceptor_(loop, std::move(listening), [this](net::UniqueFd socket, const net::SocketAddress& /*peer*/) {
          adopt(std::move(socket));
      }) {
    struct stat made{};
    if (::lstat(settings_.path.c_str(), &made) == 0) file_ = {made.st_dev, made.st_ino};
}

AdminSocket::~AdminSocket() {
    struct stat found{};
    const bool is_there = ::lstat(settings_.path.c_str(), &found) == 0;
    if (is_there && found.st_dev == file_.device && found.st_ino == file_.number)
        ::unlink(settings_.path.c_str());
}

void AdminSocket::add(std::string name, std::string usage, Command command, std::optional<Duration> timeout) {
    commands_.insert_or_assign(std::move(name), Known{std::move(usage), std::move(command),
                                                      timeout.value_or(settings_.answer_timeout)});
}

void AdminSocket::adopt(net::UniqueFd socket) {
    const std::optional<AdminPeer> peer = peer_of(socket.get());
    const AdminLevel level = peer ? settings_.level(*peer) : AdminLevel::kNone;
    if (level == AdminLevel::kNone)
        return note_refused("user id " + (peer ? std::to_string(peer->user) : "unknown") + " may not ask");
    if (!make_room()) return;
    const std::uint64_t id = ++last_connection_;
    connections_.emplace(id, std::make_unique<Connection>(*this, id, std::move(socket), peer->user,
                                                          level == AdminLevel::kOperate));
}

/// Whoever holds connections without asking anything must not keep an operator out.
bool AdminSocket::make_room() {
    if (connections_.size() < settings_.most_connections) return true;
    note_refused("too many ask at once");
    Connection* oldest = nullptr;
    for (const auto& [id, connection] : connections_) {
        if (!connection->was_asked() && (oldest == nullptr || id < oldest->id())) oldest = connection.get();
    }
    if (oldest == nullptr) return false;
    oldest->refuse("too many ask at once, and this one asked nothing yet");
    return true;
}

void AdminSocket::note_refused(const std::string& what) {
    log_.log(conf::LogEvent::admin_refused,
             {{conf::LogField::address, "unix:" + settings_.path}, {conf::LogField::what, what}});
}

void AdminSocket::run(Connection& connection, std::string_view line) {
    std::vector<std::string> words = words_of(line);
    for (const std::string& word : words) {
        if (!is_utf8(word) || has_controls(word))
            return send(connection.id(), fail("words are UTF-8 without controls"));
    }
    const auto known = commands_.find(words.front());
    if (known == commands_.end())
        return send(connection.id(),
                    fail("no command \"" + printable(words.front(), 64) + "\"; there are:" + usages()));
    words.erase(words.begin());
    connection.wait_for_answer(known->second.timeout);
    known->second.run(connection.request(std::move(words)), answer_to(connection.id()));
}

std::string AdminSocket::usages() const {
    std::string all;
    for (const auto& [name, known] : commands_) all += "\n  " + known.usage;
    return all;
}

AdminSocket::Answer AdminSocket::answer_to(std::uint64_t connection) {
    return [self = std::weak_ptr(self_), connection](const Result<std::string>& answer) {
        if (const auto socket = self.lock()) (*socket)->send(connection, answer);
    };
}

/// Whoever asked may have left.
void AdminSocket::send(std::uint64_t connection, const Result<std::string>& answer) {
    const auto found = connections_.find(connection);
    if (found == connections_.end()) return;
    std::string text = answer ? "ok\n" + *answer : "error\n" + answer.error().message;
    if (!text.ends_with('\n')) text += '\n';
    found->second->finish(text);
}

/// Called inside the connection's own callbacks, so it ends later.
void AdminSocket::let_go(std::uint64_t connection) {
    auto node = connections_.extract(connection);
    if (node.empty()) return;
    loop_.defer([ended = std::move(node.mapped())]() mutable { ended.reset(); });
}

}  // namespace gatepost::observe
