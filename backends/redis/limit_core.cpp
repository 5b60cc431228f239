#include "backends/redis/limit_core.h"

#include <algorithm>
#include <utility>

#include "backends/redis/limit_listing.h"
#include "backends/redis/limit_script.h"
#include "backends/redis/limit_share.h"

namespace gatepost::backends {

namespace {

using policy::Allow;
using policy::CountedBy;
using policy::Counting;
using policy::LimitAnswers;
using policy::LimitQuestion;
using policy::Unavailable;
using WhenAway = RedisLimitSettings::WhenAway;

/// In one script that says again who is there.
constexpr std::size_t kMostRestated = 200;

bool gives_back(const LimitQuestion& question) {
    return question.counting == Counting::kReturn || question.counting == Counting::kLeave;
}

bool was_counted_elsewhere(const LimitQuestion& question) {
    return gives_back(question) && question.by != CountedBy::kStore;
}

/// One batch asked in parts, whose answers come one by one.
struct Parts {
    LimitAnswers answers;
    std::size_t awaited = 0;
    LimitCore::Answer answer;

    void take(const std::vector<std::size_t>& places, LimitAnswers part) {
        for (std::size_t i = 0; i < places.size(); ++i) answers[places[i]] = part[i];
        if (--awaited == 0) answer(std::move(answers));
    }
};

LimitAnswers by_stand_in(LimitAnswers answers) {
    for (policy::LimitAnswer& answer : answers) {
        if (auto* const allowed = std::get_if<Allow>(&answer)) allowed->by = CountedBy::kStandIn;
    }
    return answers;
}

}  // namespace

LimitCore::LimitCore(net::EventLoop& loop, net::Resolver& resolver, RedisLimitSettings settings,
                     policy::LimitStore& stand_in, RedisLimitObserver& observer)
    : loop_(loop),
      stand_in_(stand_in),
      observer_(observer),
      when_away_(settings.when_away),
      field_(settings.replica + "/" + std::to_string(settings.number)),
      clock_(std::move(settings.clock)),
      connection_(loop, resolver, std::move(settings.redis), *this),
      replicas_(loop, connection_, std::move(settings.replica),
                [this](const RedisOutcome& outcome) { on_beat(outcome); }) {
    // Before anybody is counted: how many there are must be known when Redis goes away.
    replicas_.set_clock(clock_);
    replicas_.begin();
}

void LimitCore::set_clock(std::string clock) {
    clock_ = std::move(clock);
    replicas_.set_clock(clock_);
}

// ---- questions

void LimitCore::ask(Batch batch, TimePoint now, Executor& home, Answer answer) {
    if (std::ranges::any_of(batch, was_counted_elsewhere))
        return ask_apart(std::move(batch), now, home, std::move(answer));
    ask_store({.batch = std::move(batch),
               .now = now,
               .home = &home,
               .answer = std::move(answer),
               .began = loop_.now()});
}

/// Each question to whom it belongs; what nobody counted is given back to nobody.
void LimitCore::ask_apart(Batch batch, TimePoint now, Executor& home, Answer answer) {
    Batch stores;
    Batch stand_ins;
    std::vector<std::size_t> places_of_stores;
    std::vector<std::size_t> places_of_stand_ins;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (!was_counted_elsewhere(batch[i])) {
            places_of_stores.push_back(i);
            stores.push_back(std::move(batch[i]));
        } else if (batch[i].by == CountedBy::kStandIn) {
            places_of_stand_ins.push_back(i);
            stand_ins.push_back(share_of(std::move(batch[i]), replicas_.seen()));
        }
    }
    const auto parts = std::make_shared<Parts>();
    parts->answers.assign(batch.size(), Allow{.used = 0, .by = CountedBy::kNobody});
    parts->awaited = (stores.empty() ? 0U : 1U) + (stand_ins.empty() ? 0U : 1U);
    parts->answer = std::move(answer);
    if (parts->awaited == 0) return home.post([parts] { parts->answer(std::move(parts->answers)); });
    if (!stand_ins.empty()) {
        stand_in_.ask(std::move(stand_ins), now, home,
                      [parts, places = std::move(places_of_stand_ins)](LimitAnswers answers) {
                          parts->take(places, by_stand_in(std::move(answers)));
                      });
    }
    if (stores.empty()) return;
    ask_store({.batch = std::move(stores),
               .now = now,
               .home = &home,
               .answer = [parts, places = std::move(places_of_stores)](
                             LimitAnswers answers) { parts->take(places, std::move(answers)); },
               .began = loop_.now()});
}

