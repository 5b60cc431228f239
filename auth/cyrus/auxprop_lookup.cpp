#include "auth/cyrus/auxprop_lookup.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace gatepost::auth {
namespace {

Secret joined(std::string_view prefix, ByteView rest) {
    std::string text;
    text.reserve(prefix.size() + rest.size());  // no copy is left behind
    text.append(prefix).append(rest);
    Secret secret{ByteView(text)};
    wipe(text.data(), text.size());
    return secret;
}

/// Whether the first character is followed by a name of letters, digits and `marks`, and then by `end`.
bool begins_with_name(ByteView value, std::string_view marks, char end) {
    std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    allowed += marks;
    const std::size_t at = value.find_first_not_of(allowed, 1);
    return at != ByteView::npos && at > 1 && value[at] == end;
}

/// "{SSHA}…", "$6$…", "$md5,rounds=904$…": a hash, which must never be taken for the password that it is of.
/// Whether its kind is known is asked later: one that is not must be no password either.
bool is_record(ByteView value) {
    return (value.starts_with('{') && begins_with_name(value, "-_./", '}')) ||
           (value.starts_with('$') && begins_with_name(value, ",=-_", '$'));
}

/// "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey", as libsasl keeps keys, as a record.
Secret record_of_keys(ByteView value) {
    const std::size_t scheme = value.find('$');
    std::string text;
    text.reserve(value.size() + 2);
    text.append("{").append(value.substr(0, scheme)).append("}").append(value.substr(scheme + 1));
    std::ranges::replace_if(text, [](char c) { return c == ':' || c == '$'; }, ',');
    Secret record{ByteView(text)};
    wipe(text.data(), text.size());
    return record;
}

/// The keys for `mechanism` among those of a user, as a record; empty when there are none.
Secret record_for(std::string_view mechanism, const std::vector<Secret>& keys) {
    const auto found = std::ranges::find_if(keys, [mechanism](const Secret& value) {
        const ByteView text = value.reveal();
        return text.starts_with(mechanism) && text.substr(mechanism.size()).starts_with('$');
    });
    return found == keys.end() ? Secret() : record_of_keys(found->reveal());
}

BlockingLookup::Answer unknown() {
    return {.lookup = {.status = Lookup::Status::kUnknown,
                       .credential = nullptr,
                       .stand_in = nullptr,
                       .backend = {}},
            .complaint = {}};
}

}  // namespace

bool tells_realms_apart(const AuxpropSettings& settings) {
    if (settings.plugin != "sql") return true;
    const auto& options = settings.options;
    const auto select = options.find("sql_select");
    const auto used = select != options.end() ? select : options.find("sql_statement");  // its older name
    if (used == options.end()) return false;
    const std::string_view statement = used->second;
    for (std::size_t at = statement.find('%'); at != std::string_view::npos && at + 1 < statement.size();
         at = statement.find('%', at + 2)) {  // "%%r" is no realm
        if (statement[at + 1] == 'r') return true;
    }
    return false;
}

AuxpropLookup::AuxpropLookup(AuxpropSettings settings) : settings_(std::move(settings)) {}

/// Whether a name would mean more to the plugin than a name. In 2.1.28 sql puts a backslash before a quote,
/// which is no escape to SQLite, nor to MySQL with NO_BACKSLASH_ESCAPES: "x' UNION SELECT 'password' --"
/// would log in. A directory that puts names into a filter would find ann for "an*", who is somebody else to
/// us.
bool AuxpropLookup::can_break_out(std::string_view user) const {
    if (settings_.plugin == "ldapdb") return user.find_first_of("*()\\") != std::string_view::npos;
    return settings_.plugin == "sql" && user.find_first_of("'\"`\\") != std::string_view::npos;
}

BlockingLookup::Answer AuxpropLookup::find(const std::string& user) {
    using Code = Properties::Code;
    // A statement of SQL without the property's name would answer with the password again; with it, one
    // without that column would fail.
    const bool is_sql = settings_.plugin == "sql";
    if (can_break_out(user)) return unknown();
    // Anybody's realm would do: "ann@anything" would log in with the password of ann.
    if (user.contains('@') && !tells_realms_apart(settings_)) return unknown();
    const Properties properties = ask_properties(settings_, user, !is_sql);
    switch (properties.code) {
        case Code::kFound: return known(user, properties);
        case Code::kNoUser:
            if (!properties.error.empty()) return {.lookup = {}, .complaint = properties.error};
            if (settings_.plugin != "ldapdb" && !properties.was_searched)
                return {.lookup = {},
                        .complaint = is_sql ? "the query failed" : "there is no file at sasldb_path"};
            return unknown();
        case Code::kRefused:
            if (settings_.plugin != "ldapdb") return {.lookup = {}, .complaint = properties.error};
            if (!settings_.options.contains("ldapdb_id"))
                return {
                    .lookup = {},
                    .complaint =
                        "the LDAP server fails or knows no such user: that can only be told with ldapdb_id"};
            return is_about(user)
                       ? unknown()
                       : Answer{.lookup = {},
                                .complaint = "the LDAP server fails, or refuses ldapdb_id even for itself"};
        case Code::kFailed: return {.lookup = {}, .complaint = properties.error};
    }
    return {.lookup = {}, .complaint = "no answer"};
}

/// An LDAP server that maps names by a search lets ldapdb act for nobody whom it does not find; ldapdb
/// reports that as it does a refused bind of its own, or a defect. But whoever is let in may act for himself:
/// if that goes well, and the user is refused before and after, then it is about the user.
bool AuxpropLookup::is_about(const std::string& user) const {
    using Code = Properties::Code;
    const Code itself = ask_properties(settings_, settings_.options.at("ldapdb_id"), false).code;
    if (itself != Code::kFound && itself != Code::kNoUser) return false;
    return ask_properties(settings_, user, false).code == Code::kRefused;
}

BlockingLookup::Answer AuxpropLookup::known(const std::string& user, const Properties& properties) const {
    auto credential = std::make_shared<StoredCredential>();
    credential->user = user;
    for (const std::string_view mechanism : {"SCRAM-SHA-512", "SCRAM-SHA-1", "SCRAM-SHA-256"}) {
        if (Secret keys = record_for(mechanism, properties.keys); !keys.empty())
            credential->record = std::move(keys);
    }
    if (!properties.passwords.empty()) {
        // Of several the one in clear serves most. sasldb knows nothing else.
        const auto& passwords = properties.passwords;
        const bool may_hash = settings_.plugin != "sasldb";
        const auto plain = std::ranges::find_if(
            passwords, [may_hash](const Secret& value) { return !may_hash || !is_record(value.reveal()); });
        credential->scram = record_for("SCRAM-SHA-256", properties.keys);
        credential->record =
            plain != passwords.end() ? joined("{PLAIN}", plain->reveal()) : passwords.front().clone();
    }
    return {.lookup = {.status = Lookup::Status::kFound,
                       .credential = std::move(credential),
                       .stand_in = nullptr,
                       .backend = {}},
            .complaint = {}};
}

}  // namespace gatepost::auth
