// Reads Prometheus' text format, for tests of what a scrape says.
#pragma once

#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "proxy/observe/metrics_registry.h"

namespace gatepost::observe {

/// Series, with its labels as printed, to value.
inline std::map<std::string, double> parse(const std::string& exposition) {
    std::map<std::string, double> series;
    std::istringstream lines(exposition);
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.front() == '#') continue;
        const std::size_t blank = line.rfind(' ');
        EXPECT_TRUE(series.emplace(line.substr(0, blank), std::stod(line.substr(blank + 1))).second)
            << "twice: " << line;
    }
    return series;
}

inline double value_of(const MetricsRegistry& registry, const std::string& series) {
    const auto all = parse(registry.scrape());
    const auto found = all.find(series);
    if (found == all.end()) {
        ADD_FAILURE() << "no series " << series;
        return -1;
    }
    return found->second;
}

}  // namespace gatepost::observe
