// The only way across threads: a task is posted to the loop that owns what it touches. It carries values and
// ids, never pointers to connections.
#pragma once

#include <functional>

namespace gatepost {

using Task = std::move_only_function<void()>;

class Executor {
  public:
    virtual ~Executor() = default;

    /// Runs `task` later on the executor's own thread, never inside this call. Any thread may call. Tasks of
    /// one caller run in order; tasks still waiting when the executor ends are destroyed unrun.
    virtual void post(Task task) = 0;
};

}  // namespace gatepost
