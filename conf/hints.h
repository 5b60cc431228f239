// What somebody may have meant who wrote a key that does not exist. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gatepost::conf {

/// "" or the end of a sentence, beginning with "; ". `known` are the keys that may stand there,
/// `table_parent` the table's path of the map around it.
[[nodiscard]] std::string hint_about(std::string_view name, const std::vector<std::string_view>& known,
                                     std::string_view table_parent);

}  // namespace gatepost::conf
