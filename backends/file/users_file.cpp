#include "backends/file/users_file.h"

#include <algorithm>
#include <array>
#include <functional>
#include <unordered_map>
#include <utility>

#include "auth/check/record.h"
#include "auth/dialogue/mechanisms.h"
#include "auth/dialogue/message.h"
#include "proxy/base/printable.h"

namespace gatepost::backends {
namespace {

constexpr std::size_t kFirstSlots = 64;
constexpr std::size_t kMaxLineSize = 64 * 1024;
constexpr std::array<std::string_view, 5> kAttributes{"disabled", "limit_class", "scram-sha-256", "senders",
                                                      "upstream"};

bool is_attribute(std::string_view name) {
    return std::ranges::find(kAttributes, name) != kAttributes.end();
}

// Where the field at the front of `text` ends: at a ":" without "\" before it, or at the end.
std::size_t field_end(ByteView text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == ':') {
            return i;
        }
    }
    return text.size();
}

// Undoes "\:" and "\\"; nothing when a "\" stands before anything else.
std::optional<Secret> unescaped(ByteView field) {
    if (field.find('\\') == ByteView::npos) return Secret(field);
    const auto buffer = std::make_unique<char[]>(field.size());
    std::size_t size = 0;
    bool is_good = true;
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] == '\\' && (++i == field.size() || (field[i] != ':' && field[i] != '\\'))) {
            is_good = false;
            break;
        }
        buffer[size++] = field[i];
    }
    std::optional<Secret> text;
    if (is_good) text = Secret(ByteView(buffer.get(), size));
    wipe(buffer.get(), field.size());
    return text;
}

// Takes the first field off `line`; nothing behind it when `line` ends with it.
ByteView take_field(ByteView& line, bool& has_more) {
    const std::size_t end = field_end(line);
    const ByteView field = line.substr(0, end);
    has_more = end < line.size();
    line.remove_prefix(has_more ? end + 1 : end);
    return field;
}

// Behind Dovecot's record stand uid, gid, gecos, home, shell and extra fields. An attribute of ours has a
// "=", a uid has not.
bool is_dovecot(ByteView rest) {
    const ByteView uid = rest.substr(0, field_end(rest));
    if (uid.find('=') != ByteView::npos) return false;
    const bool is_number = !uid.empty() && uid.find_first_not_of("0123456789") == ByteView::npos;
    return is_number || std::ranges::count(rest, ':') >= 4;
}

// One field of attributes: "name=value", several of them with blanks between. A word that is no attribute of
// ours belongs to the value before it.
std::optional<std::string> take_attributes(ByteView field, std::map<std::string, std::string>& attributes) {
    std::string* value = nullptr;
    while (!field.empty()) {
        const std::size_t blank = field.find(' ');
        const ByteView word = field.substr(0, blank);
        field.remove_prefix(blank == ByteView::npos ? field.size() : blank + 1);
        if (word.empty()) continue;
        const std::size_t equals = word.find('=');
        const std::string name(word.substr(0, equals));
        if (equals != ByteView::npos && is_attribute(name)) {
            const auto [entry, is_new] = attributes.emplace(name, word.substr(equals + 1));
            if (!is_new) return "attribute " + name + " is given twice";
            value = &entry->second;
        } else if (value != nullptr) {
            *value += ' ';
            *value += word;
        } else if (equals == ByteView::npos) {
            return "expected attribute=value after the record (a \":\" inside it is written \"\\:\")";
        } else {
            return "unknown attribute " + printable(name, 32) +
                   "; there are senders, limit_class, upstream and disabled";
        }
    }
    return std::nullopt;
}

}  // namespace

bool is_comment(ByteView line) {
    const std::size_t first = line.find_first_not_of(" \t");
    return first == ByteView::npos || line[first] == '#';
}

