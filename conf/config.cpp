// Finding where a key was written.
#include "conf/config.h"

namespace gatepost::conf {

std::string Config::where(std::string_view path) const {
    while (true) {
        const auto found = settings.find(path);
        if (found != settings.end() && found->second.line != 0) {
            return file + ":" + std::to_string(found->second.line) + ":" +
                   std::to_string(found->second.column);
        }
        const auto cut = path.find_last_of(".[");
        if (cut == std::string_view::npos) return file + ":1:1";
        path = path.substr(0, cut);
    }
}

}  // namespace gatepost::conf
