// What one store counts as there now in Redis (kEnter, less kLeave). Redis's count is told again wherever it
// may be another: an answer was lost, somebody left while Redis was away, or it has forgotten. On the thread
// of its owner.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/policy/limit_store.h"

namespace gatepost::backends {

class HeldSessions {
  public:
    struct Count {
        std::string key;
        std::uint64_t count = 0;
    };

    // Of kEnter and kLeave; other questions are passed over.
    /// It is on its way to Redis.
    void asked(const policy::LimitQuestion& question);
    void answered(const policy::LimitQuestion& question, bool is_counted);
    /// After asked(): nobody knows whether it was counted, and the asker is told that it was not.
    void lost(const policy::LimitQuestion& question);
    /// A kLeave that Redis will not be asked.
    void left_unheard(const policy::LimitQuestion& question);

    void doubt(const std::string& key);
    void doubt_all();

    /// Up to `most` counts to be told, of keys that nothing is on its way about. They are not in doubt after.
    [[nodiscard]] std::vector<Count> take_doubtful(std::size_t most);

    [[nodiscard]] std::size_t size() const noexcept { return held_.size(); }

  private:
    struct Held {
        std::uint64_t count = 0;
        unsigned on_their_way = 0;
        bool is_in_doubt = false;
    };
    using ByKey = std::unordered_map<std::string, Held>;

    void leave(Held& held, std::uint64_t events);
    void doubt(ByKey::value_type& entry);
    void settle(ByKey::iterator entry);

    ByKey held_;
    std::vector<std::string> doubtful_;
};

}  // namespace gatepost::backends
