// A key that exists, but for another type of backend, or spelled a little differently, or in another section.
#include "conf/hints.h"

#include "conf/keys.h"
#include "conf/units.h"

namespace gatepost::conf {

std::string hint_about(std::string_view name, const std::vector<std::string_view>& known,
                       std::string_view table_parent) {
    for (const Key& key : kKeys) {
        if (!key.variant.empty() && leaf_below(key.path, table_parent) == name) {
            return "; it belongs to a backend of type " + std::string(key.variant);
        }
    }
    if (const auto meant = nearest(name, known)) return "; did you mean `" + std::string(*meant) + "`?";
    std::string_view elsewhere;
    for (const Key& key : kKeys) {
        if (!key.variant.empty() || !key.path.ends_with("." + std::string(name))) continue;
        if (elsewhere.empty() || key.path.size() < elsewhere.size()) elsewhere = key.path;
    }
    return elsewhere.empty() ? "" : "; did you mean `" + std::string(elsewhere) + "`?";
}

}  // namespace gatepost::conf
