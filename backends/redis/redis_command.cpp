#include "backends/redis/redis_command.h"

#include <cstdlib>
#include <vector>

#include <hiredis/hiredis.h>

namespace gatepost::backends {

Secret format_command(std::span<const ByteView> words) {
    std::vector<const char*> starts;
    std::vector<std::size_t> sizes;
    for (const ByteView word : words) {
        starts.push_back(word.data() == nullptr ? "" : word.data());
        sizes.push_back(word.size());
    }
    char* octets = nullptr;
    const auto size =
        redisFormatCommandArgv(&octets, static_cast<int>(words.size()), starts.data(), sizes.data());
    if (size < 0 || octets == nullptr) std::abort();  // no memory
    Secret command(ByteView(octets, static_cast<std::size_t>(size)));
    wipe(octets, static_cast<std::size_t>(size));
    redisFreeCommand(octets);
    return command;
}

Secret format_command(std::initializer_list<ByteView> words) {
    return format_command(std::span(words.begin(), words.size()));
}

}  // namespace gatepost::backends
