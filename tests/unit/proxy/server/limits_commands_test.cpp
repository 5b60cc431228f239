#include "proxy/server/limits_commands.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/net/unique_fd.h"
#include "proxy/policy/memory_limit_store.h"

namespace gatepost::server {
namespace {

using namespace std::chrono_literals;

policy::LimitRule rule(const std::string& name, policy::Counted counted) {
    policy::LimitRule made;
    made.name = name;
    made.counted = counted;
    made.rate = {.count = 100, .per = 1h, .burst = 100};
    made.classes.emplace("bulk", policy::Rate{.count = 100'000, .per = 1h, .burst = 100'000});
    return made;
}

class LimitsCommandsTest : public testing::Test {
  protected:
    void charge(const std::string& key, const policy::Rate& rate, std::uint64_t events) {
        loop_.post([this, key, rate, events] {
            std::vector<policy::LimitQuestion> batch;
            batch.push_back(
                {.key = {key}, .rate = rate, .counting = policy::Counting::kCharge, .events = events});
            store_.ask(std::move(batch), loop_.now(), loop_, [](const policy::LimitAnswers&) {});
        });
    }
    Result<std::string> run(std::vector<std::string> words) {
        std::optional<Result<std::string>> answered;
        loop_.post([&] {
            commands_.run({.words = std::move(words), .user = 0, .may_operate = may_operate_},
                          [&](Result<std::string> answer) {
                              answered = std::move(answer);
                              loop_.post([this] { loop_.stop(); });
                          });
        });
        loop_.run();
        return *answered;
    }

    bool may_operate_ = true;
    net::EventLoop loop_;
    net::UniqueFd nowhere_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    observe::LogSink log_{conf::LogLevel::Error, nowhere_.get()};
    policy::MemoryLimitStore store_;
    const policy::Limits limits_{
        {rule("some", policy::Counted::kMessages), rule("there", policy::Counted::kSessions)}};
    const policy::Guessing guessing_{policy::GuessingSettings{}};
    std::vector<std::string> forgotten_;
    LimitsCommands commands_{loop_,
                             {.store = store_,
                              .inventory = store_,
                              .limits = limits_,
                              .guessing = guessing_,
                              .forgotten = [this](std::string_view key) { forgotten_.emplace_back(key); }},
                             log_};
};

TEST_F(LimitsCommandsTest, List_OfTooMany_ShowsTheMostUsed_AndSaysThatThereAreMore) {
    const std::size_t there = LimitsCommands::kMostShown + 5;
    for (std::size_t i = 0; i < there; ++i)
        charge("limit:some:" + std::to_string(i), limits_.rule(0).rate, i % 7 == 0 ? 50 : 1);
    const std::string text = *run({"list"});
    EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(LimitsCommands::kMostShown + 2));
    EXPECT_TRUE(text.ends_with("\nmore\n"));
    EXPECT_EQ(text.find("\t50\t100\t-\t-\t"), text.find("\t50\t"));
    EXPECT_LT(text.rfind("\t50\t100\t"), text.find("\t1\t100\t"));
    const std::string few = *run({"list", "limit:some:100"});
    EXPECT_FALSE(few.ends_with("more\n"));
    EXPECT_EQ(std::ranges::count(few, '\n'), 1 + 1 + 5) << "100 and 1000 to 1004";
}

TEST_F(LimitsCommandsTest, List_OfAKeyOfNoRule_ShowsThatItIsThere) {
    charge("limit:gone:x", limits_.rule(0).rate, 100);
    EXPECT_TRUE(run({"list"})->ends_with("\nlimit:gone:x\t-\t-\t-\t-\t-\t3600\n"));
    EXPECT_FALSE(run({"show", "limit:gone:x"}));
    EXPECT_TRUE(run({"reset", "limit:gone:x"}));
    EXPECT_EQ(forgotten_, std::vector<std::string>{"limit:gone:x"}) << "the metrics may have known of it";
}

TEST_F(LimitsCommandsTest, LookingAtAKey_TakesNothingOffIt_WhateverItsClass) {
    charge("limit:some:x", limits_.rule(0).classes.at("bulk"), 99'999);
    EXPECT_TRUE(run({"list"}));
    EXPECT_TRUE(run({"show", "limit:some:x"}));
    EXPECT_NE(run({"peek", "limit:some:x", "bulk", "1"})->find("\nused\t99999\nrefused\t-\n"),
              std::string::npos);
    EXPECT_NE(run({"peek", "limit:some:x", "bulk", "2"})->find("\nrefused\tdefer\nretry_after\t1\n"),
              std::string::npos);
}

TEST_F(LimitsCommandsTest, Peek_OfWhatIsNotCounted_IsNothingUsed) {
    EXPECT_NE(run({"peek", "limit:some:new", "", "1"})->find("\nused\t0\nrefused\t-\n"), std::string::npos);
    EXPECT_NE(run({"peek", "limit:there:new", "", "1"})->find("\nused\t0\nrefused\t-\n"), std::string::npos);
    EXPECT_NE(run({"peek", "limit:some:new", "", "101"})->find("\nretry_after\tnever\n"), std::string::npos);
    EXPECT_FALSE(run({"show", "limit:some:new"}));
    EXPECT_FALSE(run({"reset", "limit:some:new"}));
    EXPECT_TRUE(forgotten_.empty());
}

TEST_F(LimitsCommandsTest, WrongWords_AreToldTheRightOnes) {
    using Words = std::vector<std::string>;
    for (const Words& words : {Words{}, Words{"what"}, Words{"show"}, Words{"reset"}, Words{"list", "a", "b"},
                               Words{"reset", "a", "b"}}) {
        const auto answer = run(words);
        ASSERT_FALSE(answer);
        EXPECT_NE(answer.error().message.find("expected limits list"), std::string::npos);
    }
    EXPECT_FALSE(run({"peek", "limit:some:x", "", "0"}));
    EXPECT_FALSE(run({"peek", "limit:some:x", "", "x"}));
}

TEST_F(LimitsCommandsTest, WhoMayOnlyLook_SeesAndForgetsNothing) {
    charge("limit:some:x", {.count = 3, .per = 1h, .burst = 3}, 3);
    may_operate_ = false;
    EXPECT_FALSE(run({"reset", "limit:some:x"}));
    EXPECT_TRUE(run({"show", "limit:some:x"}));
    may_operate_ = true;
    EXPECT_TRUE(run({"reset", "limit:some:x"}));
}

}  // namespace
}  // namespace gatepost::server
