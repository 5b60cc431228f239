// What systemd hears, on a real datagram socket, and what of the environment is left for children.
#include "proxy/server/service_manager.h"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/unique_fd.h"

namespace gatepost::server {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

/// The other end of NOTIFY_SOCKET, with a name like "@gatepost-…" or a path.
class Systemd {
  public:
    explicit Systemd(std::string name) : name_(std::move(name)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name_.data(), name_.size());
        if (name_.front() == '@') address.sun_path[0] = '\0';
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0) << name_;
    }
    Systemd(const Systemd&) = delete;
    Systemd& operator=(const Systemd&) = delete;
    ~Systemd() {
        if (name_.front() == '/') ::unlink(name_.c_str());
    }

    [[nodiscard]] const std::string& name() const { return name_; }

    std::vector<std::string> heard() {
        std::vector<std::string> all;
        std::array<char, 4096> room{};
        for (ssize_t size = 0; (size = ::recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT)) >= 0;)
            all.emplace_back(room.data(), static_cast<std::size_t>(size));
        return all;
    }

  private:
    const std::string name_;
    net::UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

std::string abstract_name() {
    return "@gatepost-test-" + std::to_string(::getpid());
}

/// A worker that answers when the test says so.
class FakeWorker final : public Executor {
  public:
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    void answer() {
        for (Task& task : std::exchange(tasks_, {})) task();
    }
    [[nodiscard]] std::size_t waiting() const { return tasks_.size(); }

  private:
    std::vector<Task> tasks_;
};

void run_for(net::EventLoop& loop, milliseconds time) {
    net::Timer end(loop, [&] { loop.stop(); });
    loop.post([&] { end.start(time); });
    loop.run();
}

class ServiceManagerTest : public testing::Test {
  protected:
    ServiceManager make(Duration watchdog = {}) {
        return ServiceManager(loop_, {.notify_socket = systemd_.name(), .watchdog = watchdog});
    }

    Systemd systemd_{abstract_name()};
    net::EventLoop loop_;
};

TEST(ServiceEnvironment_WhenSet, IsTakenAndGoneForChildren) {
    ::setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    const ServiceEnvironment taken = take_service_environment();
    EXPECT_EQ(taken.notify_socket, "/run/systemd/notify");
    EXPECT_EQ(taken.watchdog, std::chrono::seconds(3));
    for (const char* const name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
        EXPECT_EQ(::getenv(name), nullptr) << name;
    EXPECT_THAT(take_service_environment().notify_socket, IsEmpty());
}

TEST(ServiceEnvironment_WhenTheWatchdogIsAnothers, IsNotWatched) {
    ::setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(take_service_environment().watchdog, Duration::zero());
    for (const char* const nonsense : {"", "-1", "3s", "99999999999999999999"}) {
        ::setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
        ::setenv("WATCHDOG_USEC", nonsense, 1);
        EXPECT_EQ(take_service_environment().watchdog, Duration::zero()) << nonsense;
    }
}

TEST_F(ServiceManagerTest, WhenToldOfAState_SystemdHearsItAsOneDatagram) {
    ServiceManager manager = make();
    manager.ready("serving\non two listeners");
    manager.reloading("reading");
    manager.status("still here");
    manager.stopping("draining", std::chrono::seconds(7));
    EXPECT_THAT(systemd_.heard(),
                ElementsAre("READY=1\nSTATUS=serving on two listeners",
                            MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+\nSTATUS=reading"),
                            "STATUS=still here", "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000\nSTATUS=draining"));
}

TEST_F(ServiceManagerTest, WhenReloading_TheTimeIsThatOfTheMonotonicClock) {
    timespec before{};
    ::clock_gettime(CLOCK_MONOTONIC, &before);
    make().reloading("");
    const std::string said = systemd_.heard().at(0);
    const std::int64_t time = std::stoll(said.substr(said.find("USEC=") + 5));
    EXPECT_GE(time, before.tv_sec * 1'000'000 + before.tv_nsec / 1000);
    EXPECT_LT(time, (before.tv_sec + 60) * 1'000'000);
}

TEST(ServiceManager_WhenTheSocketIsAFile, SystemdHearsIt) {
    Systemd systemd("/tmp/gatepost-notify-" + std::to_string(::getpid()));
    net::EventLoop loop;
    ServiceManager(loop, {.notify_socket = systemd.name()}).ready("serving");
    EXPECT_THAT(systemd.heard(), ElementsAre("READY=1\nSTATUS=serving"));
}

TEST(ServiceManager_WhenNobodyListens, SaysNothingAndGoesOn) {
    net::EventLoop loop;
    for (const std::string& name : {std::string(), std::string("@"), std::string("vsock:2:1234"),
                                    std::string("/nonexistent/socket"), std::string(200, '/')}) {
        ServiceManager(loop, {.notify_socket = name}).ready("serving");
    }
}

TEST_F(ServiceManagerTest, WhenNobodyWatches_NoWorkerIsAsked) {
    FakeWorker worker;
    ServiceManager manager = make();
    manager.watch_over({&worker});
    run_for(loop_, milliseconds(20));
    EXPECT_EQ(worker.waiting(), 0U);
    EXPECT_THAT(systemd_.heard(), IsEmpty());
}

TEST_F(ServiceManagerTest, WhenAllWorkersAnswer_TheWatchdogIsToldEachHalfOfItsTime) {
    net::EventLoop worker;
    std::thread thread([&] { worker.run(); });
    {
        ServiceManager manager = make(milliseconds(100));
        manager.watch_over({&worker});
        run_for(loop_, milliseconds(330));
    }
    const std::vector<std::string> heard = systemd_.heard();
    EXPECT_THAT(heard, testing::Each("WATCHDOG=1"));
    EXPECT_GE(heard.size(), 3U);
    EXPECT_LE(heard.size(), 7U);
    worker.stop();
    thread.join();
}

TEST_F(ServiceManagerTest, WhenOneWorkerIsStuck_TheWatchdogIsNotToldUntilItAnswers) {
    FakeWorker quick;
    FakeWorker stuck;
    ServiceManager manager = make(milliseconds(20));
    manager.watch_over({&quick, &stuck});
    for (int i = 0; i < 5; ++i) {
        quick.answer();
        run_for(loop_, milliseconds(20));
    }
    EXPECT_THAT(systemd_.heard(), IsEmpty());
    EXPECT_EQ(stuck.waiting(), 1U) << "questions must not pile up";
    stuck.answer();
    run_for(loop_, milliseconds(1));
    EXPECT_THAT(systemd_.heard(), ElementsAre("WATCHDOG=1"));
}

TEST_F(ServiceManagerTest, WhenAnAnswerComesAfterTheEnd_NothingHappens) {
    FakeWorker worker;
    {
        ServiceManager manager = make(milliseconds(20));
        manager.watch_over({&worker});
    }
    worker.answer();
    run_for(loop_, milliseconds(5));
    EXPECT_THAT(systemd_.heard(), IsEmpty());
}

}  // namespace
}  // namespace gatepost::server
