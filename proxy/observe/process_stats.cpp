#include "proxy/observe/process_stats.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace gatepost::observe {
namespace {

constexpr const char* kDescriptors = "/proc/self/fd";

double open_descriptors() {
    // Linux 6.2 and later say the count as the size of the directory; before, each entry has to be looked at.
    struct stat status{};
    if (stat(kDescriptors, &status) == 0 && status.st_size > 0) return static_cast<double>(status.st_size);
    std::error_code error;
    double count = -1;  // the one that reads the directory
    for (std::filesystem::directory_iterator entry(kDescriptors, error), end; !error && entry != end;
         entry.increment(error)) {
        ++count;
    }
    return std::max(count, 0.0);
}

double boot_time() {
    std::ifstream file("/proc/stat");
    std::string key;
    while (file >> key) {
        if (double seconds = 0; key == "btime" && file >> seconds) return seconds;
        std::getline(file, key);
    }
    return 0;
}

/// Fields 20, 22, 23 and 24 of proc(5)'s stat. The name in field 2 may hold anything, so counting begins
/// behind its ")".
void read_stat(ProcessStats& stats) {
    std::ifstream file("/proc/self/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 20; ++field) fields >> skipped;
    double interval_timer = 0;
    double start_ticks = 0;
    double resident_pages = 0;
    if (!(fields >> stats.threads >> interval_timer >> start_ticks >> stats.virtual_bytes >> resident_pages))
        return;
    stats.resident_bytes = resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
    if (const double boot = boot_time(); boot > 0) {
        stats.start_seconds = boot + start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
    }
}

}  // namespace

ProcessStats read_process_stats() {
    ProcessStats stats;
    read_stat(stats);
    stats.open_fds = open_descriptors();
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = static_cast<double>(limit.rlim_cur);
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        const auto seconds = [](const timeval& time) {
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
        };
        stats.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    return stats;
}

}  // namespace gatepost::observe