void LimitCore::ask_store(Asked asked) {
    // Nobody waits for a Redis that is known to be away: the signs of life find out when it is back.
    if (is_away_ && !connection_.is_connected()) {
        for (const LimitQuestion& question : asked.batch) held_.left_unheard(question);
        return turn_away(std::move(asked));
    }
    for (const LimitQuestion& question : asked.batch) held_.asked(question);
    send(std::move(asked));
}

void LimitCore::send(Asked asked) {
    asked.is_whole = asked.is_whole || script_name_.empty();
    const std::vector<std::string> words =
        limit_words(asked.batch, {.field = field_, .clock = clock_, .now = asked.now});
    std::vector<ByteView> views;
    views.reserve(words.size() + 2);
    views.emplace_back(asked.is_whole ? "EVAL" : "EVALSHA");
    views.emplace_back(asked.is_whole ? limit_script() : ByteView(script_name_));
    views.insert(views.end(), words.begin(), words.end());
    connection_.command(
        views, [core = weak_from_this(), asked = std::move(asked)](const RedisOutcome& outcome) mutable {
            if (const auto alive = core.lock()) return alive->on_outcome(std::move(asked), outcome);
            asked.home->post([answer = std::move(asked.answer), size = asked.batch.size()]() mutable {
                answer(LimitAnswers(size, Unavailable{}));
            });
        });
}

void LimitCore::on_outcome(Asked asked, const RedisOutcome& outcome) {
    if (outcome.status == RedisStatus::kReply) {
        if (outcome.reply.error_code() == "NOSCRIPT" && !std::exchange(asked.is_whole, true))
            return send(std::move(asked));
        if (auto read = limit_answers(asked.batch, outcome.reply)) {
            for (std::size_t i = 0; i < asked.batch.size(); ++i)
                held_.answered(asked.batch[i], read->are_counted[i]);
            observer_.on_limit_answer(loop_.now() - asked.began);
            note_back();
            return tell(asked, std::move(read->answers));
        }
    }
    for (const LimitQuestion& question : asked.batch) held_.lost(question);
    observer_.on_limit_error();
    note_away(outcome);
    turn_away(std::move(asked));
}

void LimitCore::tell(Asked& asked, LimitAnswers answers) {
    if (asked.home == &loop_) return asked.answer(std::move(answers));
    asked.home->post([answer = std::move(asked.answer), answers = std::move(answers)]() mutable {
        answer(std::move(answers));
    });
}

void LimitCore::turn_away(Asked asked) {
    if (when_away_ == WhenAway::kStandIn) return ask_stand_in(std::move(asked));
    LimitAnswers answers;
    for (const LimitQuestion& question : asked.batch) {
        if (when_away_ == WhenAway::kAllow && !gives_back(question)) {
            answers.emplace_back(Allow{.used = 0, .by = CountedBy::kNobody});
        } else {
            answers.emplace_back(Unavailable{});
        }
    }
    asked.home->post([answer = std::move(asked.answer), answers = std::move(answers)]() mutable {
        answer(std::move(answers));
    });
}

/// What Redis counted, and should give back now, is not the stand-in's to give.
void LimitCore::ask_stand_in(Asked asked) {
    const auto parts = std::make_shared<Parts>();
    parts->answers.assign(asked.batch.size(), Unavailable{});
    parts->awaited = 1;
    parts->answer = std::move(asked.answer);
    Batch batch;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < asked.batch.size(); ++i) {
        if (gives_back(asked.batch[i])) continue;
        places.push_back(i);
        batch.push_back(share_of(std::move(asked.batch[i]), replicas_.seen()));
    }
    if (batch.empty()) return asked.home->post([parts] { parts->take({}, {}); });
    stand_in_.ask(std::move(batch), asked.now, *asked.home,
                  [parts, places = std::move(places)](LimitAnswers answers) {
                      parts->take(places, by_stand_in(std::move(answers)));
                  });
}

