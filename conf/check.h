// What `gatepost check` says: a one-line summary, every problem, or the effective configuration. Any thread.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "conf/config.h"
#include "conf/problem.h"

namespace gatepost::conf {

/// One line without its end: "gatepost.yaml: fine: 2 listeners, …".
[[nodiscard]] std::string summary(const Config& config);

/// What is no error, and yet an operator should know before it is served.
[[nodiscard]] std::vector<Problem> notes(const Config& config);

/// One line each, then how many there are.
void print(const std::vector<Problem>& problems, std::ostream& out);

/// The effective configuration as YAML that load() reads to the same settings, secrets replaced by
/// "(redacted)".
void dump(const Config& config, std::ostream& out);

/// `text` as a YAML scalar that reads back to itself, dollar signs included.
[[nodiscard]] std::string yaml_scalar(std::string_view text);

}  // namespace gatepost::conf
