// Finding where a key was written.
#include "conf/config.h"

namespace gatepost::conf {

const Setting* Config::nearest_written(std::string_view path) const {
    while (true) {
        const auto found = settings.find(path);
        if (found != settings.end() && found->second.line != 0) return &found->second;
        const auto cut = path.find_last_of(".[");
        if (cut == std::string_view::npos) return nullptr;
        path = path.substr(0, cut);
    }
}

std::string Config::where(std::string_view path) const {
    const Setting* const setting = nearest_written(path);
    if (setting == nullptr) return file + ":1:1";
    return file + ":" + std::to_string(setting->line) + ":" + std::to_string(setting->column);
}

}  // namespace gatepost::conf
