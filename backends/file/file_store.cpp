#include "backends/file/file_store.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/base/scope_guard.h"

namespace gatepost::backends {
namespace {

constexpr int kRereads = 3;
constexpr std::int64_t kMaxFileSize = std::int64_t{4} << 30;

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string reason(int error) {
    return std::string(std::strerror(error));
}  // NOLINT(concurrency-mt-unsafe): glibc's is safe

}  // namespace

Result<Secret> read_secret_file(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(printable(path) + ": cannot be opened: " + reason(errno));
    const ScopeGuard closed([fd] { close(fd); });
    struct stat status{};
    if (fstat(fd, &status) != 0) return fail(printable(path) + ": " + reason(errno));
    if (!S_ISREG(status.st_mode)) return fail(printable(path) + ": is not a file");
    if (status.st_size > kMaxFileSize) return fail(printable(path) + ": is larger than 4 GiB");
    const auto size = static_cast<std::size_t>(status.st_size);
    const auto buffer = std::make_unique_for_overwrite<char[]>(size + 1);
    const ScopeGuard wiped([&buffer, size] { wipe(buffer.get(), size); });
    std::size_t have = 0;
    while (have < size) {
        // The lock that is held is there for this, and look-ups never take it.
        // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
        const ssize_t got = read(fd, buffer.get() + have, size - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(printable(path) + ": cannot be read: " + reason(errno));
        if (got == 0) break;  // cut while we read: what is there now is read again at the next look
        have += static_cast<std::size_t>(got);
    }
    return Secret(ByteView(buffer.get(), have));
}

std::string UsersFileError::text(std::size_t most) const {
    if (!message.empty()) return message;
    std::string text;
    for (std::size_t i = 0; i < problems.size() && i < most; ++i) {
        text += (i == 0 ? "" : "\n") + printable(path) + ":" + std::to_string(problems[i].line) + ": " +
                problems[i].message;
    }
    if (problems.size() > most) text += "\n… and " + std::to_string(problems.size() - most) + " more";
    return text;
}

FileStore::FileStore(std::string path) : path_(std::move(path)) {}

void FileStore::lookup(std::string_view user, Executor& home,
                       std::move_only_function<void(auth::Lookup)> answer) {
    auth::Lookup lookup;
    if (const std::shared_ptr<const UsersFile> users = this->users()) {
        lookup.credential = users->find(user);
        lookup.status = lookup.credential ? auth::Lookup::Status::kFound : auth::Lookup::Status::kUnknown;
        if (!lookup.credential) lookup.stand_in = users->stand_in();
    }
    home.post(
        [lookup = std::move(lookup), answer = std::move(answer)]() mutable { answer(std::move(lookup)); });
}

std::expected<void, UsersFileError> FileStore::reload() {
    const std::lock_guard loading(loading_);
    return load();
}

std::expected<FileStore::Change, UsersFileError> FileStore::reload_if_changed() {
    const std::lock_guard loading(loading_);
    if (stamp_of(path_) == last_) return Change::kNone;
    if (std::expected<void, UsersFileError> loaded = load(); !loaded)
        return std::unexpected(std::move(loaded.error()));
    return Change::kReloaded;
}

std::expected<void, UsersFileError> FileStore::load() {
    last_ = stamp_of(path_);
    Result<Secret> text = read_secret_file(path_);
    // Caught while somebody rewrites it in place: what was read may lack users. Once more; the next look sees
    // the rest.
    for (int again = 0; again < kRereads && text && stamp_of(path_) != last_; ++again) {
        last_ = stamp_of(path_);
        text = read_secret_file(path_);
    }
    if (!text)
        return std::unexpected(
            UsersFileError{.path = path_, .message = text.error().message, .problems = {}});
    UsersFile::Parsed parsed = UsersFile::parse(std::move(*text));
    if (!parsed.file) {
        return std::unexpected(
            UsersFileError{.path = path_, .message = {}, .problems = std::move(parsed.problems)});
    }
    const std::lock_guard lock(mutex_);
    users_.swap(parsed.file);  // the old snapshot ends with `parsed`, or with its last reader
    return {};
}

std::shared_ptr<const UsersFile> FileStore::users() const {
    const std::lock_guard lock(mutex_);
    return users_;
}

FileStore::Stamp FileStore::stamp_of(const std::string& path) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) return {};
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .size = status.st_size,
            .modified = nanoseconds(status.st_mtim),
            .changed = nanoseconds(status.st_ctim)};
}

}  // namespace gatepost::backends
