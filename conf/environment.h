// ${NAME} in a value. Any thread, as long as nobody changes the process's environment meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace gatepost::conf {

/// What a name is worth; nothing when it is not defined.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// That of this process.
[[nodiscard]] Environment process_environment();

/// `text` with each ${NAME} replaced and each $$ made one dollar sign; any other dollar sign stays. What is
/// put in is not expanded again. An undefined or malformed name is an error.
[[nodiscard]] Result<std::string> expand(std::string_view text, const Environment& environment);

}  // namespace gatepost::conf
