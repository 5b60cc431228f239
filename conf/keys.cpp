// Looking things up in the table of keys.
#include "conf/keys.h"

#include <cctype>
#include <string>

namespace gatepost::conf {
namespace {

// "listeners[3].tls" is in the table as "listeners[].tls", "backends.local.path" as "backends.*.path".
std::string table_path_of(std::string_view path) {
    std::string result;
    for (const char octet : path) {
        const bool in_brackets = !result.empty() && result.back() == '[';
        if (in_brackets && std::isdigit(static_cast<unsigned char>(octet)) != 0) continue;
        result += octet;
    }
    constexpr std::string_view kBackends = "backends.";
    if (result.starts_with(kBackends)) {
        const auto dot = result.find('.', kBackends.size());
        const auto length = dot == std::string::npos ? std::string::npos : dot - kBackends.size();
        result.replace(kBackends.size(), length, 1, '*');
    }
    return result;
}

}  // namespace

const Key* find_key(std::string_view table_path, std::string_view variant) {
    for (const Key& key : kKeys) {
        if (key.path == table_path && (key.variant.empty() || key.variant == variant)) return &key;
    }
    return nullptr;
}

const Key* find_key_of(std::string_view path, std::string_view variant) {
    return find_key(table_path_of(path), variant);
}

bool is_one_of(std::string_view words, std::string_view word, std::size_t* index) {
    std::size_t position = 0;
    while (!words.empty()) {
        const auto bar = words.find('|');
        if (words.substr(0, bar) == word) {
            if (index != nullptr) *index = position;
            return true;
        }
        if (bar == std::string_view::npos) break;
        words.remove_prefix(bar + 1);
        ++position;
    }
    return false;
}

std::string_view leaf_below(std::string_view path, std::string_view parent) {
    if (!parent.empty()) {
        if (!path.starts_with(parent) || path.size() <= parent.size() + 1 || path[parent.size()] != '.')
            return {};
        path.remove_prefix(parent.size() + 1);
    }
    return path.find('.') == std::string_view::npos && path.find('[') == std::string_view::npos
               ? path
               : std::string_view{};
}

}  // namespace gatepost::conf
