// What the kernel knows of this process, under the names that every Prometheus client uses. Any thread.
#pragma once

namespace gatepost::observe {

/// Zero where the kernel does not say.
struct ProcessStats {
    double cpu_seconds = 0;
    double open_fds = 0;
    double max_fds = 0;
    double resident_bytes = 0;
    double virtual_bytes = 0;
    double start_seconds = 0;  ///< since the epoch
    double threads = 0;
};

/// Reads /proc/self; some tens of microseconds.
[[nodiscard]] ProcessStats read_process_stats();

}  // namespace gatepost::observe
