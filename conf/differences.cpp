#include "conf/differences.h"

#include <set>

#include "conf/keys.h"

namespace gatepost::conf {
namespace {

using Settings = std::map<std::string, Setting, std::less<>>;

bool is_at_or_below(std::string_view path, std::string_view parent) {
    if (!path.starts_with(parent)) return false;
    return path.size() == parent.size() || path[parent.size()] == '.' || path[parent.size()] == '[';
}

/// Of the settings at or below `path`, those that say something.
std::map<std::string_view, std::string_view> texts(const Settings& settings, std::string_view path) {
    std::map<std::string_view, std::string_view> found;
    for (auto it = settings.lower_bound(path); it != settings.end() && it->first.starts_with(path); ++it) {
        if (is_at_or_below(it->first, path) && !it->second.text.empty())
            found.emplace(it->first, it->second.text);
    }
    return found;
}

std::string_view text_at(const Settings& settings, std::string_view path) {
    const auto found = settings.find(path);
    return found == settings.end() ? std::string_view() : std::string_view(found->second.text);
}

const Key* key_of(const Settings& settings, std::string_view path) {
    constexpr std::string_view kBackends = "backends.";
    if (!path.starts_with(kBackends)) return find_key_of(path, "");
    const std::string name(path.substr(0, path.find('.', kBackends.size())));
    return find_key_of(path, text_at(settings, name + ".type"));
}

}  // namespace

bool same_settings(const Config& before, const Config& after, std::string_view path) {
    return texts(before.settings, path) == texts(after.settings, path);
}

std::vector<Problem> needs_restart(const Config& before, const Config& after) {
    std::vector<Problem> notes;
    for (const auto& [path, setting] : after.settings) {
        const Key* const key = key_of(after.settings, path);
        if (key == nullptr || key->is_reloadable || setting.text == text_at(before.settings, path)) continue;
        const Setting* const written = after.nearest_written(path);
        notes.push_back({.file = after.file,
                         .line = written == nullptr ? 1 : written->line,
                         .column = written == nullptr ? 1 : written->column,
                         .message = path + ": changed, but stays as it was until a restart"});
    }
    return notes;
}

std::vector<std::string> files_of(const Config& config) {
    std::set<std::string> files;
    for (const auto& [path, setting] : config.settings) {
        const Key* const key = key_of(config.settings, path);
        if (key == nullptr || (key->type != Type::File && key->type != Type::SecretFile)) continue;
        const bool is_looked_after =
            path.starts_with("backends.") && (path.ends_with(".path") || path.ends_with(".password_file"));
        if (!setting.text.empty() && !is_looked_after) files.insert(setting.text);
    }
    return {files.begin(), files.end()};
}

}  // namespace gatepost::conf
