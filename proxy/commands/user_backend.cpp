#include "proxy/commands/user_backend.h"

#include <variant>

#include "conf/check.h"
#include "conf/environment.h"
#include "conf/loader.h"

namespace gatepost::commands {

std::expected<std::string, int> users_file_of(const std::string& config, const std::string& backend,
                                              std::ostream& err) {
    const conf::Loaded loaded = conf::load(config, conf::process_environment(), conf::Files::MayBeMissing);
    if (!loaded) {
        conf::print(loaded.error(), err);
        return std::unexpected(1);
    }
    const conf::Config& settings = **loaded;
    if (backend.empty() && settings.auth.backends.empty()) {
        err << config << ": auth.backends names no backend: say which with --backend\n";
        return std::unexpected(2);
    }
    const std::string name = backend.empty() ? settings.auth.backends.front() : backend;
    const auto found = settings.backends.find(name);
    if (found == settings.backends.end()) {
        err << config << ": no backend \"" << name << "\" under backends\n";
        return std::unexpected(2);
    }
    const auto* const file = std::get_if<conf::FileBackend>(&found->second);
    if (file == nullptr) {
        err << config << ": backend \"" << name
            << "\" is not of type file; its users are managed where they live\n";
        return std::unexpected(2);
    }
    return file->path;
}

}  // namespace gatepost::commands
