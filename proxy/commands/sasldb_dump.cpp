// The text that Berkeley DB's db_dump makes of a sasldb: header lines up to HEADER=END, then a line each for
// key and value in turn, up to DATA=END. A key is user NUL realm NUL property.
#include <algorithm>
#include <memory>
#include <utility>

#include "auth/dialogue/names.h"
#include "proxy/base/printable.h"
#include "proxy/commands/import_source.h"

namespace gatepost::commands {
namespace {

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The octets of one line of data: "\\" and "\xx" undone in the printable form, two digits an octet in the
/// other. Nothing for what db_dump would not write.
std::optional<Secret> octets_of(ByteView line, bool is_printable) {
    const auto buffer = std::make_unique<char[]>(line.size());
    std::size_t size = 0;
    bool is_good = true;
    for (std::size_t i = 0; i < line.size() && is_good; ++i) {
        if (is_printable && line[i] != '\\') {
            buffer[size++] = line[i];
            continue;
        }
        if (is_printable && line.substr(i + 1).starts_with('\\')) {
            buffer[size++] = line[++i];
            continue;
        }
        const std::size_t at = is_printable ? i + 1 : i;
        is_good = at + 1 < line.size() && hex(line[at]) >= 0 && hex(line[at + 1]) >= 0;
        if (is_good) buffer[size++] = static_cast<char>(hex(line[at]) * 16 + hex(line[at + 1]));
        i = at + 1;
    }
    std::optional<Secret> octets;
    if (is_good) octets = Secret(ByteView(buffer.get(), size));
    wipe(buffer.get(), line.size());
    return octets;
}

class Dump {
  public:
    explicit Dump(std::string realm) : realm_(std::move(realm)) {}

    ImportSource read(ByteView text) {
        while (!text.empty() && !is_over_) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            ByteView line = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
            ++number_;
            if (line.ends_with('\r')) line.remove_suffix(1);
            is_in_data_ ? take_data(line) : take_header(line);
        }
        if (!is_over_)
            problem(
                "this is no whole dump of db_dump (no DATA=END): make one with `db_dump -p /etc/sasldb2`");
        if (others_ != 0)
            source_.notes.push_back(
                {0, std::to_string(others_) + " entries of other mechanisms (no userPassword) are ignored"});
        return std::move(source_);
    }

  private:
    void problem(std::string message) { source_.problems.push_back({number_, std::move(message)}); }

    void take_header(ByteView line) {
        if (line == "format=print") is_printable_ = true;
        if (line == "HEADER=END") is_in_data_ = true;
    }

    void take_data(ByteView line) {
        if (line == "DATA=END") {
            is_over_ = true;
            if (key_) problem("a key without its value");
            return;
        }
        if (!line.starts_with(' ')) return problem("expected a blank and data as db_dump writes them");
        std::optional<Secret> octets = octets_of(line.substr(1), is_printable_);
        if (!octets) problem("this is not as db_dump writes data");
        if (!octets) octets.emplace();
        if (!key_) {
            key_ = std::move(octets);
            return;
        }
        const Secret key = std::move(*std::exchange(key_, std::nullopt));
        take_entry(key.reveal(), std::move(*octets));
    }

    void take_entry(ByteView key, Secret value) {
        const std::size_t first = key.find('\0');
        const std::size_t second = first == ByteView::npos ? first : key.find('\0', first + 1);
        if (second == ByteView::npos) return;  // db_dump's own problem was told
        const ByteView realm = key.substr(first + 1, second - first - 1);
        if (key.substr(second + 1) != "userPassword") {
            ++others_;
            return;
        }
        ImportedUser user;
        user.line = number_;
        user.name = key.substr(0, first);
        if (!realm.empty() && realm != realm_) user.name.append("@").append(realm);
        if (!auth::is_acceptable_name(user.name)) {
            return problem(
                "a name has 1 to 255 octets of UTF-8, no control characters and no blank at either end");
        }
        if (!auth::is_acceptable_password(value.reveal()))
            return problem("user " + printable(user.name) +
                           ": a password has 1 to 1024 octets and no control characters");
        user.password = std::move(value);
        source_.users.push_back(std::move(user));
    }

    const std::string realm_;
    ImportSource source_;
    std::size_t number_ = 0;
    std::size_t others_ = 0;
    bool is_printable_ = false;
    bool is_in_data_ = false;
    bool is_over_ = false;
    std::optional<Secret> key_;
};

}  // namespace

ImportSource read_sasldb_dump(ByteView text, const std::string& realm) {
    return Dump(realm).read(text);
}

}  // namespace gatepost::commands