// ---- what is known of Redis

void LimitCore::on_redis_connected(std::string_view /*server*/) {
    lost_because_.clear();
    loop_.defer([core = weak_from_this()] {
        if (const auto alive = core.lock()) alive->greet();
    });
}

void LimitCore::on_redis_lost(std::string_view server, std::string_view reason) {
    lost_because_ = server;
    lost_because_.append(server.empty() ? "" : ": ").append(reason);
}

void LimitCore::on_redis_breaker(bool /*is_open*/) {}

/// It may be another Redis than before, or have forgotten everything.
void LimitCore::greet() {
    held_.doubt_all();
    replicas_.beat();
    if (!script_name_.empty()) return;
    connection_.command({"SCRIPT", "LOAD", limit_script()}, [core = weak_from_this()](RedisOutcome outcome) {
        const auto alive = core.lock();
        if (alive && outcome.reply.is(RedisReply::Kind::kText))
            alive->script_name_ = outcome.reply.octets.reveal();
    });
}

void LimitCore::on_beat(const RedisOutcome& outcome) {
    if (outcome.status != RedisStatus::kReply || !outcome.reply.is(RedisReply::Kind::kInteger))
        return note_away(outcome);
    observer_.on_limit_replicas(replicas_.seen());
    if (!is_at_fault_) note_back();
    restate();
}

void LimitCore::restate() {
    for (;;) {
        std::vector<HeldSessions::Count> counts = held_.take_doubtful(kMostRestated);
        if (counts.empty()) return;
        std::vector<std::string> words{std::to_string(counts.size())};
        for (const HeldSessions::Count& one : counts) words.push_back(sessions_key(one.key));
        words.push_back(field_);
        for (const HeldSessions::Count& one : counts) words.push_back(std::to_string(one.count));
        std::vector<ByteView> views{"EVAL", restate_script()};
        views.insert(views.end(), words.begin(), words.end());
        connection_.command(
            views, [core = weak_from_this(), counts = std::move(counts)](const RedisOutcome& outcome) {
                const auto alive = core.lock();
                if (!alive || outcome.reply.is(RedisReply::Kind::kInteger)) return;
                for (const HeldSessions::Count& one : counts) alive->held_.doubt(one.key);
            });
    }
}

void LimitCore::note_away(const RedisOutcome& outcome) {
    is_at_fault_ = outcome.status == RedisStatus::kReply;
    if (!std::exchange(is_away_, true)) observer_.on_limit_store_away(reason_of(outcome), replicas_.seen());
}

void LimitCore::note_back() {
    is_at_fault_ = false;
    if (std::exchange(is_away_, false)) observer_.on_limit_store_back();
}

std::string LimitCore::reason_of(const RedisOutcome& outcome) const {
    if (outcome.status == RedisStatus::kReply) {
        const std::string_view code = outcome.reply.error_code();
        return code.empty() ? "its answer is not understood" : "it answers " + std::string(code);
    }
    if (!lost_because_.empty()) return lost_because_;
    switch (outcome.status) {
        case RedisStatus::kReply: break;
        case RedisStatus::kTimedOut: return "no answer in time";
        case RedisStatus::kDisconnected: return "the connection was lost";
        case RedisStatus::kRefused: return "too many questions wait for an answer";
    }
    return "";
}

// ---- for operators

void LimitCore::list(std::string prefix, std::size_t most, std::move_only_function<void(Entries)> answer) {
    list_limits(connection_, std::move(prefix), most, clock_, std::move(answer));
}

void LimitCore::forget(const std::string& key, std::move_only_function<void(Result<bool>)> answer) {
    forget_limit(connection_, key, std::move(answer));
}

}  // namespace gatepost::backends
