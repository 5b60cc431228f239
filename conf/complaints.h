// What the checks between keys have in common: where a problem is told, and that nothing more is said about
// what was wrong already. Any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"

namespace gatepost::conf {

/// All outlive it.
class Complaints {
  public:
    Complaints(const Config& config, const std::set<std::string, std::less<>>& bad,
               std::vector<Problem>& problems)
        : config_(config), bad_(bad), problems_(problems) {}

    [[nodiscard]] static std::string item(const std::string& path, std::size_t index) {
        return path + "[" + std::to_string(index) + "]";
    }

    /// True when `path`, something around it or something in it was wrong already.
    [[nodiscard]] bool is_bad(std::string_view path) const {
        return std::ranges::any_of(bad_, [path](const std::string& bad) {
            const std::string_view shorter = bad.size() < path.size() ? std::string_view(bad) : path;
            const std::string_view longer = bad.size() < path.size() ? path : std::string_view(bad);
            if (!longer.starts_with(shorter)) return false;
            return longer.size() == shorter.size() || longer[shorter.size()] == '.' ||
                   longer[shorter.size()] == '[';
        });
    }

    void complain(const std::string& path, const std::string& message) {
        const Setting* const setting = config_.nearest_written(path);
        const std::size_t line = setting == nullptr ? 1 : setting->line;
        const std::size_t column = setting == nullptr ? 1 : setting->column;
        problems_.push_back({config_.file, line, column, path + ": " + message});
    }

    /// Says so when none of `items` has the name; "" names none.
    template <typename T>
    void must_name(const std::string& path, const std::string& name, const std::string& list,
                   const std::vector<T>& items) {
        if (name.empty() || is_bad(path) || is_bad(list)) return;
        if (std::ranges::find(items, name, &T::name) != items.end()) return;
        complain(path, "\"" + name + "\" is not a name under `" + list + "`");
    }

  private:
    const Config& config_;
    const std::set<std::string, std::less<>>& bad_;
    std::vector<Problem>& problems_;
};

}  // namespace gatepost::conf