std::optional<std::string> name_of_line(ByteView line) {
    if (is_comment(line)) return std::nullopt;
    const std::optional<Secret> name = unescaped(line.substr(0, field_end(line)));
    if (!name) return std::nullopt;
    return std::string(name->reveal());
}

std::optional<bool> parse_switch(std::string_view value) {
    std::string lower(value);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    for (const std::string_view yes : {"yes", "true", "1", "on"}) {
        if (lower == yes) return true;
    }
    for (const std::string_view no : {"no", "false", "0", "off", ""}) {
        if (lower == no) return false;
    }
    return std::nullopt;
}

Secret escaped_field(ByteView text) {
    const auto buffer = std::make_unique<char[]>(2 * text.size());
    std::size_t size = 0;
    for (const char c : text) {
        if (c == ':' || c == '\\') buffer[size++] = '\\';
        buffer[size++] = c;
    }
    Secret escaped(ByteView(buffer.get(), size));
    wipe(buffer.get(), 2 * text.size());
    return escaped;
}

std::optional<std::string> parse_user_line(ByteView line, UserLine& user) {
    if (line.size() > kMaxLineSize) return "the line is longer than 65536 octets";
    bool has_more = false;
    const std::optional<Secret> name = unescaped(take_field(line, has_more));
    if (!name) return "a \"\\\" in the name must be written \"\\\\\"";
    if (!has_more) return "expected name:record, found no \":\"";
    if (!auth::is_acceptable_name(name->reveal())) {
        return "a name has 1 to 255 octets of UTF-8, no control characters and no blank at either end";
    }
    user.name = name->reveal();
    std::optional<Secret> record = unescaped(take_field(line, has_more));
    if (!record) return "a \"\\\" in the record must be written \"\\\\\"";
    user.record = std::move(*record);
    user.attributes.clear();
    user.has_dovecot_fields = has_more && is_dovecot(line);
    if (!has_more || user.has_dovecot_fields) return std::nullopt;
    while (has_more) {
        const std::optional<Secret> field = unescaped(take_field(line, has_more));
        if (!field) return "a \"\\\" in an attribute must be written \"\\\\\"";
        if (std::optional<std::string> problem = take_attributes(field->reveal(), user.attributes))
            return problem;
    }
    const auto disabled = user.attributes.find("disabled");
    if (disabled != user.attributes.end() && !parse_switch(disabled->second)) return "disabled is yes or no";
    return std::nullopt;
}

bool is_disabled(const UserLine& user) {
    const auto disabled = user.attributes.find("disabled");
    return disabled != user.attributes.end() && parse_switch(disabled->second).value_or(true);
}

std::size_t UsersFile::cannot_use(std::string_view mechanism) const {
    const auto found = cannot_use_.find(mechanism);
    return found == cannot_use_.end() ? 0 : found->second;
}

