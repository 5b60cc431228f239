// Who run_as names, and that becoming him is final: each change in a process of its own. Without root there
// is only the refusal to see; tests/e2e/test_service.py wants root.
#include "proxy/server/privileges.h"

#include <condition_variable>
#include <fstream>
#include <functional>
#include <grp.h>
#include <mutex>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/conf/fixtures.h"

namespace gatepost::server {
namespace {

using testing::HasSubstr;

constexpr std::string_view kConfiguration = R"(run_as: nobody
listeners: [{name: submission, address: "127.0.0.1:2525"}]
tls: {certificates: [{certificate: /etc/gatepost/tls/tls.crt, key: /etc/gatepost/tls/tls.key}]}
backends: {local: {type: file, path: /etc/gatepost/users}}
upstreams: [{name: default, servers: ["127.0.0.1:25"], username: gate, password_file: /etc/gatepost/redis-password}]
)";

/// What `check` says in a child: true is 0.
bool in_a_child(const std::function<bool()>& check) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(check() ? 0 : 1);
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void expect_refusal() {
    const auto done = become(RunAs{.user = "nobody", .uid = 65534, .gid = 65534});
    EXPECT_FALSE(done);
}

TEST(RunAs_WhenKnown, IsTheAccountWithItsGroupOrTheNamedOne) {
    const auto nobody = find_run_as("nobody");
    ASSERT_TRUE(nobody);
    EXPECT_EQ(nobody->user, "nobody");
    EXPECT_EQ(nobody->uid, 65534U);
    EXPECT_EQ(nobody->gid, 65534U);
    const auto mail = find_run_as("nobody:mail");
    ASSERT_TRUE(mail);
    EXPECT_EQ(mail->uid, 65534U);
    EXPECT_EQ(mail->gid, ::getgrnam("mail")->gr_gid);
}

TEST(RunAs_WhenUnknownOrRoot, IsRefusedByName) {
    const auto refusal = [](std::string_view text) {
        const auto found = find_run_as(text);
        return found ? "" : found.error().message;
    };
    EXPECT_EQ(refusal("no-such-user"), "there is no user \"no-such-user\"; expected user or user:group");
    EXPECT_EQ(refusal("nobody:no-such"), "there is no group \"no-such\"; expected user or user:group");
    EXPECT_THAT(refusal("nobody:"), HasSubstr("no group \"\""));
    EXPECT_THAT(refusal(":mail"), HasSubstr("no user \"\""));
    EXPECT_THAT(refusal("root"), HasSubstr("is root"));
    EXPECT_THAT(refusal("nobody:root"), HasSubstr("is root"));
}

TEST(Become_WhenRoot, ChangesEveryThreadAndCannotBeUndone) {
    if (::getuid() != 0) return expect_refusal();
    EXPECT_TRUE(in_a_child([] {
        std::mutex lock;
        std::condition_variable changed;
        bool is_done = false;
        bool thread_is_right = false;
        std::thread other([&] {
            std::unique_lock hold(lock);
            changed.wait(hold, [&] { return is_done; });
            thread_is_right = ::geteuid() == 65534 && ::getegid() == 65534 && ::setuid(0) != 0;
        });
        const auto account = find_run_as("nobody");
        const bool became = account && become(*account);
        {
            const std::lock_guard hold(lock);
            is_done = true;
        }
        changed.notify_all();
        other.join();
        return became && thread_is_right && ::getuid() == 65534 && ::setuid(0) != 0 && ::setgid(0) != 0 &&
               ::getgroups(0, nullptr) <= 1 && ::prctl(PR_GET_DUMPABLE) == 0;
    }));
}

TEST(Become_WhenItIsThatUserAlready, IsFine_AndAnotherIsRefused) {
    if (::getuid() != 0) return expect_refusal();
    EXPECT_TRUE(in_a_child([] {
        const auto nobody = find_run_as("nobody");
        const auto mail = find_run_as("mail");
        if (!nobody || !mail || !become(*nobody)) return false;
        const auto again = become(*nobody);
        const auto other = become(*mail);
        return again && !other && other.error().message.contains("must be started as root");
    }));
}

TEST(ForbidNewPrivileges, HoldsInThreadsThatBeginLater) {
    EXPECT_TRUE(in_a_child([] {
        forbid_new_privileges();
        bool holds = false;
        std::thread([&] { holds = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1; }).join();
        return holds;
    }));
}

TEST(RunAsNotes_WhenTheUserCannotReadAFile, NameItsKeyAndChangeNothing) {
    const conf::EtcGatepost etc;
    ::chmod(etc.path("").c_str(), 0755);
    ::chmod(etc.path("tls/tls.key").c_str(), 0600);
    ::chmod(etc.path("redis-password").c_str(), 0600);
    const auto config = etc.load(kConfiguration);
    ASSERT_TRUE(config) << etc.problems(kConfiguration);
    EXPECT_THAT(
        run_as_notes(**config),
        testing::ElementsAre(testing::StartsWith("tls.certificates[0].key: " + etc.path("tls/tls.key") +
                                                 ": Permission denied; run_as: nobody"),
                             testing::StartsWith("upstreams[0].password_file: ")));
    EXPECT_EQ(::geteuid(), 0U);
    EXPECT_THAT(unreadable_files(**config), testing::IsEmpty()) << "root reads everything";
}

}  // namespace
}  // namespace gatepost::server
