// The admin HTTP server as a plain socket sees it, well-behaved or not.
#include "proxy/observe/admin_http.h"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <event2/event.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/observe/metrics_registry.h"

namespace gatepost::observe {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Socket {
  public:
    explicit Socket(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_port = htons(port);
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    }
    ~Socket() { close(fd_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// False when the server has closed.
    bool send(std::string_view text) const {
        return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) >= 0;
    }
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

class AdminHttpTest : public testing::Test {
  protected:
    AdminHttpTest() {
        auto made = AdminHttp::listen(base_.get(), "127.0.0.1:0", sources());
        EXPECT_TRUE(made.has_value()) << made.error().message;
        server_ = std::move(*made);
    }

    ~AdminHttpTest() override {
        for (const int fd : opened_) close(fd);
    }
    AdminHttpTest(const AdminHttpTest&) = delete;
    AdminHttpTest& operator=(const AdminHttpTest&) = delete;

    AdminSources sources() {
        return {.metrics = [this] { return registry_.scrape(); },
                .unready_because = [this] { return unready_because_; },
                .status_json = [] { return std::string("{}\n"); },
                .status_page = [] { return std::string("<p>page</p>\n"); },
                .answered = [this](conf::AdminRoute route,
                                   conf::CodeClass code) { worker_.admin_answered(route, code); }};
    }

    void turn() { event_base_loop(base_.get(), EVLOOP_NONBLOCK); }

    /// Runs the loop until the server ends the connection; everything it said.
    std::string read_to_end(const Socket& client) {
        std::string all;
        const auto give_up_at = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < give_up_at) {
            turn();
            pollfd readable{client.fd(), POLLIN, 0};
            if (poll(&readable, 1, 1) == 0) continue;
            std::array<char, 65536> piece{};
            const ssize_t count = recv(client.fd(), piece.data(), piece.size(), 0);
            if (count <= 0) return all;
            all.append(piece.data(), static_cast<std::size_t>(count));
        }
        ADD_FAILURE() << "the connection stays open; so far: " << all;
        return all;
    }

    std::string ask(std::string_view request) {
        const Socket client(server_->port());
        client.send(request);
        return read_to_end(client);
    }
    std::string get(const std::string& path) { return ask("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"); }

    struct FreeBase {
        void operator()(event_base* base) const { event_base_free(base); }
    };
    std::unique_ptr<event_base, FreeBase> base_{event_base_new()};
    MetricsRegistry registry_{LabelSets{}};
    WorkerMetrics& worker_ = registry_.add_worker();
    std::vector<std::string> unready_because_;
    std::unique_ptr<AdminHttp> server_;
    std::vector<int> opened_;
};

TEST_F(AdminHttpTest, MetricsAreTheExpositionFormat) {
    const std::string answer = get("/metrics");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\n# HELP gatepost_build_info "));
    EXPECT_THAT(answer, EndsWith("\n"));
    EXPECT_THAT(get("/metrics?x=1"),
                HasSubstr("admin_requests_total{route=\"/metrics\",code_class=\"2xx\"} 1\n"));
}

TEST_F(AdminHttpTest, LivezIsOkWhateverTheReadiness) {
    unready_because_ = {"draining"};
    EXPECT_THAT(get("/livez"), testing::AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\nok\n")));
}

TEST_F(AdminHttpTest, ReadyzSaysWhyNot) {
    EXPECT_THAT(get("/readyz"), testing::AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\nok\n")));
    unready_because_ = {"draining", "upstream default: no server is healthy"};
    EXPECT_THAT(get("/readyz"),
                testing::AllOf(StartsWith("HTTP/1.1 503 Service Unavailable\r\n"),
                               EndsWith("\r\n\r\ndraining\nupstream default: no server is healthy\n")));
    unready_because_.clear();
    EXPECT_THAT(get("/readyz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminHttpTest, HeadIsTheSameWithoutABody) {
    const std::string answer = ask("HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(answer, testing::AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                                       HasSubstr("\r\nContent-Length: 3\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(AdminHttpTest, StatusIsForPeopleAndForPrograms) {
    EXPECT_THAT(get("/status"), testing::AllOf(HasSubstr("\r\nContent-Type: text/html; charset=utf-8\r\n"),
                                               EndsWith("\r\n\r\n<p>page</p>\n")));
    EXPECT_THAT(get("/status.json"),
                testing::AllOf(HasSubstr("\r\nContent-Type: application/json"), EndsWith("\r\n\r\n{}\n")));
    for (const char* path : {"/status", "/status.json"})
        EXPECT_THAT(registry_.scrape(), HasSubstr("admin_requests_total{route=\"" + std::string(path) +
                                                  "\",code_class=\"2xx\"} 1\n"));
}

TEST_F(AdminHttpTest, WhateverHostAndAcceptSay_TheAnswerIsTheSame) {
    for (const char* headers : {"", "Host: evil.example:1\r\n", "Host:\r\nAccept: image/png\r\n",
                                "Accept: application/openmetrics-text; version=1.0.0\r\n"})
        EXPECT_THAT(ask("GET /livez HTTP/1.1\r\n" + std::string(headers) + "\r\n"), EndsWith("\r\n\r\nok\n"));
}

TEST_F(AdminHttpTest, UnknownPathsAreNotFound) {
    for (const char* path :
         {"/", "/metricsx", "/livez/", "/METRICS", "//metrics", "/../metrics", "/%6detrics"}) {
        EXPECT_THAT(get(path), StartsWith("HTTP/1.1 404 Not Found\r\n")) << path;
    }
    EXPECT_THAT(registry_.scrape(),
                HasSubstr("admin_requests_total{route=\"other\",code_class=\"4xx\"} 7\n"));
}

TEST_F(AdminHttpTest, OtherMethodsAreRefused) {
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"}) {
        const std::string answer =
            ask(std::string(method) + " /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        EXPECT_THAT(answer,
                    testing::AllOf(StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"),
                                   HasSubstr("\r\nAllow: GET, HEAD\r\n"), Not(HasSubstr("gatepost_"))))
            << method;
    }
    EXPECT_THAT(ask("BREW /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), Not(HasSubstr(" 200 ")));
}

TEST_F(AdminHttpTest, OversizedRequestsEndAndOthersAreServed) {
    const std::string endless(1 << 20, 'a');
    for (const std::string& request :
         {"GET /" + endless + " HTTP/1.1\r\n\r\n", "GET /livez HTTP/1.1\r\nX: " + endless + "\r\n\r\n",
          "POST /livez HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n" + endless, endless}) {
        const Socket client(server_->port());
        const timeval at_most{0, 1000};
        setsockopt(client.fd(), SOL_SOCKET, SO_SNDTIMEO, &at_most, sizeof at_most);
        for (std::size_t at = 0; at < request.size(); at += 65536) {
            if (!client.send(std::string_view(request).substr(at, 65536)) && errno != EAGAIN) break;
            turn();
        }
        EXPECT_THAT(read_to_end(client), Not(HasSubstr(" 200 ")));
    }
    EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminHttpTest, NoiseIsNotServed) {
    const std::string noise("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15);
    EXPECT_THAT(ask(noise), Not(HasSubstr(" 200 ")));
    EXPECT_THAT(ask("GET\r\n\r\n"), Not(HasSubstr(" 200 ")));
    EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminHttpTest, ARequestInSingleOctetsIsServed) {
    const Socket client(server_->port());
    for (const char c : std::string_view("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")) {
        client.send({&c, 1});
        turn();
    }
    EXPECT_THAT(read_to_end(client), EndsWith("\r\n\r\nok\n"));
}

TEST_F(AdminHttpTest, WhoTricklesOrSaysNothingIsCutOffAndHoldsNobodyUp) {
    const Socket trickling(server_->port());
    const Socket silent(server_->port());
    const auto begin = std::chrono::steady_clock::now();
    trickling.send("GET /livez HTTP/1.1\r\nX: ");
    turn();
    EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 "));
    while (trickling.send("a") && std::chrono::steady_clock::now() - begin < 20s) {
        turn();
        std::this_thread::sleep_for(20ms);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 15s) << "10 s, whatever it sends meanwhile";
    EXPECT_EQ(read_to_end(silent), "");
}

TEST_F(AdminHttpTest, WhenTooManyConnectionsAreOpen_TheOldestThatAskedNothingIsCutOff) {
    std::vector<std::unique_ptr<Socket>> idle;
    for (int i = 0; i < 64; ++i) {
        idle.push_back(std::make_unique<Socket>(server_->port()));
        turn();
    }
    idle[1]->send("GET /livez HTTP/1.1\r\n");
    turn();
    EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(read_to_end(*idle[0]), "");
    idle[1]->send("\r\n");
    EXPECT_THAT(read_to_end(*idle[1]), StartsWith("HTTP/1.1 200 ")) << "the others stay";
    for (int i = 0; i < 100; ++i) EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 ")) << i;
}

TEST_F(AdminHttpTest, FinishedRequestsDoNotCountAsOpen) {
    for (int i = 0; i < 200; ++i) ASSERT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 ")) << i;
}

// A probe of the upstream once waited in vain for the octets on a descriptor that a scrape had had before it.
TEST_F(AdminHttpTest, WhenARequestIsOver_ItsDescriptorRingsForTheNextOwner) {
    for (int i = 0; i < 3; ++i) get("/livez");
    for (int i = 0; i < 8; ++i) {
        std::array<int, 2> ends{};
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
        for (const auto& [reader, writer] : {std::pair(ends[0], ends[1]), std::pair(ends[1], ends[0])}) {
            bool has_rung = false;
            event* const watch = event_new(
                base_.get(), reader, EV_READ,
                [](int, short, void* rung) { *static_cast<bool*>(rung) = true; }, &has_rung);
            event_add(watch, nullptr);
            ASSERT_EQ(write(writer, "x", 1), 1);
            turn();
            EXPECT_TRUE(has_rung) << "descriptor " << reader;
            event_free(watch);
        }
        // Left open until the end, so that the next pair gets other descriptors.
        opened_.insert(opened_.end(), ends.begin(), ends.end());
    }
}

TEST_F(AdminHttpTest, WhenItEndsWithConnectionsOpen_TheyEnd) {
    const Socket client(server_->port());
    client.send("GET /livez HTTP/1.1\r\n");
    turn();
    server_.reset();
    EXPECT_EQ(read_to_end(client), "");
}

TEST_F(AdminHttpTest, AddressesThatCannotBeListenedOnAreErrors) {
    const auto taken =
        AdminHttp::listen(base_.get(), "127.0.0.1:" + std::to_string(server_->port()), sources());
    ASSERT_FALSE(taken.has_value());
    EXPECT_THAT(taken.error().message, HasSubstr("Address already in use"));
    for (const char* address :
         {"", "localhost:9587", "127.0.0.1:99999", "[::1", "*", "*:", "unix:/tmp/x", "nonsense\n"}) {
        const auto made = AdminHttp::listen(base_.get(), address, sources());
        ASSERT_FALSE(made.has_value()) << address;
        EXPECT_THAT(made.error().message, testing::AllOf(HasSubstr("is no address"), Not(HasSubstr("\n"))));
    }
}

TEST_F(AdminHttpTest, ListensOnIPv6) {
    const auto made = AdminHttp::listen(base_.get(), "[::1]:0", sources());
    if (!made) GTEST_SKIP() << "no IPv6 here: " << made.error().message;
    EXPECT_NE((*made)->port(), 0);
}

TEST_F(AdminHttpTest, ListensOnEveryAddress) {
    const auto made = AdminHttp::listen(base_.get(), "*:0", sources());
    ASSERT_TRUE(made) << made.error().message;
    const auto second =
        AdminHttp::listen(base_.get(), "0.0.0.0:" + std::to_string((*made)->port()), sources());
    EXPECT_FALSE(second);
}

}  // namespace
}  // namespace gatepost::observe
