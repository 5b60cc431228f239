// The credential store over a users file: an immutable snapshot that is replaced whole when the file changes.
// A file that cannot be read or parsed changes nothing. Any thread; look-ups never touch the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "auth/dialogue/credential_store.h"
#include "backends/file/users_file.h"
#include "proxy/base/result.h"

namespace gatepost::backends {

/// Everything wrong with a users file, for people.
struct UsersFileError {
    std::string path;
    std::string message;                ///< when it cannot be read at all, else ""
    std::vector<LineProblem> problems;  ///< when it can

    /// One line for each problem, "path:line: what", `most` of them at most.
    [[nodiscard]] std::string text(std::size_t most = 100) const;
};

class FileStore final : public auth::CredentialStore {
  public:
    /// Reads nothing yet: until the first reload() every look-up is kUnavailable.
    explicit FileStore(std::string path);

    void lookup(std::string_view user, Executor& home,
                std::move_only_function<void(auth::Lookup)> answer) override;

    /// Reads and parses the file on the calling thread (not a reactor: a million users take seconds) and puts
    /// it in place of the old snapshot; on any error the old one stays.
    [[nodiscard]] std::expected<void, UsersFileError> reload();

    enum class Change { kNone, kReloaded };

    /// reload() if the file is another one than at the last attempt, good or bad (by time, inode and size):
    /// cheap enough for every second, but the reload itself is not; see there for the thread.
    [[nodiscard]] std::expected<Change, UsersFileError> reload_if_changed();

    /// The snapshot in use; nullptr before the first good reload.
    [[nodiscard]] std::shared_ptr<const UsersFile> users() const;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    /// What tells one state of the file from another.
    struct Stamp {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        std::int64_t size = -1;
        std::int64_t modified = 0;  // nanoseconds
        std::int64_t changed = 0;
        bool operator==(const Stamp&) const = default;
    };

    [[nodiscard]] static Stamp stamp_of(const std::string& path);
    [[nodiscard]] std::expected<void, UsersFileError> load();

    const std::string path_;
    std::mutex loading_;  // one reload at a time
    Stamp last_;          // under loading_
    mutable std::mutex mutex_;
    std::shared_ptr<const UsersFile> users_;  // under mutex_
};

/// The whole content of a file as a secret; the error names the path and the reason.
[[nodiscard]] Result<Secret> read_secret_file(const std::string& path);

}  // namespace gatepost::backends
