// The commands about the process: what they ask the Operations for, who may, and what is logged of it.
#include "proxy/server/admin_commands.h"

#include <fcntl.h>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/unique_fd.h"

namespace gatepost::server {
namespace {

using observe::AdminRequest;
using testing::HasSubstr;

class FakeOperations final : public Operations {
  public:
    Status status() override { return {}; }
    void who(SessionFilter filter, std::function<void(std::vector<SessionRow>)> told) override {
        asked += "who " + filter.user;
        SessionRow row;
        row.id = "s";
        told({row});
    }
    void kick(SessionFilter filter, std::function<void(std::size_t)> told) override {
        asked += "kick " + filter.user;
        told(kicked);
    }
    void reload(ReloadTrigger trigger, std::function<void(Result<std::string>)> told) override {
        asked += trigger == ReloadTrigger::kApi ? "reload" : "?";
        reloaded = std::move(told);
    }
    void drain(std::function<void()> told) override {
        asked += "drain";
        drained = std::move(told);
    }
    void set_log_level(conf::LogLevel level) override {
        asked += level == conf::LogLevel::Debug ? "debug" : "?";
    }

    std::string asked;
    std::size_t kicked = 1;
    std::function<void(Result<std::string>)> reloaded;
    std::function<void()> drained;
};

class AdminCommandsTest : public testing::Test {
  protected:
    using Run = void (AdminCommands::*)(const AdminRequest&, AdminCommands::Answer);
    /// "ok ANSWER", "error WHY", or "" while there is none.
    void run(Run command, std::vector<std::string> words) {
        answered_.clear();
        (commands_.*command)({.words = std::move(words), .user = 7, .may_operate = may_operate_},
                             [this](const Result<std::string>& answer) {
                                 answered_ = answer ? "ok " + *answer : "error " + answer.error().message;
                             });
    }

    bool may_operate_ = true;
    std::string answered_;
    FakeOperations operations_;
    net::UniqueFd nowhere_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    observe::LogSink log_{conf::LogLevel::Error, nowhere_.get()};
    AdminCommands commands_{operations_, [] { return std::string("{}"); }, log_};
};

TEST_F(AdminCommandsTest, Looking_IsForEverybodyWhoIsAnswered) {
    may_operate_ = false;
    run(&AdminCommands::status, {});
    EXPECT_EQ(answered_, "ok {}");
    run(&AdminCommands::who, {"user=a"});
    EXPECT_THAT(answered_, HasSubstr("\ns\t"));
    EXPECT_EQ(operations_.asked, "who a");
    run(&AdminCommands::who, {"nonsense"});
    EXPECT_THAT(answered_, HasSubstr("error no filter: nonsense"));
}

TEST_F(AdminCommandsTest, WhoMayOnlyLook_ChangesNothing) {
    may_operate_ = false;
    for (const auto& [command, words] :
         std::vector<std::pair<Run, std::vector<std::string>>>{{&AdminCommands::kick, {"all"}},
                                                               {&AdminCommands::drain, {}},
                                                               {&AdminCommands::reload, {"wait"}},
                                                               {&AdminCommands::log, {"level", "debug"}}}) {
        run(command, words);
        EXPECT_THAT(answered_, HasSubstr("error only root and the user that Gatepost runs as"));
    }
    EXPECT_EQ(operations_.asked, "");
}

TEST_F(AdminCommandsTest, Kick_NeedsSomebody_AndCounts) {
    run(&AdminCommands::kick, {});
    EXPECT_THAT(answered_, HasSubstr("error whom?"));
    run(&AdminCommands::kick, {"all", "user=a"});
    EXPECT_THAT(answered_, HasSubstr("error no filter: all"));
    EXPECT_EQ(operations_.asked, "");
    run(&AdminCommands::kick, {"user=a"});
    EXPECT_EQ(answered_, "ok 1 session was ended");
    operations_.kicked = 0;
    run(&AdminCommands::kick, {"all"});
    EXPECT_EQ(answered_, "error there is no such session: all");
    EXPECT_EQ(operations_.asked, "kick akick ");
}

TEST_F(AdminCommandsTest, Drain_AnswersAtOnce_OrWhenAllHaveEnded) {
    run(&AdminCommands::drain, {});
    EXPECT_THAT(answered_, HasSubstr("ok draining"));
    run(&AdminCommands::drain, {"wait"});
    EXPECT_EQ(answered_, "");
    operations_.drained();
    EXPECT_EQ(answered_, "ok drained: no session is left");
    run(&AdminCommands::drain, {"now"});
    EXPECT_THAT(answered_, HasSubstr("error expected"));
    EXPECT_EQ(operations_.asked, "draindrain");
}

TEST_F(AdminCommandsTest, Reload_AnswersAtOnce_OrWithWhatCameOfIt) {
    run(&AdminCommands::reload, {});
    EXPECT_THAT(answered_, HasSubstr("ok the configuration is read again"));
    run(&AdminCommands::reload, {"wait"});
    EXPECT_EQ(answered_, "");
    operations_.reloaded(fail("line 3: no"));
    EXPECT_EQ(answered_, "error line 3: no");
}

TEST_F(AdminCommandsTest, LogLevel_IsOneOfFourWords) {
    run(&AdminCommands::log, {"level", "debug"});
    EXPECT_THAT(answered_, HasSubstr("ok logged from now on: debug"));
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{}, {"level"}, {"level", "loud"}, {"debug"}}) {
        run(&AdminCommands::log, words);
        EXPECT_THAT(answered_, HasSubstr("error expected log level"));
    }
    EXPECT_EQ(operations_.asked, "debug");
}

}  // namespace
}  // namespace gatepost::server
