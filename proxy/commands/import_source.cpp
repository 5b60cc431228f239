#include "proxy/commands/import_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <unordered_map>
#include <utility>

#include "auth/check/joined.h"
#include "auth/check/record.h"
#include "auth/dialogue/names.h"
#include "proxy/base/printable.h"

namespace gatepost::commands {
namespace {

constexpr std::size_t kDesSize = 13;  // of a crypt(3) hash from before "$"
constexpr std::size_t kExtraFields = 7;

bool is_des(ByteView hash) {
    return hash.size() == kDesSize && std::ranges::all_of(hash, [](char c) {
               return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '.' || c == '/';
           });
}

std::string upper(ByteView text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return result;
}

/// The hash of `user` as a file of `format` has it, into a record or a password; or what is wrong with it.
std::optional<std::string> take_hash(ImportFormat format, ByteView hash, ImportedUser& user) {
    if (hash.empty()) return "there is no password: anybody, or nobody, could log in";
    if (hash.starts_with('!') || hash.starts_with('*')) {
        // As passwd(1) locks an account; what is behind it may be the hash of before.
        user.is_disabled = true;
        hash.remove_prefix(std::min(hash.find_first_not_of("!*"), hash.size()));
        if (hash.empty() || hash == "LK*" || hash == "NP*") return std::nullopt;
    }
    if (format == ImportFormat::kDovecot) {
        const std::size_t end = hash.starts_with('{') ? hash.find('}') : ByteView::npos;
        const std::string scheme = end == ByteView::npos ? "" : upper(hash.substr(1, end - 1));
        if (scheme == "PLAIN" || scheme == "CLEAR" || scheme == "CLEARTEXT") {
            user.password = Secret(hash.substr(end + 1));
            if (!auth::is_acceptable_password(user.password.reveal()))
                return "a password has 1 to 1024 octets and no control characters";
            return std::nullopt;
        }
    }
    const Secret whole = is_des(hash) ? auth::joined({"{CRYPT}", hash}) : Secret(hash);
    if (format == ImportFormat::kHtpasswd && !whole.reveal().starts_with('$') && !is_des(hash)) {
        return hash.starts_with("{SHA}")
                   ? "{SHA} is a hash without salt, which is not taken: set a new password"
                   : "this is no hash that is known here (a password in clear?): set a new password";
    }
    const Result<auth::Record> record = auth::Record::parse(whole.reveal());
    if (!record) return record.error().message;
    user.record = record->text();
    return std::nullopt;
}

/// Names the extra fields of Dovecot that say something and are not taken over, with how many users have
/// them.
class ExtraFields {
  public:
    /// Or what is wrong.
    std::optional<std::string> take(ByteView extra, std::size_t line) {
        while (!extra.empty()) {
            const std::size_t blank = std::min(extra.find(' '), extra.size());
            const ByteView word = extra.substr(0, blank);
            extra.remove_prefix(std::min(blank + 1, extra.size()));
            const std::string name(word.substr(0, word.find('=')));
            if (name.empty()) continue;
            if (name == "nopassword") return "nopassword: every password would be right for this user";
            auto& [count, first] = seen_.try_emplace(name, 0, line).first->second;
            ++count;
        }
        return std::nullopt;
    }

    [[nodiscard]] std::vector<ImportRemark> notes() const {
        std::vector<ImportRemark> notes;
        for (const auto& [name, seen] : seen_) {
            notes.push_back({seen.second, printable(name, 64) + " is ignored (" + std::to_string(seen.first) +
                                              (seen.first == 1 ? " user)" : " users, this is the first)")});
        }
        return notes;
    }

  private:
    std::map<std::string, std::pair<std::size_t, std::size_t>> seen_;  // how many, first line
};

ByteView field(ByteView line, std::size_t index, bool is_last = false) {
    for (; index > 0; --index) {
        const std::size_t colon = line.find(':');
        if (colon == ByteView::npos) return {};
        line.remove_prefix(colon + 1);
    }
    return is_last ? line : line.substr(0, line.find(':'));
}

std::optional<std::string> take_line(ImportFormat format, ByteView line, ImportedUser& user,
                                     ExtraFields& extra) {
    if (line.find(':') == ByteView::npos) return "expected name:hash, found no \":\"";
    user.name = field(line, 0);
    if (!auth::is_acceptable_name(user.name))
        return "a name has 1 to 255 octets of UTF-8, no control characters and no blank at either end";
    if (format == ImportFormat::kDovecot) {
        if (auto problem = extra.take(field(line, kExtraFields, true), user.line)) return problem;
    }
    return take_hash(format, field(line, 1), user);
}

}  // namespace

std::optional<ImportFormat> parse_import_format(std::string_view name) {
    if (name == "dovecot") return ImportFormat::kDovecot;
    if (name == "htpasswd") return ImportFormat::kHtpasswd;
    if (name == "sasldb") return ImportFormat::kSasldb;
    return std::nullopt;
}

ImportSource read_import(ImportFormat format, ByteView text, const std::string& realm) {
    ImportSource source;
    if (format == ImportFormat::kSasldb) {
        source = read_sasldb_dump(text, realm);
    } else {
        ExtraFields extra;
        if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
        for (std::size_t number = 1; !text.empty(); ++number) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            ByteView line = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
            if (line.ends_with('\r')) line.remove_suffix(1);
            const std::size_t first = line.find_first_not_of(" \t");
            if (first == ByteView::npos || line[first] == '#') continue;
            ImportedUser user;
            user.line = number;
            if (auto problem = take_line(format, line, user, extra)) {
                source.problems.push_back({number, std::move(*problem)});
            } else {
                source.users.push_back(std::move(user));
            }
        }
        source.notes = extra.notes();
    }
    std::unordered_map<std::string, std::size_t> lines;
    std::erase_if(source.users, [&](const ImportedUser& user) {
        const auto [earlier, is_new] = lines.emplace(user.name, user.line);
        if (!is_new)
            source.problems.push_back({user.line, "user " + printable(user.name) + " is on line " +
                                                      std::to_string(earlier->second) + " already"});
        return !is_new;
    });
    std::ranges::stable_sort(source.problems, {}, &ImportRemark::line);
    return source;
}

}  // namespace gatepost::commands
