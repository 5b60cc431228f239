#include "proxy/server/unservable.h"

#include <algorithm>
#include <iterator>
#include <variant>

#include "backends/file/file_store.h"
#include "proxy/server/auxprop_backend.h"

namespace gatepost::server {

std::vector<std::string> unservable_notes(const std::string& backend, const backends::UsersFile& users,
                                          const std::vector<std::string>& mechanisms) {
    std::vector<std::string> notes;
    for (const std::string& mechanism : mechanisms) {
        const std::size_t left_out = users.cannot_use(mechanism);
        if (left_out == 0) continue;
        notes.push_back("backends." + backend + ": " + std::to_string(left_out) + " of " +
                        std::to_string(users.enabled()) + (users.enabled() == 1 ? " user" : " users") +
                        " cannot use " + mechanism + ", so it is not offered");
    }
    return notes;
}

std::vector<std::string> unservable_notes(const conf::Config& config) {
    std::vector<std::string> notes;
    for (const std::string& name : config.auth.backends) {
        const auto backend = config.backends.find(name);
        if (backend == config.backends.end()) continue;
        const auto* const sasl = std::get_if<conf::SaslBackend>(&backend->second);
        if (sasl != nullptr && sasl->method == conf::SaslMethod::Auxprop)
            std::ranges::move(auxprop_notes(name, *sasl), std::back_inserter(notes));
        const auto* const file = std::get_if<conf::FileBackend>(&backend->second);
        if (file == nullptr) continue;
        backends::FileStore store(file->path);
        if (!store.reload()) continue;
        std::ranges::move(unservable_notes(name, *store.users(), config.auth.mechanisms),
                          std::back_inserter(notes));
    }
    return notes;
}

}  // namespace gatepost::server
