#include "tests/bench/process_meter.h"

#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace gatepost::bench {
namespace {

/// The parent as /proc/PID/stat names it (the field behind the state, which is behind the parenthesised
/// name); 0 if gone.
pid_t parent_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t end_of_name = line.rfind(") ");
    pid_t parent = 0;
    if (end_of_name != std::string::npos && line.size() > end_of_name + 4)
        std::from_chars(line.data() + end_of_name + 4, line.data() + line.size(), parent);
    return parent;
}

std::vector<pid_t> tree_of(pid_t root) {
    std::multimap<pid_t, pid_t> children;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error == std::errc{} && end == name.data() + name.size()) children.emplace(parent_of(pid), pid);
    }
    std::vector<pid_t> tree{root};
    for (std::size_t i = 0; i < tree.size(); ++i) {
        const auto [from, to] = children.equal_range(tree[i]);
        for (auto child = from; child != to; ++child) tree.push_back(child->second);
    }
    return tree;
}

}  // namespace

std::chrono::nanoseconds cpu_time_of_tree(pid_t root) {
    std::chrono::nanoseconds total{0};
    for (const pid_t pid : tree_of(root)) {
        clockid_t clock{};
        timespec time{};
        if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0)
            total += std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    }
    return total;
}

std::uint64_t pss_of_tree(pid_t root) {
    std::uint64_t total = 0;
    for (const pid_t pid : tree_of(root)) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
        for (std::string word; file >> word;) {
            if (word != "Pss:") continue;
            std::uint64_t kib = 0;
            file >> kib;
            total += kib * 1024;
            break;
        }
    }
    return total;
}

}  // namespace gatepost::bench
