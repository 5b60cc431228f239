// Values by path into the fields of Config. Every value was checked by the reader; what is missing because it
// was wrong keeps the field's own default. Any thread.
#pragma once

#include "conf/config.h"
#include "conf/reader.h"

namespace gatepost::conf {

/// Moves the settings of `values` into the result and leaves the rest of them as they are.
[[nodiscard]] Config bind(Values& values, const std::string& file);

}  // namespace gatepost::conf
