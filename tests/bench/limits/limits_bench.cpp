// What five rules on a message cost with a million keys in memory: CPU time of one batch, and octets a key.
//
//     build/release/limits_bench             some seconds
//     build/release/limits_bench --quick     with a tenth of the keys, to see that it runs
//
// Senders are drawn from all (each key is cold in the caches: the worst that can be) or from a few who are
// busy. Exit 1 when a batch or a key costs more than issue 5 allows. The time of the keys' strings, which the
// session makes, is measured by itself and taken off.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <malloc.h>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/policy/memory_limit_store.h"

namespace gatepost {
namespace {

using policy::Counting;
using policy::LimitAnswers;
using policy::LimitQuestion;
using policy::MemoryLimitStore;
using policy::Rate;

constexpr double kMostOfBatch = 2000;  // nanoseconds
constexpr double kMostOfKey = 300;     // octets
constexpr int kRuns = 9;
constexpr std::size_t kRules = 5;
constexpr std::size_t kBusy = 1000;
constexpr TimePoint kStart{std::chrono::hours{1000}};

/// As EventLoop::post() from its own thread: the task waits for the end of the turn.
class OwnLoop final : public Executor {
  public:
    void post(Task task) override { waiting_.push_back(std::move(task)); }
    void turn() {
        running_.swap(waiting_);
        for (Task& task : running_) std::exchange(task, nullptr)();
        running_.clear();
    }

  private:
    std::vector<Task> waiting_;
    std::vector<Task> running_;
};

std::int64_t cpu_now() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::vector<LimitQuestion> questions_of(std::size_t sender) {
    static constexpr Rate kMessages{.count = 5000, .per = std::chrono::hours{1}, .burst = 100};
    static constexpr Rate kBytes{.count = 200'000'000, .per = std::chrono::hours{1}, .burst = 50'000'000};
    const std::string number = std::to_string(100'000 + sender);
    const std::string address = "10." + std::to_string(sender >> 16) + "." +
                                std::to_string(sender >> 8 & 255) + "." + std::to_string(sender & 255);
    std::vector<LimitQuestion> batch;
    batch.reserve(kRules);
    batch.push_back({{"limit:user-messages:ann" + number + "@example.org"}, kMessages, Counting::kCharge});
    batch.push_back({{"limit:user-bytes:ann" + number + "@example.org"}, kBytes, Counting::kCharge, 30'000});
    batch.push_back({{"limit:ip-messages:" + address}, kMessages, Counting::kCharge});
    batch.push_back({{"limit:sender-messages:news" + number + "@example.org"}, kMessages, Counting::kCharge});
    batch.push_back({{"limit:domains:customer" + number + ".example.org"}, kMessages, Counting::kCharge});
    return batch;
}

class Bench {
  public:
    explicit Bench(std::size_t senders) : senders_(senders) {
        const std::size_t before = mallinfo2().uordblks;
        for (std::size_t sender = 0; sender < senders_; ++sender) ask(questions_of(sender), kStart);
        octets_of_key_ =
            static_cast<double>(mallinfo2().uordblks - before) / static_cast<double>(store_.size());
    }

    [[nodiscard]] double octets_of_key() const { return octets_of_key_; }
    [[nodiscard]] std::size_t keys() const { return store_.size(); }
    [[nodiscard]] double share_allowed() const {
        return static_cast<double>(allowed_) / static_cast<double>(answered_);
    }

    /// Nanoseconds of a batch of one of the first `among` senders: the median of some runs.
    double batch(std::size_t among) {
        std::vector<double> runs;
        for (int run = 0; run < kRuns; ++run) {
            const double strings =
                each(among, [this](const auto& batch, TimePoint) { unasked_ += batch.size(); });
            const double all = each(among, [this](auto batch, TimePoint now) { ask(std::move(batch), now); });
            runs.push_back(all - strings);
        }
        std::ranges::sort(runs);
        return runs[runs.size() / 2];
    }

  private:
    template <typename Work>
    double each(std::size_t among, Work work) {
        constexpr int kBatches = 50'000;
        const std::int64_t before = cpu_now();
        for (int batch = 0; batch < kBatches; ++batch) {
            now_ += std::chrono::milliseconds{1};
            work(questions_of(random_() % among), now_);
        }
        return static_cast<double>(cpu_now() - before) / kBatches;
    }

    void ask(std::vector<LimitQuestion> batch, TimePoint now) {
        store_.ask(std::move(batch), now, loop_, [this](const LimitAnswers& answers) {
            answered_ += answers.size();
            for (const auto& answer : answers)
                allowed_ += std::holds_alternative<policy::Allow>(answer) ? 1 : 0;
        });
        loop_.turn();
    }

    OwnLoop loop_;
    // Stripes are not filled evenly: with room to spare no key of the senders is forgotten.
    MemoryLimitStore store_{MemoryLimitStore::kDefaultKeys * 11 / 10};
    std::mt19937_64 random_{1};
    TimePoint now_ = kStart;
    std::size_t senders_;
    double octets_of_key_ = 0;
    std::size_t answered_ = 0;
    std::size_t unasked_ = 0;
    std::size_t allowed_ = 0;
};

int run(bool is_quick) {
    const std::size_t senders = MemoryLimitStore::kDefaultKeys / kRules / (is_quick ? 10 : 1);
    Bench bench(senders);
    const double busy = bench.batch(kBusy);
    const double all = bench.batch(senders);
    const double key = bench.octets_of_key();
    std::printf("keys                                  %zu\n", bench.keys());
    std::printf("octets a key                          %.0f (at most %.0f)\n", key, kMostOfKey);
    std::printf("batch of five, %zu busy senders      %.0f ns CPU (at most %.0f)\n", kBusy, busy,
                kMostOfBatch);
    std::printf("batch of five, any of %zu senders  %.0f ns CPU (at most %.0f)\n", senders, all,
                kMostOfBatch);
    std::printf("questions allowed                     %.1f %%\n", bench.share_allowed() * 100);
    return busy <= kMostOfBatch && all <= kMostOfBatch && key <= kMostOfKey ? 0 : 1;
}

}  // namespace
}  // namespace gatepost

int main(int argc, char** argv) {
    return gatepost::run(argc > 1 && std::string_view(argv[1]) == "--quick");
}
