// The unix socket for commands of operators: root and the process's own user may do everything, its group may
// look, and nobody else is answered. One request a connection, a line of words with tabs between; knows no
// command itself. On the thread of its loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unordered_map>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/result.h"
#include "proxy/net/listener.h"
#include "proxy/observe/log_sink.h"

namespace gatepost::observe {

/// Who asks, as the kernel says.
struct AdminPeer {
    uid_t user = 0;
    std::vector<gid_t> groups;
};

enum class AdminLevel {
    kNone,     ///< not answered at all
    kRead,     ///< may look
    kOperate,  ///< and change
};

/// Operate for root and the process's own user, read for its group.
[[nodiscard]] AdminLevel level_of(const AdminPeer& peer);

struct AdminSocketSettings {
    std::string path;
    std::function<AdminLevel(const AdminPeer&)> level = level_of;
    Duration request_timeout = std::chrono::seconds(5);
    Duration answer_timeout = std::chrono::seconds(60);  ///< for a command to answer, and to be read
    std::size_t most_connections = 16;   ///< beyond, who has not asked yet goes, the oldest first
    std::size_t longest_request = 4096;  ///< octets, the line's end included
};

struct AdminRequest {
    std::vector<std::string> words;  ///< those behind the command's name, of UTF-8 and without controls
    uid_t user = 0;
    bool may_operate = true;  ///< or only look
};

/// What somebody is answered who may only look.
[[nodiscard]] std::unexpected<Error> needs_operator();

class AdminSocket {
  public:
    /// Text for people or programs, or why not. May be called at once, later, or never; from the loop's
    /// thread.
    using Answer = std::move_only_function<void(Result<std::string>)>;
    using Command = std::move_only_function<void(AdminRequest request, Answer answer)>;

    /// Listens; the file of a process that has ended is replaced. An error says why: somebody answers there,
    /// the folder is missing, not permitted. `loop` and `log` outlive the result.
    [[nodiscard]] static Result<std::unique_ptr<AdminSocket>> listen(net::EventLoop& loop,
                                                                     AdminSocketSettings settings,
                                                                     LogSink& log);
    /// Takes the file away; who waits for an answer sees the end of the connection.
    ~AdminSocket();
    AdminSocket(const AdminSocket&) = delete;
    AdminSocket& operator=(const AdminSocket&) = delete;

    /// `name` is the first word of a request. `usage` is for people: "limits list [PREFIX]". The answer may
    /// take `timeout`, where it is given, instead of what the settings say.
    void add(std::string name, std::string usage, Command command, std::optional<Duration> timeout = {});

    [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }

  private:
    class Connection;
    struct Known {
        std::string usage;
        Command run;
        Duration timeout;
    };
    /// Which file is ours: another process may have put its own in its place.
    struct FileId {
        dev_t device = 0;
        ino_t number = 0;
    };

    AdminSocket(net::EventLoop& loop, AdminSocketSettings settings, LogSink& log, net::UniqueFd listening);
    void adopt(net::UniqueFd socket);
    [[nodiscard]] bool make_room();
    void run(Connection& connection, std::string_view line);
    [[nodiscard]] Answer answer_to(std::uint64_t connection);
    void send(std::uint64_t connection, const Result<std::string>& answer);
    void let_go(std::uint64_t connection);
    void note_refused(const std::string& what);
    [[nodiscard]] std::string usages() const;

    net::EventLoop& loop_;
    const AdminSocketSettings settings_;
    LogSink& log_;
    FileId file_;
    std::map<std::string, Known, std::less<>> commands_;
    std::uint64_t last_connection_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::shared_ptr<AdminSocket*> self_ = std::make_shared<AdminSocket*>(this);  ///< answers may come late
    net::Acceptor acceptor_;
};

}  // namespace gatepost::observe
