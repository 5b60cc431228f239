// The users of a users file, to be listed and changed by commands. Reads the whole file for each question.
#pragma once

#include <string>

#include "auth/dialogue/user_directory.h"

namespace gatepost::backends {

class FileUsers final : public auth::UserDirectory {
  public:
    explicit FileUsers(std::string path) : path_(std::move(path)) {}

    /// These two need a file without errors, and name each of its bad lines otherwise.
    [[nodiscard]] auth::FromDirectory<std::shared_ptr<const auth::StoredCredential>> find(
        std::string_view user) override;
    [[nodiscard]] auth::FromDirectory<std::vector<std::shared_ptr<const auth::StoredCredential>>> all()
        override;

    [[nodiscard]] auth::FromDirectory<std::vector<bool>> known(std::span<const std::string> users) override;
    [[nodiscard]] auth::FromDirectory<std::size_t> write(std::span<const auth::UserChange> changes) override;
    [[nodiscard]] auth::FromDirectory<bool> remove(std::string_view user) override;

  private:
    const std::string path_;
};

}  // namespace gatepost::backends
