// The admin socket over real unix sockets: who is answered, what a request may be, and whose the file is.
#include "proxy/observe/admin_socket.h"

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/dialer.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/timer.h"
#include "proxy/observe/admin_client.h"

namespace gatepost::observe {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class AdminSocketTest : public testing::Test {
  protected:
    AdminSocketTest() {
        std::string name = (std::filesystem::temp_directory_path() / "gatepost-admin-XXXXXX").string();
        folder_ = mkdtemp(name.data());
        path_ = folder_ + "/admin.sock";
        log_file_ = net::UniqueFd(::open((folder_ + "/log").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        log_.emplace(conf::LogLevel::Info, log_file_.get());
    }
    ~AdminSocketTest() override {
        socket_.reset();
        log_.reset();
        std::filesystem::remove_all(folder_);
    }

    void listen(AdminSocketSettings settings = {}) {
        settings.path = path_;
        auto made = AdminSocket::listen(loop_, std::move(settings), *log_);
        ASSERT_TRUE(made) << made.error().message;
        socket_ = std::move(*made);
        socket_->add("echo", "echo WORD...", [](const AdminRequest& request, AdminSocket::Answer answer) {
            std::string text = request.may_operate ? "" : "only looks: ";
            for (const std::string& word : request.words) text += "[" + word + "]";
            answer(text);
        });
        socket_->add("never", "never", [this](const AdminRequest& /*request*/, AdminSocket::Answer answer) {
            kept_.push_back(std::move(answer));
            was_kept_ = true;
        });
        socket_->add("no", "no", [](const AdminRequest& /*request*/, AdminSocket::Answer answer) {
            answer(fail("not today"));
        });
    }

    /// Runs the loop while `asker` blocks on a thread of its own.
    void run_while(const std::function<void()>& asker) {
        std::thread thread([&] {
            asker();
            loop_.post([this] { loop_.stop(); });
        });
        loop_.run();
        thread.join();
    }
    std::expected<std::string, AdminFailure> ask(const std::vector<std::string>& words) {
        std::expected<std::string, AdminFailure> answer;
        run_while([&] { answer = ask_admin(path_, words, 10s); });
        return answer;
    }
    /// What is heard until the end after these octets were sent.
    std::string hear(std::string_view octets) {
        std::string heard;
        run_while([&] {
            const net::UniqueFd socket = dialed();
            EXPECT_GE(::send(socket.get(), octets.data(), octets.size(), MSG_NOSIGNAL), 0);
            char part[512];
            for (ssize_t got = 0; (got = ::recv(socket.get(), part, sizeof part, 0)) > 0;)
                heard.append(part, static_cast<std::size_t>(got));
        });
        return heard;
    }
    [[nodiscard]] net::UniqueFd dialed() const {
        net::UniqueFd socket = *net::dial(*net::SocketAddress::parse("unix:" + path_));
        ::fcntl(socket.get(), F_SETFL, 0);
        return socket;
    }
    /// Everything logged; ends the log.
    std::string logged() {
        socket_.reset();
        log_.reset();
        std::stringstream text;
        text << std::ifstream(folder_ + "/log").rdbuf();
        return text.str();
    }

    std::string folder_;
    std::string path_;
    net::UniqueFd log_file_;
    std::optional<LogSink> log_;
    net::EventLoop loop_;
    std::vector<AdminSocket::Answer> kept_;
    std::atomic<bool> was_kept_ = false;
    std::unique_ptr<AdminSocket> socket_;
};

TEST_F(AdminSocketTest, Request_IsWordsWithTabsBetween_AndTheAnswerIsText) {
    listen();
    EXPECT_EQ(ask({"echo", "a b", "", "ü"}), "[a b][][ü]\n");
    const auto refused = ask({"no"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, AdminFailure::Kind::kRefused);
    EXPECT_EQ(refused.error().message, "not today");
    EXPECT_EQ(socket_->connections(), 0U);
}

TEST_F(AdminSocketTest, UnknownCommand_IsToldWhichThereAre) {
    listen();
    EXPECT_EQ(hear("what\tever\n"),
              "error\nno command \"what\"; there are:\n  echo WORD...\n  never\n  no\n");
    EXPECT_THAT(hear("\n"), HasSubstr("no command \"\""));
    EXPECT_THAT(hear("echo\t\x01\n"), HasSubstr("without controls"));
    EXPECT_THAT(hear("echo\t\xff\n"), HasSubstr("UTF-8"));
}

TEST_F(AdminSocketTest, Request_OfAnyPieces_IsAtMost4KiB) {
    listen();
    const std::string most(4096 - std::string_view("echo\t\n").size(), 'x');
    EXPECT_EQ(hear("echo\t" + most + "\n"), "ok\n[" + most + "]\n");
    EXPECT_THAT(hear("echo\t" + most + "x\n"), HasSubstr("error\na request has at most 4096 octets"));
    EXPECT_THAT(hear(std::string(5000, 'x')), HasSubstr("error\na request has at most 4096 octets"));
}

TEST_F(AdminSocketTest, WhoSaysNothing_OrGetsNoAnswer_IsNotWaitedForForever) {
    listen({.path = {}, .request_timeout = 50ms, .answer_timeout = 100ms});
    EXPECT_THAT(hear("ech"), HasSubstr("error\na request is one line, and none came in time"));
    EXPECT_THAT(hear("never\n"), HasSubstr("error\nno answer in time"));
    EXPECT_EQ(socket_->connections(), 0U);
}

TEST_F(AdminSocketTest, OtherUsers_AreClosedWithoutAnAnswer_AndLogged) {
    std::optional<uid_t> asked;
    listen({.path = {}, .level = [&](const AdminPeer& peer) {
                asked = peer.user;
                return AdminLevel::kNone;
            }});
    const auto answer = ask({"echo"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, AdminFailure::Kind::kNotAllowed);
    EXPECT_EQ(asked, ::geteuid());
    EXPECT_THAT(logged(), HasSubstr("admin_refused address=unix:" + path_ + " what=\"user id " +
                                    std::to_string(::geteuid()) + " may not ask\""));
}

TEST_F(AdminSocketTest, WhoMayOnlyLook_IsKnownToTheCommand) {
    listen({.path = {}, .level = [](const AdminPeer& /*peer*/) { return AdminLevel::kRead; }});
    EXPECT_EQ(ask({"echo", "x"}), "only looks: [x]\n");
}

TEST(AdminLevelOf, RootAndOurselvesOperate_OurGroupLooks_OthersAreNotAnswered) {
    constexpr uid_t kSomebody = 4711;
    constexpr gid_t kTheirs = 4711;
    EXPECT_EQ(level_of({.user = 0, .groups = {kTheirs}}), AdminLevel::kOperate);
    EXPECT_EQ(level_of({.user = ::geteuid(), .groups = {}}), AdminLevel::kOperate);
    EXPECT_EQ(level_of({.user = kSomebody, .groups = {kTheirs, ::getegid()}}), AdminLevel::kRead);
    EXPECT_EQ(level_of({.user = kSomebody, .groups = {kTheirs}}), AdminLevel::kNone);
}

TEST_F(AdminSocketTest, WhenACommandMayTakeLong_ItsOwnTimeCounts_NotThatOfOthers) {
    listen({.path = {}, .answer_timeout = 30ms});
    std::optional<net::Timer> later;
    AdminSocket::Answer kept;
    later.emplace(loop_, [&] { kept("at last"); });
    socket_->add(
        "slow", "slow",
        [&](const AdminRequest& /*request*/, AdminSocket::Answer answer) {
            kept = std::move(answer);
            later->start(200ms);
        },
        20s);
    EXPECT_EQ(hear("slow\n"), "ok\nat last\n");
    EXPECT_THAT(hear("never\n"), HasSubstr("error\nno answer in time"));
}

TEST_F(AdminSocketTest, TooManyAtOnce_WhoAskedNothingIsClosed_TheOldestFirst) {
    listen({.path = {}, .most_connections = 2});
    run_while([&] {
        const net::UniqueFd first = dialed();
        const net::UniqueFd second = dialed();
        const net::UniqueFd third = dialed();
        char octet = 0;
        EXPECT_EQ(::recv(first.get(), &octet, 1, 0), 1);
        EXPECT_EQ(octet, 'e') << "error";
        for (const net::UniqueFd* const asking : {&second, &third}) {
            EXPECT_EQ(::send(asking->get(), "echo\n", 5, 0), 5);
            EXPECT_EQ(::recv(asking->get(), &octet, 1, 0), 1);
            EXPECT_EQ(octet, 'o') << "ok";
        }
    });
    EXPECT_THAT(logged(), HasSubstr("too many ask at once"));
}

TEST_F(AdminSocketTest, LateAnswer_AfterThePeerOrTheSocketIsGone_GoesNowhere) {
    listen();
    run_while([&] {
        net::UniqueFd socket = dialed();
        EXPECT_EQ(::send(socket.get(), "never\n", 6, 0), 6);
        while (!was_kept_) std::this_thread::sleep_for(1ms);
    });
    ASSERT_EQ(kept_.size(), 1U);
    kept_.front()(std::string("too late"));
    socket_.reset();
    kept_.front()(std::string("later still"));
}

TEST_F(AdminSocketTest, File_IsTheOwnersAndTheGroups_AndGoesWithTheSocket) {
    listen();
    struct stat found{};
    ASSERT_EQ(::lstat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0660U);
    socket_.reset();
    EXPECT_NE(::lstat(path_.c_str(), &found), 0);
}

TEST_F(AdminSocketTest, File_OfALiveProcess_IsNotTaken_AndAStaleOneIs) {
    listen();
    const auto second = AdminSocket::listen(loop_, {.path = path_}, *log_);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("another process answers there"));
    EXPECT_EQ(ask({"echo", "still"}), "[still]\n");

    // As after kill -9: the file stays, and nobody answers.
    std::filesystem::rename(path_, folder_ + "/aside");
    socket_.reset();
    std::filesystem::rename(folder_ + "/aside", path_);
    listen();
    EXPECT_EQ(ask({"echo", "new"}), "[new]\n");
}

TEST_F(AdminSocketTest, File_ThatAnotherProcessPutThere_Stays) {
    listen();
    std::filesystem::remove(path_);
    std::ofstream(path_) << "another's";
    socket_.reset();
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(AdminSocketTest, Client_WithoutAServer_SaysSo) {
    const auto nobody = ask_admin(path_, {"echo"}, 1s);
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().kind, AdminFailure::Kind::kUnreachable);
    EXPECT_THAT(nobody.error().message, HasSubstr("nobody answers at " + path_));
    const auto never = AdminSocket::listen(loop_, {.path = folder_ + "/missing/a"}, *log_);
    ASSERT_FALSE(never);
    EXPECT_THAT(never.error().message, HasSubstr("missing/a"));
}

TEST_F(AdminSocketTest, Client_OfASilentServer_GivesUp) {
    listen();  // and the loop does not run
    const auto silent = ask_admin(path_, {"echo"}, 100ms);
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().kind, AdminFailure::Kind::kUnreachable);
    EXPECT_THAT(silent.error().message, HasSubstr("no answer in time"));
}

TEST_F(AdminSocketTest, Client_SendsNoWordThatWouldBeTwo) {
    listen();
    for (const std::string word : {"a\tb", "a\nb", "\xff"}) {
        const auto refused = ask_admin(path_, {"echo", word}, 1s);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind, AdminFailure::Kind::kRefused);
    }
}

}  // namespace
}  // namespace gatepost::observe