UsersFile::Parsed UsersFile::parse(Secret text) {
    Parsed parsed;
    const std::shared_ptr<UsersFile> file(new UsersFile(std::move(text)));
    const ByteView all = file->text_.reveal();
    struct Kind {
        std::size_t users = 0;
        std::size_t enabled = 0;
        std::size_t first = 0;  // index of the line
    };
    std::unordered_map<std::string, Kind> kinds;  // by what records of equal cost are described as
    UserLine user;
    std::uint32_t number = 0;
    std::size_t at = all.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    while (at < all.size()) {
        ++number;
        const std::size_t end = std::min(all.find('\n', at), all.size());
        ByteView line = all.substr(at, end - at);
        const std::size_t begin = at;
        at = end + 1;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (is_comment(line)) continue;
        const auto problem = [&parsed, number](std::string message) {
            parsed.problems.push_back({number, std::move(message)});
        };
        if (std::optional<std::string> message = parse_user_line(line, user)) {
            problem(std::move(*message));
            continue;
        }
        const Result<auth::Record> record = auth::Record::parse(user.record.reveal());
        if (!record) {
            problem(record.error().message);
            continue;
        }
        const Line entry{.begin = begin, .size = static_cast<std::uint32_t>(line.size()), .number = number};
        if (const Line* const earlier = file->insert(user.name, entry)) {
            problem("user " + printable(user.name) + " is on line " + std::to_string(earlier->number) +
                    " already");
            continue;
        }
        Kind& kind =
            kinds.try_emplace(record->describe(), Kind{.first = file->lines_.size() - 1}).first->second;
        ++kind.users;
        if (!is_disabled(user)) ++kind.enabled;
    }
    if (!parsed.problems.empty()) return parsed;
    for (const auto& [description, kind] : kinds) {
        file->enabled_ += kind.enabled;
        const auto record =
            auth::Record::parse(file->credential(file->view(file->lines_[kind.first]))->record.reveal());
        for (const auth::Mechanism& mechanism : auth::known_mechanisms()) {
            if (kind.enabled > 0 && !record->serves(mechanism.name))
                file->cannot_use_[std::string(mechanism.name)] += kind.enabled;
        }
    }
    const auto most = std::ranges::max_element(kinds, {}, [](const auto& kind) { return kind.second.users; });
    if (most != kinds.end()) file->stand_in_ = most->second.first;
    file->lines_.shrink_to_fit();
    parsed.file = file;
    return parsed;
}

std::shared_ptr<const auth::StoredCredential> UsersFile::find(std::string_view name) const {
    if (slots_.empty()) return nullptr;
    const std::uint32_t index = slots_[slot_of(name)];
    return index == 0 ? nullptr : credential(view(lines_[index - 1]));
}

/// Somebody's real record, under no name and for nobody to match: its cost is what is wanted.
std::shared_ptr<const auth::StoredCredential> UsersFile::stand_in() const {
    if (lines_.empty()) return nullptr;
    auto nobody = credential(view(lines_[stand_in_]));
    nobody->user.clear();
    nobody->attributes.clear();
    nobody->disabled = false;
    return nobody;
}

std::shared_ptr<auth::StoredCredential> UsersFile::credential(ByteView line) {
    UserLine user;
    auto credential = std::make_shared<auth::StoredCredential>();
    if (parse_user_line(line, user)) return credential;  // cannot be: it was parsed before
    credential->user = std::move(user.name);
    credential->record = std::move(user.record);
    credential->disabled = is_disabled(user);
    credential->attributes = std::move(user.attributes);
    return credential;
}

// The line that has `name` already, or nullptr after it was entered.
const UsersFile::Line* UsersFile::insert(std::string_view name, const Line& line) {
    if (2 * (lines_.size() + 1) > slots_.size()) grow();
    std::uint32_t& slot = slots_[slot_of(name)];
    if (slot != 0) return &lines_[slot - 1];
    lines_.push_back(line);
    slot = static_cast<std::uint32_t>(lines_.size());
    return nullptr;
}

// The slot of `name`, or the free one where it belongs. There always is one: at most half of them are taken.
std::size_t UsersFile::slot_of(std::string_view name) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = std::hash<std::string_view>()(name) & mask;
    while (slots_[slot] != 0) {
        const ByteView line = view(lines_[slots_[slot] - 1]);
        const ByteView field = line.substr(0, field_end(line));
        if (field.find('\\') == ByteView::npos) {
            if (field == name) break;
        } else if (const std::optional<Secret> plain = unescaped(field); plain && plain->reveal() == name) {
            break;
        }
        slot = (slot + 1) & mask;
    }
    return slot;
}

void UsersFile::grow() {
    slots_.assign(std::max(kFirstSlots, 2 * slots_.size()), 0);
    for (std::uint32_t index = 0; index < lines_.size(); ++index) {
        const std::optional<std::string> name = name_of_line(view(lines_[index]));
        if (name) slots_[slot_of(*name)] = index + 1;  // every line here was parsed: it has one
    }
}

}  // namespace gatepost::backends
