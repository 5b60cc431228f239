#include "proxy/server/admin_commands.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/server/session_list.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;
using observe::AdminRequest;

/// std::function must be copyable, and an answer is not.
template <typename Answer>
std::shared_ptr<Answer> shared(Answer answer) {
    return std::make_shared<Answer>(std::move(answer));
}

/// Nothing: neither no word nor "wait" alone.
std::optional<bool> wait_of(const AdminRequest& request) {
    if (request.words.empty()) return false;
    const bool is_wait = request.words.size() == 1 && request.words.front() == "wait";
    return is_wait ? std::optional(true) : std::nullopt;
}

struct NamedLevel {
    std::string_view name;
    conf::LogLevel level;
};
constexpr auto kLevels = std::to_array<NamedLevel>({{"debug", conf::LogLevel::Debug},
                                                    {"info", conf::LogLevel::Info},
                                                    {"warning", conf::LogLevel::Warning},
                                                    {"error", conf::LogLevel::Error}});

std::string ended(std::size_t sessions) {
    return sessions == 1 ? "1 session was ended" : std::to_string(sessions) + " sessions were ended";
}

}  // namespace

void AdminCommands::add_to(observe::AdminSocket& socket, Duration longest) {
    using Run = void (AdminCommands::*)(const AdminRequest&, Answer);
    const auto bound = [this](Run run) {
        return [this, run](const AdminRequest& request, Answer answer) {
            (this->*run)(request, std::move(answer));
        };
    };
    constexpr const char* kFilter = "user=NAME | ip=ADDRESS | listener=NAME | session=ID";
    socket.add("status", "status", bound(&AdminCommands::status));
    socket.add("who", "who [" + std::string(kFilter) + "]...", bound(&AdminCommands::who));
    socket.add("kick", "kick all | (" + std::string(kFilter) + ")...", bound(&AdminCommands::kick));
    socket.add("drain", "drain [wait]", bound(&AdminCommands::drain), longest);
    socket.add("reload", "reload [wait]", bound(&AdminCommands::reload), longest);
    socket.add("log", "log level debug|info|warning|error", bound(&AdminCommands::log));
}

void AdminCommands::note(const AdminRequest& request, const std::string& what) {
    log_.log(LogEvent::admin_command, {{LogField::uid, request.user}, {LogField::what, what}});
}

void AdminCommands::status(const AdminRequest& request, Answer answer) {
    if (!request.words.empty()) return answer(fail("status takes no words"));
    answer(status_json_());
}

void AdminCommands::who(const AdminRequest& request, Answer answer) {
    Result<SessionFilter> filter = parse_filter(request.words);
    if (!filter) return answer(std::unexpected(filter.error()));
    operations_.who(std::move(*filter), [answer = shared(std::move(answer))](std::vector<SessionRow> rows) {
        (*answer)(session_table(std::move(rows)));
    });
}

void AdminCommands::kick(const AdminRequest& request, Answer answer) {
    if (!request.may_operate) return answer(observe::needs_operator());
    const bool is_all = request.words.size() == 1 && request.words.front() == "all";
    Result<SessionFilter> filter = is_all ? SessionFilter() : parse_filter(request.words);
    if (!filter) return answer(std::unexpected(filter.error()));
    if (!is_all && is_empty(*filter))
        return answer(fail("whom? Name at least one of user=, ip=, listener= and session=, or all"));
    const std::string whom = filter_text(*filter);
    note(request, "kick " + whom);
    operations_.kick(std::move(*filter), [this, whom, answer = shared(std::move(answer))](std::size_t count) {
        if (count == 0) return (*answer)(fail("there is no such session: " + whom));
        log_.log(LogEvent::kicked, {{LogField::sessions, count}, {LogField::what, whom}});
        (*answer)(ended(count));
    });
}

void AdminCommands::drain(const AdminRequest& request, Answer answer) {
    if (!request.may_operate) return answer(observe::needs_operator());
    const std::optional<bool> waits = wait_of(request);
    if (!waits) return answer(fail("expected drain or drain wait"));
    note(request, "drain");
    if (!*waits) {
        operations_.drain([] {});
        return answer("draining: the process ends when its sessions have");
    }
    operations_.drain([answer = shared(std::move(answer))] { (*answer)("drained: no session is left"); });
}

void AdminCommands::reload(const AdminRequest& request, Answer answer) {
    if (!request.may_operate) return answer(observe::needs_operator());
    const std::optional<bool> waits = wait_of(request);
    if (!waits) return answer(fail("expected reload or reload wait"));
    note(request, "reload");
    if (!*waits) {
        operations_.reload(ReloadTrigger::kApi, [](const Result<std::string>&) {});
        return answer("the configuration is read again: the log says what came of it");
    }
    operations_.reload(
        ReloadTrigger::kApi,
        [answer = shared(std::move(answer))](Result<std::string> outcome) { (*answer)(std::move(outcome)); });
}

void AdminCommands::log(const AdminRequest& request, Answer answer) {
    if (!request.may_operate) return answer(observe::needs_operator());
    const auto known = request.words.size() == 2 && request.words[0] == "level"
                           ? std::ranges::find(kLevels, request.words[1], &NamedLevel::name)
                           : kLevels.end();
    if (known == kLevels.end()) return answer(fail("expected log level debug, info, warning or error"));
    note(request, "log level " + request.words[1]);
    operations_.set_log_level(known->level);
    answer("logged from now on: " + request.words[1] + " and above, until the configuration is read again");
}

}  // namespace gatepost::server
