#include "proxy/server/cpus.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <sched.h>
#include <string>

namespace gatepost::server {
namespace {

std::optional<double> quota_v2() {
    std::ifstream file("/sys/fs/cgroup/cpu.max");
    std::string quota;
    double period = 0;
    if (!(file >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
    return std::strtod(quota.c_str(), nullptr) / period;
}

std::optional<double> quota_v1() {
    std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    double quota = 0;
    double period = 0;
    if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return std::nullopt;
    return quota / period;
}

}  // namespace

unsigned usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    unsigned cpus = 1;
    if (::sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
    const std::optional<double> v2 = quota_v2();
    const std::optional<double> quota = v2 ? v2 : quota_v1();
    if (quota) cpus = std::min(cpus, static_cast<unsigned>(std::max(1.0, std::ceil(*quota))));
    return cpus;
}

}  // namespace gatepost::server
