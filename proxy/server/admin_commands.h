// The commands of the admin socket that are about the process as a whole: status, who, kick, drain, reload,
// log. Each change is logged with who asked for it. The main loop's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/observe/admin_socket.h"
#include "proxy/observe/log_sink.h"
#include "proxy/server/operations.h"

namespace gatepost::server {

/// Answers:
///   status                    /status.json
///   who [NAME=VALUE...]       a table, as session_list.h says
///   kick NAME=VALUE...|all    how many were ended; an error when none fits
///   drain [wait]              a sentence, with `wait` when the last session has ended
///   reload [wait]             a sentence, with `wait` what is served then; an error when nothing changed
///   log level LEVEL           a sentence
class AdminCommands {
  public:
    /// `operations`, `log` and what `status_json` leans on outlive the commands.
    AdminCommands(Operations& operations, std::function<std::string()> status_json, observe::LogSink& log)
        : operations_(operations), status_json_(std::move(status_json)), log_(log) {}
    AdminCommands(const AdminCommands&) = delete;
    AdminCommands& operator=(const AdminCommands&) = delete;

    /// Outlives `socket`. A drain, or the end of an old configuration, may take `longest`: with another one,
    /// again.
    void add_to(observe::AdminSocket& socket, Duration longest);

    using Answer = observe::AdminSocket::Answer;
    void status(const observe::AdminRequest& request, Answer answer);
    void who(const observe::AdminRequest& request, Answer answer);
    void kick(const observe::AdminRequest& request, Answer answer);
    void drain(const observe::AdminRequest& request, Answer answer);
    void reload(const observe::AdminRequest& request, Answer answer);
    void log(const observe::AdminRequest& request, Answer answer);

  private:
    void note(const observe::AdminRequest& request, const std::string& what);

    Operations& operations_;
    const std::function<std::string()> status_json_;
    observe::LogSink& log_;
};

}  // namespace gatepost::server
