// What a process tree costs: its CPU time and its share of memory, read from the kernel. Changes nothing. Any
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <sys/types.h>

namespace gatepost::bench {

/// CPU time of `root` and its descendants that live now, all threads, ended ones included; from the
/// scheduler's nanosecond clock. Zero when there is no such process.
[[nodiscard]] std::chrono::nanoseconds cpu_time_of_tree(pid_t root);

/// Proportional set size of `root` and its descendants, octets.
[[nodiscard]] std::uint64_t pss_of_tree(pid_t root);

}  // namespace gatepost::bench
