// Reading whole small files, wiping what may be secret on the way.
#include "conf/files.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "proxy/base/printable.h"
#include "proxy/base/scope_guard.h"

namespace gatepost::conf {
namespace {

std::string reason(int error) {
    return std::generic_category().message(error);
}

constexpr std::size_t kSecretLimit = 64UL * 1024;

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    const std::string shown = printable(path);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail("cannot read " + shown + ": " + reason(errno));
    const ScopeGuard close_file([file] { ::close(file); });
    std::string text;
    std::array<char, 16384> chunk{};
    const ScopeGuard wipe_chunk([&chunk] { wipe(chunk.data(), chunk.size()); });
    while (true) {
        const ssize_t got = ::read(file, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail("cannot read " + shown + ": " + reason(errno));
        if (got == 0) return text;
        if (text.size() + static_cast<std::size_t>(got) > limit) {
            return fail("cannot read " + shown + ": it is larger than " + std::to_string(limit) + " octets");
        }
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

Result<SharedSecret> read_secret_file(const std::string& path) {
    auto text = read_file(path, kSecretLimit);
    if (!text) return std::unexpected(text.error());
    const ScopeGuard wipe_text([&text] { wipe(text->data(), text->size()); });
    ByteView octets = *text;
    if (octets.ends_with('\n')) octets.remove_suffix(1);
    if (octets.ends_with('\r')) octets.remove_suffix(1);
    if (octets.empty()) return fail(printable(path) + " is empty");
    return std::make_shared<const Secret>(octets);
}

Result<void> must_be_readable(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
        return fail("cannot read " + printable(path) + ": " + reason(errno));
    if (S_ISDIR(status.st_mode)) return fail("cannot read " + printable(path) + ": " + reason(EISDIR));
    if (::access(path.c_str(), R_OK) != 0)
        return fail("cannot read " + printable(path) + ": " + reason(errno));
    return {};
}

}  // namespace gatepost::conf
