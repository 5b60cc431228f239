// The users file: name:record[:attribute=value …], one user a line, Dovecot's seven fields read too. Parses
// and indexes; never shows a record in an error. Pure; a parsed file is immutable and may be read by any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/dialogue/credential_store.h"
#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost::backends {

/// What is wrong with one line.
struct LineProblem {
    std::size_t line = 0;  ///< from 1
    std::string message;
};

/// One line taken apart, its escapes undone.
struct UserLine {
    std::string name;
    Secret record;
    std::map<std::string, std::string> attributes;
    bool has_dovecot_fields = false;  ///< behind the record, where attributes of ours would stand
};

/// A comment, or nothing but blanks.
[[nodiscard]] bool is_comment(ByteView line);

/// Takes a line (without its line end) apart; or the sentence for its LineProblem. Checks everything but
/// whether the record is readable.
[[nodiscard]] std::optional<std::string> parse_user_line(ByteView line, UserLine& user);

/// The name at the beginning of a line, escapes undone; nothing for comments and lines without one.
[[nodiscard]] std::optional<std::string> name_of_line(ByteView line);

/// `text` as it stands in a field: ":" and "\" behind a "\".
[[nodiscard]] Secret escaped_field(ByteView text);

/// `yes`, `true`, `1` and `on`, in any case, of the attribute `disabled`; nothing for what is neither that
/// nor its opposite.
[[nodiscard]] std::optional<bool> parse_switch(std::string_view value);

[[nodiscard]] bool is_disabled(const UserLine& user);

class UsersFile {
  public:
    struct Parsed {
        std::shared_ptr<const UsersFile> file;  ///< nullptr when there are problems
        std::vector<LineProblem> problems;      ///< all of them, in the order of lines
    };

    /// Reads the whole text of a file: every line, every record's form, duplicates. A second or two for a
    /// million users.
    [[nodiscard]] static Parsed parse(Secret text);

    /// nullptr when nobody has that name, octet for octet.
    [[nodiscard]] std::shared_ptr<const auth::StoredCredential> find(std::string_view name) const;

    /// A credential of nobody, of the kind most common in this file; nullptr for an empty file. Made anew
    /// each time: that takes as long as to find somebody.
    [[nodiscard]] std::shared_ptr<const auth::StoredCredential> stand_in() const;

    [[nodiscard]] std::size_t size() const noexcept { return lines_.size(); }

    /// Users who are not disabled, and how many of them have a record that cannot serve `mechanism` (upper
    /// case).
    [[nodiscard]] std::size_t enabled() const noexcept { return enabled_; }
    [[nodiscard]] std::size_t cannot_use(std::string_view mechanism) const;

    /// Calls `visit(credential)` for each user in the order of the file.
    template <typename Visit>
    void each(Visit visit) const {
        for (const Line& line : lines_) visit(credential(view(line)));
    }

  private:
    struct Line {
        std::uint64_t begin;
        std::uint32_t size;
        std::uint32_t number;
    };

    explicit UsersFile(Secret text) : text_(std::move(text)) {}

    [[nodiscard]] ByteView view(const Line& line) const {
        return text_.reveal().substr(line.begin, line.size);
    }
    [[nodiscard]] static std::shared_ptr<auth::StoredCredential> credential(ByteView line);
    [[nodiscard]] const Line* insert(std::string_view name, const Line& line);
    [[nodiscard]] std::size_t slot_of(std::string_view name) const;
    void grow();

    Secret text_;              // the whole file; wiped at the end
    std::vector<Line> lines_;  // of users only
    std::vector<std::uint32_t>
        slots_;                 // open addressing: index into lines_ plus one, 0 = free; a power of two
    std::size_t stand_in_ = 0;  // index of a line of the most common kind
    std::size_t enabled_ = 0;
    std::map<std::string, std::size_t, std::less<>>
        cannot_use_;  // by mechanism; those with nobody are not in it
};

}  // namespace gatepost::backends
