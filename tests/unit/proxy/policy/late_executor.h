// An executor that runs what was posted when the test says so. The test's thread.
#pragma once

#include <deque>
#include <utility>

#include "proxy/base/executor.h"

namespace gatepost::test {

class LateExecutor final : public Executor {
  public:
    void post(Task task) override { waiting_.push_back(std::move(task)); }

    void run() {
        while (!waiting_.empty()) {
            Task task = std::move(waiting_.front());
            waiting_.pop_front();
            task();
        }
    }

    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  private:
    std::deque<Task> waiting_;
};

}  // namespace gatepost::test
