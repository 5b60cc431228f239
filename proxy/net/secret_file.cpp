#include "proxy/net/secret_file.h"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "proxy/base/scope_guard.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::net {

namespace {

constexpr std::size_t kMostOctets = 1024 * 1024;

std::unexpected<Error> fail_reading(int error) {
    return fail(std::generic_category().message(error));
}

}  // namespace

Result<Secret> read_secret_file(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return fail_reading(errno);
    struct stat found{};
    if (::fstat(file.get(), &found) != 0) return fail_reading(errno);
    if (!S_ISREG(found.st_mode)) return fail("is not a regular file");
    const auto size = static_cast<std::size_t>(found.st_size);
    if (size > kMostOctets) return fail("is larger than 1 MiB");
    const auto space = std::make_unique<char[]>(size + 1);
    const ScopeGuard wiping([&space, size] { wipe(space.get(), size + 1); });
    std::size_t total = 0;
    while (total < size) {
        const ssize_t got = ::read(file.get(), space.get() + total, size - total);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_reading(errno);
        if (got == 0) break;
        total += static_cast<std::size_t>(got);
    }
    return Secret(ByteView(space.get(), total));
}

}  // namespace gatepost::net
