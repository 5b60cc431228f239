#include "backends/file/file_users.h"

#include <algorithm>
#include <unistd.h>
#include <unordered_set>
#include <utility>

#include "backends/file/file_store.h"
#include "backends/file/users_file.h"
#include "backends/file/users_writer.h"

namespace gatepost::backends {

using auth::DirectoryError;
using auth::FromDirectory;
using UserPtr = std::shared_ptr<const auth::StoredCredential>;

namespace {

FromDirectory<std::shared_ptr<const UsersFile>> load(const std::string& path) {
    FileStore store(path);
    if (const auto loaded = store.reload(); !loaded) {
        const bool is_unreadable = !loaded.error().message.empty();
        return std::unexpected(
            DirectoryError{is_unreadable ? DirectoryError::Kind::kUnreachable : DirectoryError::Kind::kWrong,
                           is_unreadable ? loaded.error().message : loaded.error().text()});
    }
    return store.users();
}

}  // namespace

FromDirectory<UserPtr> FileUsers::find(std::string_view user) {
    const auto file = load(path_);
    if (!file) return std::unexpected(file.error());
    return (*file)->find(user);
}

FromDirectory<std::vector<UserPtr>> FileUsers::all() {
    const auto file = load(path_);
    if (!file) return std::unexpected(file.error());
    std::vector<UserPtr> users;
    users.reserve((*file)->size());
    (*file)->each([&users](const UserPtr& user) { users.push_back(user); });
    std::ranges::sort(users, {}, [](const UserPtr& user) -> const std::string& { return user->user; });
    return users;
}

/// Looks at names alone, so that a user can be changed while the line of another is broken.
FromDirectory<std::vector<bool>> FileUsers::known(std::span<const std::string> users) {
    std::vector<bool> are_known(users.size());
    if (access(path_.c_str(), F_OK) != 0) return are_known;
    const Result<Secret> text = read_secret_file(path_);
    if (!text)
        return std::unexpected(DirectoryError{DirectoryError::Kind::kUnreachable, text.error().message});
    std::unordered_set<std::string> names;
    ByteView rest = text->reveal();
    if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        ByteView line = rest.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (std::optional<std::string> name = name_of_line(line)) names.insert(std::move(*name));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    for (std::size_t i = 0; i < users.size(); ++i) are_known[i] = names.contains(users[i]);
    return are_known;
}

FromDirectory<std::size_t> FileUsers::write(std::span<const auth::UserChange> changes) {
    return write_users(path_, changes);
}

FromDirectory<bool> FileUsers::remove(std::string_view user) {
    return delete_user(path_, user);
}

}  // namespace gatepost::backends
