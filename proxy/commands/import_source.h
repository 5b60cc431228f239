// Users as another program wrote them: Dovecot's passwd-file, Apache's htpasswd, a dump of Cyrus' sasldb.
// Takes text apart; hashes and writes nothing, and never shows a password or a hash. Pure.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost::commands {

struct ImportedUser {
    std::size_t line = 0;  ///< from 1
    std::string name;
    Secret record;             ///< a readable record that is no plain password; or empty
    Secret password;           ///< the password itself; or empty
    bool is_disabled = false;  ///< with neither: there is no password that would be right
};

struct ImportRemark {
    std::size_t line = 0;  ///< 0 = of the whole file
    std::string message;
};

struct ImportSource {
    std::vector<ImportedUser> users;
    std::vector<ImportRemark> problems;  ///< these users are not among `users`
    std::vector<ImportRemark> notes;     ///< what is not taken over
};

enum class ImportFormat { kDovecot, kHtpasswd, kSasldb };

/// "dovecot", "htpasswd" or "sasldb".
[[nodiscard]] std::optional<ImportFormat> parse_import_format(std::string_view name);

/// Every line, problems in the order of the file; a name that comes twice is one. `realm` is sasldb's: its
/// users are imported without "@realm".
[[nodiscard]] ImportSource read_import(ImportFormat format, ByteView text, const std::string& realm);

/// Of `db_dump -p`, or of db_dump without it. See read_import().
[[nodiscard]] ImportSource read_sasldb_dump(ByteView text, const std::string& realm);

}  // namespace gatepost::commands
