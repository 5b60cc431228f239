// The connection and the store over it, against a server that does what each story needs.
#include "backends/redis/redis_connection.h"

#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "backends/redis/redis_store.h"
#include "tests/unit/backends/redis/fake_redis.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::backends::testing {
namespace {

using namespace std::chrono_literals;
using net::testing::run_until;
using Status = auth::Lookup::Status;

class RedisConnectionTest : public ::testing::Test {
  protected:
    RedisSettings settings() {
        RedisSettings made;
        made.url = *RedisUrl::parse(url.empty() ? "redis://" + fake.address() : url);
        made.timeout = made.connect_timeout = 300ms;
        return made;
    }

    RedisConnection& start(RedisSettings with) {
        return connection.emplace(loop, resolver, std::move(with), observer);
    }

    RedisConnection& connected() {
        start(settings());
        EXPECT_TRUE(run_until(loop, [&] { return connection->is_connected(); }));
        fake.commands.clear();
        return *connection;
    }

    RedisConnection::Answer keep() {
        return [this](RedisOutcome outcome) { outcomes.push_back(std::move(outcome)); };
    }

    RedisStatus ask(std::string_view word = "GET") {
        const std::size_t before = outcomes.size();
        connection->command({word}, keep());
        EXPECT_EQ(outcomes.size(), before) << "answered inside the call";
        EXPECT_TRUE(run_until(loop, [&] { return outcomes.size() > before; }));
        return outcomes.back().status;
    }

