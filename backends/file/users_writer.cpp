#include "backends/file/users_writer.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "backends/file/file_store.h"
#include "backends/file/users_edit.h"
#include "backends/file/users_file.h"
#include "proxy/base/printable.h"
#include "proxy/base/scope_guard.h"

namespace gatepost::backends {

using auth::DirectoryError;
using auth::FromDirectory;

namespace {

std::unexpected<Error> failed(const std::string& path, std::string_view what) {
    return fail(printable(path) + ": " + std::string(what) + ": " +
                std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
}

/// An open file, closed at the end; its lock goes with it.
class File {
  public:
    explicit File(int fd) : fd_(fd) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) close(fd_);
    }
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    int fd_;
};

// Opens and locks the file that has the name now: whoever held the lock before us may have renamed another
// one over it.
Result<std::unique_ptr<File>> open_locked(const std::string& path, bool make) {
    while (true) {
        auto file =
            std::make_unique<File>(open(path.c_str(), O_RDONLY | O_CLOEXEC | (make ? O_CREAT : 0), 0600));
        if (file->fd() < 0) return failed(path, "cannot be opened");
        if (flock(file->fd(), LOCK_EX) != 0) return failed(path, "cannot be locked");
        struct stat ours{};
        struct stat named{};
        if (fstat(file->fd(), &ours) != 0) return failed(path, "cannot be examined");
        if (!S_ISREG(ours.st_mode)) return fail(printable(path) + ": is not a file");
        if (stat(path.c_str(), &named) == 0 && ours.st_dev == named.st_dev && ours.st_ino == named.st_ino)
            return file;
    }
}

bool write_all(int fd, ByteView octets) {
    while (!octets.empty()) {
        const ssize_t written = write(fd, octets.data(), octets.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        octets.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

Result<void> replace(const std::string& path, int old_fd, std::span<const ByteView> parts) {
    struct stat old{};
    if (fstat(old_fd, &old) != 0) return failed(path, "cannot be examined");
    std::string temporary = path + ".XXXXXX";
    const File file(mkostemp(temporary.data(), O_CLOEXEC));
    if (file.fd() < 0) return failed(path, "no new file can be made beside it");
    ScopeGuard removed([&temporary] { unlink(temporary.c_str()); });
    struct stat fresh{};
    if (fstat(file.fd(), &fresh) != 0) return failed(temporary, "cannot be examined");
    const bool is_ours = fresh.st_uid == old.st_uid && fresh.st_gid == old.st_gid;
    if (!is_ours && fchown(file.fd(), old.st_uid, old.st_gid) != 0)
        return failed(path, "its owner cannot be kept");
    if (fchmod(file.fd(), old.st_mode & 07777) != 0) return failed(path, "its mode cannot be kept");
    for (const ByteView part : parts) {
        if (!write_all(file.fd(), part)) return failed(temporary, "cannot be written");
    }
    if (fsync(file.fd()) != 0) return failed(temporary, "cannot be synced");
    if (rename(temporary.c_str(), path.c_str()) != 0) return failed(path, "cannot be replaced");
    removed.dismiss();
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const File directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.fd() >= 0) fsync(directory.fd());  // best effort: the new content is safe either way
    return {};
}

/// Where a user's line stands in a text; at its end when there is none.
struct Place {
    bool is_there = false;
    std::size_t begin = 0;
    std::size_t end = 0;  ///< behind its line end
};

Result<Place> find_line(ByteView text, std::string_view name) {
    Place found{.is_there = false, .begin = text.size(), .end = text.size()};
    std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    while (at < text.size()) {
        const std::size_t newline = text.find('\n', at);
        const std::size_t end = newline == ByteView::npos ? text.size() : newline + 1;
        ByteView line = text.substr(at, end - at);
        while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
        if (name_of_line(line) == name) {
            if (found.is_there)
                return fail("user " + printable(name) +
                            " is in the file more than once: nothing was changed");
            found = {.is_there = true, .begin = at, .end = end};
        }
        at = end;
    }
    return found;
}

// Follows symbolic links, so that the link stays and the file behind it changes.
std::string resolved(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), std::free);
    return real ? std::string(real.get()) : path;
}

DirectoryError unreachable(const Error& error) {
    return {DirectoryError::Kind::kUnreachable, error.message};
}

DirectoryError wrong(std::string message) {
    return {DirectoryError::Kind::kWrong, std::move(message)};
}

}  // namespace

FromDirectory<std::size_t> write_users(const std::string& path, std::span<const auth::UserChange> changes) {
    // What cannot be must not leave an empty file behind.
    const FromDirectory<EditedUsers> on_nothing = edit_users({}, changes);
    const std::string real = resolved(path);
    const bool is_new = !on_nothing && access(real.c_str(), F_OK) != 0;
    if (is_new) return std::unexpected(on_nothing.error());
    const Result<std::unique_ptr<File>> file = open_locked(real, true);
    if (!file) return std::unexpected(unreachable(file.error()));
    const Result<Secret> text = read_secret_file(real);
    if (!text) return std::unexpected(unreachable(text.error()));
    const FromDirectory<EditedUsers> edited = edit_users(text->reveal(), changes);
    if (!edited) return std::unexpected(edited.error());
    const Result<void> written = replace(real, (*file)->fd(), edited->pieces);
    if (!written) return std::unexpected(unreachable(written.error()));
    return edited->were_there;
}

FromDirectory<bool> delete_user(const std::string& path, std::string_view name) {
    const std::string real = resolved(path);
    const Result<std::unique_ptr<File>> file = open_locked(real, false);
    if (!file) return std::unexpected(unreachable(file.error()));
    const Result<Secret> text = read_secret_file(real);
    if (!text) return std::unexpected(unreachable(text.error()));
    const ByteView all = text->reveal();
    const Result<Place> place = find_line(all, name);
    if (!place) return std::unexpected(wrong(place.error().message));
    if (!place->is_there) return false;
    const std::array<ByteView, 2> parts{all.substr(0, place->begin), all.substr(place->end)};
    const Result<void> written = replace(real, (*file)->fd(), parts);
    if (!written) return std::unexpected(unreachable(written.error()));
    return true;
}

}  // namespace gatepost::backends
