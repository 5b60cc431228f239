// Replacing ${NAME} in one pass.
#include "conf/environment.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "proxy/base/printable.h"

namespace gatepost::conf {
namespace {

bool is_name(std::string_view text) {
    return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) == 0 &&
           std::ranges::all_of(text, [](char octet) {
               return std::isalnum(static_cast<unsigned char>(octet)) != 0 || octet == '_';
           });
}

}  // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const char* const value =
            std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
}

Result<std::string> expand(std::string_view text, const Environment& environment) {
    std::string result;
    while (true) {
        const auto dollar = text.find('$');
        result += text.substr(0, dollar);
        if (dollar == std::string_view::npos) return result;
        text.remove_prefix(dollar + 1);
        if (text.starts_with('$')) {
            result += '$';
            text.remove_prefix(1);
        } else if (!text.starts_with('{')) {
            result += '$';
        } else {
            const auto end = text.find('}');
            if (end == std::string_view::npos)
                return fail("\"${\" without \"}\"; a dollar sign itself is $$");
            const std::string name(text.substr(1, end - 1));
            if (!is_name(name))
                return fail("${" + printable(name, 64) +
                            "}: not a name of the environment; a dollar sign itself is $$");
            const auto value = environment(name);
            if (!value) return fail("${" + name + "} is not defined in the environment");
            result += *value;
            text.remove_prefix(end + 1);
        }
    }
}

}  // namespace gatepost::conf
