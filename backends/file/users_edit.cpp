#include "backends/file/users_edit.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "auth/check/joined.h"
#include "auth/dialogue/names.h"
#include "backends/file/users_file.h"
#include "proxy/base/printable.h"

namespace gatepost::backends {
namespace {

using auth::DirectoryError;
using auth::UserChange;

constexpr std::string_view kScramKeys = "scram-sha-256";

std::unexpected<DirectoryError> wrong(std::string message) {
    return std::unexpected(DirectoryError{DirectoryError::Kind::kWrong, std::move(message)});
}

// Behind name and record of `line`: ":" and the rest, or nothing, with its line end.
ByteView behind_record(ByteView line) {
    int fields = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\') {
            ++i;
        } else if (line[i] == '\n' || line[i] == '\r' || (line[i] == ':' && ++fields == 2)) {
            return line.substr(i);
        }
    }
    return {};
}

ByteView without_line_end(ByteView line) {
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

/// Name and record, then each attribute in a field of its own.
Secret compose(std::string_view name, ByteView record, const std::map<std::string, std::string>& attributes,
               ByteView line_end) {
    std::string fields;
    for (const auto& [attribute, value] : attributes) {
        fields += ':';
        fields += escaped_field(std::string(attribute).append("=").append(value)).reveal();
    }
    const Secret name_field = escaped_field(name);
    const Secret record_field = escaped_field(record);
    Secret line = auth::joined({name_field.reveal(), ":", record_field.reveal(), fields, line_end});
    wipe(fields.data(), fields.size());  // stored keys are an attribute too
    return line;
}

auth::FromDirectory<Secret> made_line(const UserChange& change) {
    std::map<std::string, std::string> attributes;
    for (const auto& [attribute, value] : change.attributes) {
        if (value) attributes.emplace(attribute, *value);
    }
    Secret line = compose(change.user, change.record->reveal(), attributes, "\n");
    UserLine read;
    const auto problem = parse_user_line(without_line_end(line.reveal()), read);
    if (problem || read.name != change.user || read.attributes != attributes)
        return wrong("user " + printable(change.user) + " cannot be written to a users file: " +
                     problem.value_or("an attribute would be read as something else"));
    return line;
}

auth::FromDirectory<Secret> changed_line(ByteView line, const UserChange& change) {
    const ByteView bare = without_line_end(line);
    UserLine old;
    const std::optional<std::string> problem = parse_user_line(bare, old);
    const bool drops_keys = change.record && !problem && old.attributes.contains(std::string(kScramKeys));
    if (change.attributes.empty() && !drops_keys) {
        // What stands behind the record stays to the octet, understood or not.
        const Secret name = escaped_field(change.user);
        const Secret record = escaped_field(change.record->reveal());
        return auth::joined({name.reveal(), ":", record.reveal(), behind_record(line)});
    }
    if (problem) return wrong("the line of user " + printable(change.user) + ": " + *problem);
    if (old.has_dovecot_fields) {
        return wrong("the line of user " + printable(change.user) +
                     " has Dovecot's further fields (uid, gid, …), where attributes have no place: take them "
                     "out first");
    }
    UserChange whole{.user = change.user,
                     .record = change.record ? change.record->clone() : old.record.clone(),
                     .attributes = {},
                     .expect = change.expect};
    for (const auto& [attribute, value] : old.attributes) {
        if (!drops_keys || attribute != kScramKeys) whole.attributes[attribute] = value;
    }
    for (const auto& [attribute, value] : change.attributes) whole.attributes[attribute] = value;
    auth::FromDirectory<Secret> made = made_line(whole);
    if (!made || line.ends_with('\n')) {
        if (made && line.ends_with("\r\n")) return auth::joined({without_line_end(made->reveal()), "\r\n"});
        return made;
    }
    return Secret(without_line_end(made->reveal()));
}

/// The changes by name; nothing when one of them cannot be.
auth::FromDirectory<std::unordered_map<std::string_view, std::size_t>> by_name(
    std::span<const UserChange> changes) {
    std::unordered_map<std::string_view, std::size_t> found;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const std::string& name = changes[i].user;
        if (!auth::is_acceptable_name(name)) {
            return wrong(
                "a name has 1 to 255 octets of UTF-8, no control characters and no blank at either end");
        }
        if (name.starts_with('#'))
            return wrong("a name that begins with \"#\" would be a comment in the users file");
        if (!found.emplace(name, i).second) return wrong("user " + printable(name) + " is named twice");
    }
    return found;
}

}  // namespace

auth::FromDirectory<EditedUsers> edit_users(ByteView text, std::span<const UserChange> changes) {
    const auto wanted = by_name(changes);
    if (!wanted) return std::unexpected(wanted.error());
    std::vector<bool> is_done(changes.size());
    EditedUsers edited;
    std::size_t kept_from = 0;  // the first octet that is not yet in a piece
    std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    while (at < text.size()) {
        const std::size_t newline = text.find('\n', at);
        const std::size_t end = newline == ByteView::npos ? text.size() : newline + 1;
        const ByteView line = text.substr(at, end - at);
        const std::size_t begin = std::exchange(at, end);
        const std::optional<std::string> name = name_of_line(without_line_end(line));
        const auto found = name ? wanted->find(*name) : wanted->end();
        if (found == wanted->end()) continue;
        const UserChange& change = changes[found->second];
        if (is_done[found->second])
            return wrong("user " + printable(*name) + " is in the file more than once: nothing was changed");
        if (change.expect == UserChange::Expect::kAbsent)
            return wrong("user " + printable(*name) + " is there already");
        is_done[found->second] = true;
        ++edited.were_there;
        if (!change.record && change.attributes.empty()) continue;
        auth::FromDirectory<Secret> made = changed_line(line, change);
        if (!made) return std::unexpected(made.error());
        edited.pieces.push_back(text.substr(kept_from, begin - kept_from));
        edited.pieces.push_back(edited.lines.emplace_back(std::move(*made)).reveal());
        kept_from = end;
    }
    edited.pieces.push_back(text.substr(kept_from));
    bool needs_line_end = !text.empty() && !text.ends_with('\n');
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (is_done[i]) continue;
        if (changes[i].expect == UserChange::Expect::kThere || !changes[i].record)
            return wrong("there is no user " + printable(changes[i].user));
        auth::FromDirectory<Secret> made = made_line(changes[i]);
        if (!made) return std::unexpected(made.error());
        if (std::exchange(needs_line_end, false)) edited.pieces.emplace_back("\n");
        edited.pieces.push_back(edited.lines.emplace_back(std::move(*made)).reveal());
    }
    return edited;
}

}  // namespace gatepost::backends
