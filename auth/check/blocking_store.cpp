#include "auth/check/blocking_store.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

namespace gatepost::auth {
namespace {

/// How long stop() waits for look-ups that are under way.
constexpr std::chrono::seconds kGrace{1};

struct Question {
    std::string user;
    Executor* home = nullptr;
    std::move_only_function<void(Lookup)> answer;  // empty once it was given
    TimePoint late_at;

    void give(Lookup lookup) {
        home->post([answer = std::move(answer), lookup = std::move(lookup)]() mutable {
            answer(std::move(lookup));
        });
        answer = nullptr;
    }
};

using QuestionPtr = std::shared_ptr<Question>;

}  // namespace

/// What a lost thread may still touch when it comes back: it owns a share, so that it finds this alive
/// whenever that is.
struct BlockingStore::Shared : std::enable_shared_from_this<BlockingStore::Shared> {
    Shared(std::shared_ptr<BlockingLookup> lookups, Settings limits, BlockingObserver& hears)
        : source(std::move(lookups)), settings(limits), observer(hears) {}

    const std::shared_ptr<BlockingLookup> source;
    const Settings settings;
    BlockingObserver& observer;  // not after is_stopped

    std::mutex mutex;
    std::condition_variable has_work;
    std::condition_variable has_deadline;
    std::condition_variable has_left;
    // All under mutex.
    std::deque<QuestionPtr> queue;
    std::list<QuestionPtr> running;  // lost ones not
    std::size_t threads = 0;
    std::size_t lost = 0;
    bool is_stopped = false;

    [[nodiscard]] bool is_open() const { return lost >= settings.spares; }
    [[nodiscard]] std::size_t idle() const { return threads - lost - running.size(); }
    [[nodiscard]] bool may_grow() const {
        return threads - lost < settings.threads && threads < settings.threads + settings.spares;
    }

    void change_lost(int by) {
        lost = by < 0 ? lost - 1 : lost + 1;
        observer.lost(lost, is_open());
    }

    /// Nobody waits for what cannot come soon.
    void refuse_waiting() {
        for (const QuestionPtr& waiting : queue) waiting->give({});
        queue.clear();
    }

    void expire(TimePoint now) {
        while (!queue.empty() && queue.front()->late_at <= now) {
            queue.front()->give({});
            queue.pop_front();
        }
        const std::size_t before = running.size();
        running.remove_if([now](const QuestionPtr& question) {
            if (question->late_at > now) return false;
            question->give({});
            return true;
        });
        for (std::size_t i = running.size(); i < before; ++i) {
            observer.answered("no answer within the deadline");
            change_lost(+1);
        }
        if (is_open()) refuse_waiting();
    }

    /// The first moment at which somebody must be answered. Questions are begun in the order of their
    /// deadlines.
    [[nodiscard]] TimePoint next_deadline() const {
        TimePoint next = TimePoint::max();
        if (!running.empty()) next = std::min(next, running.front()->late_at);
        if (!queue.empty()) next = std::min(next, queue.front()->late_at);
        return next;
    }

    void watch() {
        std::unique_lock lock(mutex);
        while (!is_stopped) {
            const TimePoint next = next_deadline();
            if (next == TimePoint::max()) {
                has_deadline.wait(lock);
            } else {
                has_deadline.wait_until(lock, next);
            }
            if (is_stopped) return;
            expire(Clock::now());
            for (std::size_t i = idle(); i < queue.size() && may_grow(); ++i) {
                if (!start_thread()) break;
            }
        }
    }

    static void work(const std::shared_ptr<Shared>& self) {
        std::unique_lock lock(self->mutex);
        while (true) {
            self->has_work.wait(lock, [&self] { return self->is_stopped || !self->queue.empty(); });
            if (self->is_stopped) break;
            const QuestionPtr question = std::move(self->queue.front());
            self->queue.pop_front();
            self->running.push_back(question);
            lock.unlock();
            BlockingLookup::Answer answer = self->source->find(question->user);
            lock.lock();
            if (!self->finish(question, std::move(answer))) break;
        }
        --self->threads;
        self->has_left.notify_all();
    }

    /// Whether the thread is still needed. The question may have been answered by the watchdog, and when the
    /// store has stopped, nothing but this object is alive for sure.
    bool finish(const QuestionPtr& question, BlockingLookup::Answer answer) {
        const bool was_lost = std::erase(running, question) == 0;
        if (is_stopped) {
            if (was_lost) --lost;
            return false;
        }
        if (was_lost) {
            change_lost(-1);
            return threads - lost <= settings.threads;
        }
        const bool is_unavailable = answer.lookup.status == Lookup::Status::kUnavailable;
        observer.answered(!is_unavailable            ? std::string()
                          : answer.complaint.empty() ? std::string("no answer")
                                                     : answer.complaint);
        question->give(std::move(answer.lookup));
        return true;
    }

    /// Detached, because a thread that is stuck in the source cannot be joined, nor ended: it owns what it
    /// touches.
    bool start_thread() {
        try {
            std::thread([owned = shared_from_this()] { work(owned); }).detach();
        } catch (const std::system_error&) {
            return false;  // the watchdog answers for it
        }
        ++threads;
        return true;
    }
};

BlockingStore::BlockingStore(std::shared_ptr<BlockingLookup> source, Settings settings,
                             BlockingObserver& observer)
    : shared_(std::make_shared<Shared>(std::move(source), settings, observer)) {
    try {
        watchdog_ = std::thread([shared = shared_] { shared->watch(); });
    } catch (const std::system_error&) {
        return;
    }
}

BlockingStore::~BlockingStore() {
    stop();
}

void BlockingStore::lookup(std::string_view user, Executor& home,
                           std::move_only_function<void(Lookup)> answer) {
    Shared& shared = *shared_;
    const std::lock_guard lock(shared.mutex);
    auto question = std::make_shared<Question>(Question{.user = std::string(user),
                                                        .home = &home,
                                                        .answer = std::move(answer),
                                                        .late_at = Clock::now() + shared.settings.deadline});
    if (shared.is_stopped || shared.is_open() || shared.queue.size() >= shared.settings.queue)
        return question->give({});
    if (shared.next_deadline() == TimePoint::max()) shared.has_deadline.notify_one();
    shared.queue.push_back(std::move(question));
    if (shared.queue.size() > shared.idle() && shared.may_grow()) shared.start_thread();
    shared.has_work.notify_one();
}

bool BlockingStore::stop() {
    std::deque<QuestionPtr> unasked;  // answers own things with destructors of their own
    std::unique_lock lock(shared_->mutex);
    shared_->is_stopped = true;
    unasked.swap(shared_->queue);
    for (const QuestionPtr& question : shared_->running) {
        unasked.push_back(std::make_shared<Question>());
        std::swap(unasked.back()->answer, question->answer);  // so that no late thread destroys it
    }
    shared_->has_work.notify_all();
    shared_->has_deadline.notify_all();
    const bool are_all_back =
        shared_->has_left.wait_for(lock, kGrace, [this] { return shared_->threads == 0; });
    lock.unlock();
    if (watchdog_.joinable()) watchdog_.join();
    return are_all_back;
}

BlockingStore::Counts BlockingStore::counts() const {
    const std::lock_guard lock(shared_->mutex);
    return {.threads = shared_->threads,
            .lost = shared_->lost,
            .waiting = shared_->queue.size(),
            .is_open = shared_->is_open()};
}

}  // namespace gatepost::auth
