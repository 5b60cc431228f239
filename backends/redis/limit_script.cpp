#include "backends/redis/limit_script.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string_view>

#include "backends/redis/limit_lua.h"

namespace gatepost::backends {

namespace {

__extension__ using Wide = __int128;
using policy::Counting;
using policy::LimitQuestion;
using policy::Rate;

constexpr std::string_view kRatePrefix = "gatepost:";
constexpr std::string_view kSessionsPrefix = "gatepost:sessions:";

/// When somebody leaves nobody can know.
constexpr std::chrono::seconds kRetrySessions{1};

std::int64_t microseconds_up(Duration time) {
    return std::chrono::ceil<std::chrono::microseconds>(time).count();
}

/// A question in grains: a microsecond wears off `wear` of them, and an event costs `event`.
struct Grains {
    explicit Grains(const LimitQuestion& question) {
        const Rate& rate = question.rate;
        const auto count = static_cast<std::int64_t>(std::clamp<std::uint64_t>(rate.count, 1, Rate::kMost));
        const std::int64_t per = std::max<std::int64_t>(microseconds_up(rate.per), 1);
        const std::int64_t common = std::gcd(count, per);
        wear = count / common;
        event = per / common;
        cost = event * std::min(question.events, Rate::kMost);
        room = event * std::min(rate.burst, Rate::kMost);
        deepest = room + event * std::min(rate.debt, Rate::kMost);
    }

    Wide wear;
    Wide event;
    Wide cost;
    Wide room;
    Wide deepest;
};

bool is_of_sessions(const LimitQuestion& question) {
    return question.counting == Counting::kEnter || question.counting == Counting::kLeave;
}

std::string_view kind_of(const LimitQuestion& question) {
    switch (question.counting) {
        case Counting::kPeek: return "p";
        case Counting::kCharge: return question.is_binding ? "C" : "c";
        case Counting::kRecord: return "r";
        case Counting::kReturn: return "t";
        case Counting::kEnter: return question.is_binding ? "E" : "e";
        case Counting::kLeave: return "l";
    }
    return "p";
}

std::string text_of(Wide number) {
    if (number <= std::numeric_limits<std::int64_t>::max())
        return std::to_string(static_cast<std::int64_t>(number));
    // Lua has no more digits than a double either.
    std::string text = std::to_string(static_cast<double>(number));
    text.resize(text.find('.'));
    return text;
}

void append_question(std::vector<std::string>& words, const LimitQuestion& question, TimePoint now) {
    words.emplace_back(kind_of(question));
    if (is_of_sessions(question)) {
        const std::string most = std::to_string(question.rate.burst);
        words.insert(words.end(), {std::to_string(question.events), "1", "1", most, most});
        return;
    }
    Grains grains(question);
    if (question.counting == Counting::kReturn) {
        const std::int64_t held = std::max<std::int64_t>(microseconds_up(now - question.counted_at), 0);
        grains.cost = std::max<Wide>(grains.cost - grains.wear * held, 0);
    }
    for (const Wide number : {grains.cost, grains.event, grains.wear, grains.room, grains.deepest})
        words.push_back(text_of(number));
}

std::optional<Wide> level_of(const RedisReply& reply) {
    if (reply.is(RedisReply::Kind::kInteger)) return reply.integer;
    if (!reply.is(RedisReply::Kind::kText)) return std::nullopt;
    return static_cast<Wide>(std::strtod(std::string(reply.octets.reveal()).c_str(), nullptr));
}

Duration wait_for(const Grains& grains, Wide level) {
    if (grains.cost > grains.room) return Duration::max();
    const Wide wait = (level + grains.cost - grains.room + grains.wear - 1) / grains.wear;
    constexpr std::int64_t kLongest = std::chrono::floor<std::chrono::microseconds>(Duration::max()).count();
    return std::chrono::microseconds(static_cast<std::int64_t>(std::clamp<Wide>(wait, 1, kLongest - 1)));
}

policy::LimitAnswer answer_of(const LimitQuestion& question, bool is_allowed, Wide before, Wide level) {
    if (is_of_sessions(question)) {
        const auto there = static_cast<std::uint64_t>(level);
        if (is_allowed) return policy::Allow{.used = there};
        const bool is_never = question.events > question.rate.burst;
        return policy::Refused{is_never ? Duration::max() : kRetrySessions, there};
    }
    const Grains grains(question);
    const auto used = static_cast<std::uint64_t>((level + grains.event - 1) / grains.event);
    if (is_allowed) return policy::Allow{.used = used};
    return policy::Refused{wait_for(grains, before), used};
}

std::string with_clock(std::string_view script) {
    return std::string(kClockLua).append(script);
}

}  // namespace

std::string rate_key(std::string_view key) {
    return std::string(kRatePrefix).append(key);
}

std::string sessions_key(std::string_view key) {
    return std::string(kSessionsPrefix).append(key);
}

std::optional<KeyOfLimit> limit_key_of(std::string_view redis_key) {
    for (const bool is_of_sessions : {true, false}) {
        const std::string_view prefix = is_of_sessions ? kSessionsPrefix : kRatePrefix;
        if (redis_key.starts_with(prefix))
            return KeyOfLimit{.text = redis_key.substr(prefix.size()), .is_of_sessions = is_of_sessions};
    }
    return std::nullopt;
}

std::string_view limit_script() {
    static const std::string script = with_clock(kLimitLua);
    return script;
}
std::string_view heartbeat_script() {
    static const std::string script = with_clock(kHeartbeatLua);
    return script;
}
std::string_view restate_script() {
    return kRestateLua;
}
std::string_view show_script() {
    static const std::string script = with_clock(kShowLua);
    return script;
}
std::string_view forget_script() {
    return kForgetLua;
}

std::vector<std::string> limit_words(std::span<const LimitQuestion> batch, const LimitAsker& asker) {
    constexpr std::size_t kWordsOfQuestion = 7;
    std::vector<std::string> words;
    words.reserve(4 + kWordsOfQuestion * batch.size());
    const bool is_about_sessions = std::ranges::any_of(batch, is_of_sessions);
    words.push_back(std::to_string(batch.size() + (is_about_sessions ? 1 : 0)));
    for (const LimitQuestion& question : batch)
        words.push_back(is_of_sessions(question) ? sessions_key(question.key.text)
                                                 : rate_key(question.key.text));
    if (is_about_sessions) words.emplace_back(kReplicasKey);
    words.emplace_back(asker.clock);
    words.emplace_back(asker.field);
    for (const LimitQuestion& question : batch) append_question(words, question, asker.now);
    return words;
}

std::optional<LimitScriptAnswers> limit_answers(std::span<const LimitQuestion> batch,
                                                const RedisReply& reply) {
    if (!reply.is(RedisReply::Kind::kArray) || reply.items.size() != 3 * batch.size()) return std::nullopt;
    LimitScriptAnswers read;
    read.answers.reserve(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        const RedisReply& result = reply.items[3 * i];
        const auto before = level_of(reply.items[3 * i + 1]);
        const auto level = level_of(reply.items[3 * i + 2]);
        if (!result.is(RedisReply::Kind::kInteger) || !before || !level || *before < 0 || *level < 0)
            return std::nullopt;
        read.answers.push_back(answer_of(batch[i], result.integer != 0, *before, *level));
        read.are_counted.push_back(result.integer == 1);
    }
    return read;
}

}  // namespace gatepost::backends
