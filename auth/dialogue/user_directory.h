// The seam to where users are managed rather than judged: what `gatepost user` lists, changes and imports.
// Pure interface. For commands: every call blocks, within a bounded time. One thread.
#pragma once

#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/dialogue/credential_store.h"
#include "proxy/base/secret.h"

namespace gatepost::auth {

/// What is to become of one user.
struct UserChange {
    enum class Expect { kAnything, kThere, kAbsent };

    std::string user;              ///< an acceptable name
    std::optional<Secret> record;  ///< nothing: the one there stays, and the user must be there
    /// By name (senders, limit_class, upstream, disabled); nothing = taken out. Others stay as they are.
    std::map<std::string, std::optional<std::string>> attributes;
    Expect expect = Expect::kAnything;  ///< anything else fails, and nothing is written
};

struct DirectoryError {
    enum class Kind {
        kWrong,        ///< what was asked for cannot be, or what is stored is broken
        kUnreachable,  ///< the directory cannot be read or written now
    };
    Kind kind = Kind::kUnreachable;
    std::string message;  ///< for people; never holds a secret
};

template <typename T>
using FromDirectory = std::expected<T, DirectoryError>;

class UserDirectory {
  public:
    virtual ~UserDirectory() = default;

    /// nullptr: nobody has that name.
    [[nodiscard]] virtual FromDirectory<std::shared_ptr<const StoredCredential>> find(
        std::string_view user) = 0;

    /// Sorted by name.
    [[nodiscard]] virtual FromDirectory<std::vector<std::shared_ptr<const StoredCredential>>> all() = 0;

    /// Which of `users` there are, in their order. A directory that is not there yet has nobody.
    [[nodiscard]] virtual FromDirectory<std::vector<bool>> known(std::span<const std::string> users) = 0;

    /// Makes or changes users, each whole or not at all; how many there were before. No name twice. A new
    /// record takes stored keys of the old password (`scram-sha-256`) with it.
    [[nodiscard]] virtual FromDirectory<std::size_t> write(std::span<const UserChange> changes) = 0;

    /// false: nobody has that name, and nothing was written.
    [[nodiscard]] virtual FromDirectory<bool> remove(std::string_view user) = 0;
};

}  // namespace gatepost::auth