    net::EventLoop loop;
    net::BackgroundThread background;
    net::Resolver resolver{background};
    FakeRedis fake{loop};
    FakeObserver observer;
    std::string url;
    std::vector<RedisOutcome> outcomes;
    std::optional<RedisConnection> connection;
};

TEST_F(RedisConnectionTest, Greeting_AuthenticatesSelectsAndNamesItselfInOneWrite) {
    url = "redis://bob:secret@" + fake.address() + "/5";
    start(settings());
    ASSERT_TRUE(run_until(loop, [&] { return connection->is_connected(); }));
    EXPECT_EQ(fake.commands,
              (std::vector<std::string>{"AUTH bob secret", "SELECT 5", "CLIENT SETNAME gatepost", "PING"}));
    EXPECT_EQ(fake.reads, std::vector<std::size_t>{4});
    EXPECT_EQ(observer.connected, std::vector<std::string>{fake.address()});
}

TEST_F(RedisConnectionTest, SettingsPassword_IsUsedInsteadOfTheUrls) {
    url = "redis://bob:old@" + fake.address();
    RedisSettings with = settings();
    with.username = "alice";
    with.password = std::make_shared<const Secret>("new");
    start(std::move(with));
    ASSERT_TRUE(run_until(loop, [&] { return connection->is_connected(); }));
    EXPECT_EQ(fake.commands.front(), "AUTH alice new");
}

TEST_F(RedisConnectionTest, PasswordThatChanges_IsUsedFromTheNextConnectionOn) {
    fake.answers["AUTH old"] = "-WRONGPASS invalid username-password pair\r\n";
    RedisSettings with = settings();
    with.password = std::make_shared<const Secret>("old");
    RedisConnection& mine = start(std::move(with));
    ASSERT_TRUE(run_until(loop, [&] { return observer.lost.size() == 4; }))
        << "now it rests for 200 ms or more";
    const TimePoint before = loop.now();
    mine.set_password(std::make_shared<const Secret>("new"));
    ASSERT_TRUE(run_until(loop, [&] { return mine.is_connected(); }));
    EXPECT_LT(loop.now() - before, 150ms);
    EXPECT_EQ(fake.count("AUTH new"), 1);

    const int accepted = fake.accepted;
    mine.set_password(std::make_shared<const Secret>("newest"));
    EXPECT_EQ(ask(), RedisStatus::kReply);
    EXPECT_EQ(fake.accepted, accepted) << "the connection that stands goes on";
    fake.drop_clients();
    ASSERT_TRUE(run_until(loop, [&] { return fake.count("AUTH newest") == 1; }));
}

TEST_F(RedisConnectionTest, CommandsOfOneTurn_LeaveInOneWriteAndAreAnsweredInOrder) {
    fake.script = [](const std::string& words) {
        return words.starts_with("GET") ? std::optional(bulk(words)) : std::nullopt;
    };
    connected();
    fake.reads.clear();
    for (const char* key : {"a", "b", "c"}) connection->command({"GET", key}, keep());
    ASSERT_TRUE(run_until(loop, [&] { return outcomes.size() == 3; }));
    EXPECT_EQ(fake.reads, std::vector<std::size_t>{3});
    EXPECT_EQ(outcomes[0].reply.octets.reveal(), "GET a");
    EXPECT_EQ(outcomes[2].reply.octets.reveal(), "GET c");
}

TEST_F(RedisConnectionTest, WhatItIsAt_IsToldWheneverItChanges) {
    using enum RedisUse;
    connected();
    EXPECT_EQ(observer.uses, (std::vector{kOpening, kIdle}));
    for (const char* key : {"a", "b"}) connection->command({"GET", key}, keep());
    ASSERT_TRUE(run_until(loop, [&] { return outcomes.size() == 2; }));
    EXPECT_EQ(observer.uses, (std::vector{kOpening, kIdle, kActive, kIdle}));
    observer.uses.clear();
    fake.drop_clients();
    ASSERT_TRUE(run_until(loop, [&] { return observer.connected.size() == 2; }));
    EXPECT_EQ(observer.uses, (std::vector{kNone, kOpening, kIdle}));
}

TEST_F(RedisConnectionTest, CommandBeforeTheConnection_WaitsForIt) {
    start(settings());
    EXPECT_EQ(ask(), RedisStatus::kReply);
}

TEST_F(RedisConnectionTest, AuthRefused_SaysTheCodeAndNothingElse) {
    fake.answers["AUTH secret"] = "-ERR unknown command AUTH, with args beginning with: secret\r\n";
    url = "redis://:secret@" + fake.address();
    start(settings());
    ASSERT_TRUE(run_until(loop, [&] { return !observer.lost.empty(); }));
    EXPECT_EQ(observer.lost.front(), "AUTH was refused: ERR");
}

TEST_F(RedisConnectionTest, PasswordWanted_OrLoading_IsNotReady) {
    fake.answers["PING"] = "-NOAUTH Authentication required.\r\n";
    start(settings());
    ASSERT_TRUE(run_until(loop, [&] { return !observer.lost.empty(); }));
    EXPECT_EQ(observer.lost.front(), "PING was refused: NOAUTH");
    fake.answers["PING"] = "+PONG\r\n";
    ASSERT_TRUE(run_until(loop, [&] { return connection->is_connected(); })) << "tries again by itself";
}

TEST_F(RedisConnectionTest, Silence_TimesOutAndTheConnectionIsMadeAnew) {
    fake.answers["GET"] = fake.answers["LATER"] = "";
    connected();
    loop.post([&] {  // in one turn, which has one time
        connection->command({"GET"}, keep());
        connection->command({"LATER"}, keep());
    });
    ASSERT_TRUE(run_until(loop, [&] { return outcomes.size() == 2; }));
    EXPECT_EQ(outcomes[0].status, RedisStatus::kTimedOut);
    EXPECT_EQ(outcomes[1].status, RedisStatus::kTimedOut) << "asked in the same instant";
    fake.answers.erase("GET");
    EXPECT_EQ(ask(), RedisStatus::kReply);
    EXPECT_EQ(fake.accepted, 2);
}

TEST_F(RedisConnectionTest, LossOfTheConnection_FailsAtOnceWhatIsInFlightAndComesBack) {
    fake.answers["GET"] = "";
    connected();
    connection->command({"GET"}, keep());
    ASSERT_TRUE(run_until(loop, [&] { return fake.count("GET") == 1; }));
    const TimePoint before = Clock::now();
    fake.drop_clients();
    ASSERT_TRUE(run_until(loop, [&] { return outcomes.size() == 1; }));
    EXPECT_EQ(outcomes[0].status, RedisStatus::kDisconnected);
    EXPECT_LT(Clock::now() - before, 200ms);
    EXPECT_EQ(ask("SET"), RedisStatus::kReply);
    EXPECT_EQ(fake.count("GET"), 1) << "nothing is sent twice";
}

TEST_F(RedisConnectionTest, Breaker_OpensAfterFiveFailuresRefusesAtOnceAndCloses) {
    connected();
    fake.go_away();
    ASSERT_TRUE(run_until(loop, [&] { return observer.breaker == std::vector<bool>{true}; }));
    EXPECT_GE(observer.lost.size(), 5U);
    const TimePoint before = Clock::now();
    EXPECT_EQ(ask(), RedisStatus::kRefused);
    EXPECT_LT(Clock::now() - before, 100ms);
    fake.come_back();
    ASSERT_TRUE(run_until(loop, [&] { return connection->is_connected(); }));
    EXPECT_EQ(ask(), RedisStatus::kReply);
    EXPECT_EQ(observer.breaker, (std::vector<bool>{true, false}));
}

TEST_F(RedisConnectionTest, Breaker_HalfOpen_LetsOneProbeThroughAndItsAnswerTheRest) {
    connected();
    fake.go_away();
    ASSERT_TRUE(run_until(loop, [&] { return !observer.breaker.empty(); }));
    fake.come_back();
    ASSERT_TRUE(run_until(loop, [&] { return connection->is_connected(); }));
    fake.reads.clear();
    for (int at = 0; at < 3; ++at) connection->command({"GET"}, keep());
    ASSERT_TRUE(run_until(loop, [&] { return outcomes.size() == 3; }));
    EXPECT_EQ(fake.reads, (std::vector<std::size_t>{1, 2}));
}

TEST_F(RedisConnectionTest, TooManyWaiting_AreRefused) {
    RedisSettings with = settings();
    with.most_waiting = 2;
    start(std::move(with));
    for (int at = 0; at < 3; ++at) connection->command({"GET"}, keep());
    ASSERT_TRUE(run_until(loop, [&] { return outcomes.size() == 3; }));
    EXPECT_EQ(outcomes[0].status, RedisStatus::kRefused);
    EXPECT_EQ(outcomes[1].status, RedisStatus::kReply);
}

TEST_F(RedisConnectionTest, NonsenseOrAnAnswerTooMany_DropsTheConnection) {
    connected();
    fake.send_to_all("+unasked\r\n");
    ASSERT_TRUE(run_until(loop, [&] { return observer.lost.size() == 1; }));
    EXPECT_EQ(observer.lost[0], "it answers what it was not asked");
    ASSERT_TRUE(run_until(loop, [&] { return connection->is_connected(); }));
    fake.answers["GET"] = "220 mail.example ESMTP\r\n";
    EXPECT_EQ(ask(), RedisStatus::kDisconnected);
    EXPECT_EQ(observer.lost[1], "its answer is not of the Redis protocol, or too large");
}

TEST_F(RedisConnectionTest, Idle_IsPinged) {
    RedisSettings with = settings();
    with.idle = 20ms;
    start(std::move(with));
    ASSERT_TRUE(run_until(loop, [&] { return fake.count("PING") >= 4; }));
    fake.answers["PING"] = "";
    ASSERT_TRUE(run_until(loop, [&] { return observer.lost.size() == 1; }));
    EXPECT_EQ(observer.lost[0], "no answer to a command in time");
}

TEST_F(RedisConnectionTest, ServerThatAcceptsAndSaysNothing_IsGivenUp) {
    fake.script = [](const std::string&) { return std::optional<std::string>(""); };
    start(settings());
    EXPECT_EQ(ask(), RedisStatus::kTimedOut);
    ASSERT_TRUE(run_until(loop, [&] { return !observer.lost.empty(); }));
    EXPECT_EQ(observer.lost[0], "it does not answer in time");
}

TEST_F(RedisConnectionTest, End_AnswersEverything) {
    fake.answers["GET"] = "";
    connected();
    connection->command({"GET"}, keep());
    ASSERT_TRUE(run_until(loop, [&] { return fake.count("GET") == 1; }));
    connection.reset();
    ASSERT_TRUE(run_until(loop, [&] { return outcomes.size() == 1; }));
    EXPECT_EQ(outcomes[0].status, RedisStatus::kDisconnected);
}

TEST_F(RedisConnectionTest, UnixSocket_AndItsAbsence) {
    const net::testing::TemporaryFolder folder;
    const std::string path = folder.path("redis.sock");
    url = "unix://" + path;
    start(settings());
    ASSERT_TRUE(run_until(loop, [&] { return !observer.lost.empty(); }));
    EXPECT_EQ(observer.lost[0], "it cannot be connected to: No such file or directory");
    FakeRedis local(loop, "unix:" + path);
    EXPECT_EQ(ask(), RedisStatus::kReply);
}

net::TlsSettings served_by(const net::CertificateFiles& files) {
    net::TlsSettings settings;
    settings.certificates = {files};
    return settings;
}

TEST_F(RedisConnectionTest, Tls_TalksToTheNamedServerOnly) {
    const net::testing::TemporaryFolder folder;
    const auto files = net::testing::make_certificate(folder, "redis", "redis", {"localhost"});
    const auto served = net::TlsContext::make(served_by(files));
    ASSERT_TRUE(served);
    fake.tls = served->get();
    const std::string port = fake.address().substr(fake.address().find(':'));
    for (const auto& [host, reason] :
         {std::pair<std::string, std::string>{"localhost", ""}, {"127.0.0.1", "TLS: IP address mismatch"}}) {
        observer.lost.clear();
        url = "rediss://" + host + port;
        RedisSettings with = settings();
        auto tls = make_redis_tls(with.url, files.certificate);
        ASSERT_TRUE(tls);
        with.tls = *tls;
        start(std::move(with));
        ASSERT_TRUE(run_until(loop, [&] { return connection->is_connected() || observer.lost.size() > 1; }));
        if (reason.empty()) {
            EXPECT_EQ(ask(), RedisStatus::kReply);
        } else {
            EXPECT_EQ(observer.lost.front(), reason);
        }
    }
}

// ---- the store

class RedisStoreTest : public RedisConnectionTest {
  protected:
    auth::Lookup lookup(std::string_view user) {
        std::optional<auth::Lookup> found;
        store->lookup(user, loop, [&](auth::Lookup answer) { found = std::move(answer); });
        EXPECT_FALSE(found);
        EXPECT_TRUE(run_until(loop, [&] { return found.has_value(); }));
        return std::move(*found);
    }
    void start_store() {
        store.emplace(loop, resolver, RedisStoreSettings{.name = "r", .key = "u:{user}", .redis = settings()},
                      observer);
    }
    std::optional<RedisStore> store;
};

TEST_F(RedisStoreTest, Lookup_FindsKnowsNobodyOrCannotSay) {
    fake.answers["HGETALL u:bob"] = array({"record", "{PLAIN}x", "limit_class", "bulk"});
    fake.answers["HGETALL u:nobody"] = "*0\r\n";
    fake.answers["HGETALL u:string"] = "-WRONGTYPE Operation against a key\r\n";
    fake.answers["HGETALL u:slow"] = "";
    start_store();
    const auto bob = lookup("bob");
    ASSERT_EQ(bob.status, Status::kFound);
    EXPECT_EQ(bob.backend, "r");
    EXPECT_EQ(bob.credential->record.reveal(), "{PLAIN}x");
    EXPECT_EQ(bob.credential->attributes.at("limit_class"), "bulk");
    EXPECT_EQ(lookup("nobody").status, Status::kUnknown);
    EXPECT_EQ(lookup("string").status, Status::kUnavailable);
    EXPECT_EQ(lookup("slow").status, Status::kUnavailable);
    fake.answers["HGETALL u:bob"] = array({"record", "{PLAIN}new"});
    EXPECT_EQ(lookup("bob").credential->record.reveal(), "{PLAIN}new") << "a change takes effect at once";
}

TEST_F(RedisStoreTest, NoServer_IsUnavailable) {
    fake.go_away();
    start_store();
    EXPECT_EQ(lookup("bob").status, Status::kUnavailable);
}

TEST_F(RedisStoreTest, End_WithALookupOnItsWay_IsUnavailable) {
    start_store();
    std::optional<auth::Lookup> found;
    store->lookup("bob", loop, [&](auth::Lookup answer) { found = std::move(answer); });
    store.reset();
    ASSERT_TRUE(run_until(loop, [&] { return found.has_value(); }));
    EXPECT_EQ(found->status, Status::kUnavailable);
}

TEST_F(RedisStoreTest, Lookup_FromAnotherThread_IsAnsweredAtItsHome) {
    fake.answers["HGETALL u:bob"] = array({"record", "{PLAIN}x"});
    start_store();
    std::optional<auth::Lookup> found;
    std::jthread other(
        [&] { store->lookup("bob", loop, [&](auth::Lookup answer) { found = std::move(answer); }); });
    ASSERT_TRUE(run_until(loop, [&] { return found.has_value(); }));
    EXPECT_EQ(found->status, Status::kFound);
}

}  // namespace
}  // namespace gatepost::backends::testing
