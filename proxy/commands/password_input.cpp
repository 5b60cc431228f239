#include "proxy/commands/password_input.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <termios.h>
#include <unistd.h>

#include "proxy/base/scope_guard.h"

namespace gatepost::commands {
namespace {

constexpr std::size_t kMaxInput = 8192;  // far more than any password: what is longer is refused, not cut

// Up to the end of the input, or of the line on a terminal; the line end is taken off.
Result<Secret> read_line(int fd, bool is_terminal) {
    std::array<char, kMaxInput> buffer{};
    const ScopeGuard wiped([&buffer] { wipe(buffer.data(), buffer.size()); });
    std::size_t size = 0;
    while (size < buffer.size()) {
        const ssize_t got = ::read(fd, buffer.data() + size, buffer.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(std::string("the password cannot be read: ") + std::strerror(errno));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
        if (is_terminal && buffer[size - 1] == '\n') break;
    }
    if (size == buffer.size()) return fail("the password is too long");
    ByteView line(buffer.data(), size);
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return Secret(line);
}

Result<Secret> ask(int fd, std::string_view prompt, std::ostream& err) {
    termios old{};
    if (::tcgetattr(fd, &old) != 0) return fail("the terminal cannot be asked not to echo");
    termios quiet = old;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL;
    err << prompt << std::flush;
    if (::tcsetattr(fd, TCSAFLUSH, &quiet) != 0) return fail("the terminal cannot be asked not to echo");
    const ScopeGuard restored([fd, &old] { ::tcsetattr(fd, TCSAFLUSH, &old); });
    return read_line(fd, true);
}

}  // namespace

Result<Secret> read_password(int fd, bool confirm, std::ostream& err) {
    if (::isatty(fd) == 0) return read_line(fd, false);
    Result<Secret> password = ask(fd, "Password: ", err);
    if (!password || !confirm) return password;
    const Result<Secret> again = ask(fd, "Again: ", err);
    if (!again) return std::unexpected(again.error());
    if (!equal_in_constant_time(password->reveal(), again->reveal()))
        return fail("the two passwords are not the same");
    return password;
}

}  // namespace gatepost::commands
