#include "proxy/commands/user.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unistd.h>

#include "auth/check/record.h"
#include "auth/dialogue/names.h"
#include "proxy/base/printable.h"
#include "proxy/commands/password_input.h"

namespace gatepost::commands {
namespace {

using auth::UserDirectory;

constexpr int kFine = 0;
constexpr int kWrong = 1;
constexpr int kUsage = 2;
constexpr int kCannot = 3;
constexpr std::size_t kMostShown = 4096;

int say(std::ostream& err, std::string_view command, std::string_view what, int status) {
    err << "gatepost user " << command << ": " << what << '\n';
    return status;
}

std::string describe(const auth::StoredCredential& user) {
    if (user.record.empty()) return "no record";
    const Result<auth::Record> record = auth::Record::parse(user.record.reveal());
    return record ? record->describe() : record.error().message;
}

std::string no_user(const std::string& name) {
    return "there is no user " + printable(name);
}

/// What is wrong with a value; "" when nothing is.
std::string objection(const std::string& attribute, const std::string& value) {
    if (value.empty()) return attribute + " is empty; --unset " + attribute + " takes it out";
    if (!is_utf8(value) || has_controls(value) || value.find(' ') != std::string::npos)
        return attribute + ": the value has blanks, control characters or is no UTF-8";
    if (attribute == "senders" &&
        (value.starts_with(',') || value.ends_with(',') || value.find(",,") != std::string::npos))
        return "senders: a pattern is empty; expected PATTERN[,PATTERN...]";
    return {};
}

/// How the attributes now are, for people.
std::string spoken(const std::map<std::string, std::optional<std::string>>& attributes) {
    std::string text;
    for (const auto& [attribute, value] : attributes) {
        text += text.empty() ? "" : ", ";
        text += attribute == "disabled" ? (value ? "disabled" : "enabled")
                : value                 ? attribute + "=" + printable(*value, kMostShown)
                                        : "no " + attribute;
    }
    return text;
}

/// The password that is to be stored; nothing = the one there stays. Or the status to end with.
std::expected<std::optional<Secret>, int> wanted_password(UserDirectory& users, const std::string& name,
                                                          const UserSettings& settings, int input,
                                                          std::ostream& err) {
    if (settings.keeps_password) return std::nullopt;
    bool may_stay = false;
    if (!settings.attributes.empty() && settings.scheme.empty()) {
        const auto known = users.known({&name, 1});
        if (!known) return std::unexpected(commands::say(err, "set", known.error()));
        may_stay = known->front();
    }
    if (may_stay && isatty(input) != 0) return std::nullopt;
    Result<Secret> password = read_password(input, true, err);
    if (!password) return std::unexpected(say(err, "set", password.error().message, kWrong));
    if (may_stay && password->empty()) return std::nullopt;
    return std::optional<Secret>(std::move(*password));
}

}  // namespace

int say(std::ostream& err, std::string_view command, const auth::DirectoryError& error) {
    const bool is_wrong = error.kind == auth::DirectoryError::Kind::kWrong;
    return say(err, command, error.message, is_wrong ? kWrong : kCannot);
}

std::optional<std::string> attribute_name(std::string_view spelled) {
    constexpr std::array<std::string_view, 4> kNames{"disabled", "limit_class", "senders", "upstream"};
    std::string name(spelled);
    std::ranges::replace(name, '-', '_');
    if (std::ranges::find(kNames, name) == kNames.end()) return std::nullopt;
    return name;
}

int user_set(UserDirectory& users, const std::string& name, const UserSettings& settings, int input,
             std::ostream& out, std::ostream& err) {
    const Result<auth::Scheme> wanted =
        settings.scheme.empty() ? auth::kDefaultScheme : auth::parse_scheme(settings.scheme);
    if (!wanted) return say(err, "set", wanted.error().message, kUsage);
    if (!auth::is_acceptable_name(name) || name.starts_with('#')) {
        return say(err, "set",
                   "a name has 1 to 255 octets of UTF-8, no control characters, no blank at either end and "
                   "no \"#\" in front",
                   kUsage);
    }
    for (const auto& [attribute, value] : settings.attributes) {
        const std::string problem = value ? objection(attribute, *value) : "";
        if (!problem.empty()) return say(err, "set", problem, kUsage);
    }
    const auto password = wanted_password(users, name, settings, input, err);
    if (!password) return password.error();

    auth::UserChange change;
    change.user = name;
    change.attributes = settings.attributes;
    std::string described = "password kept";
    if (*password) {
        const Result<auth::Record> record = auth::Record::make(*wanted, (*password)->reveal());
        if (!record) return say(err, "set", record.error().message, kWrong);
        change.record = record->text();
        described = record->describe();
    } else {
        change.expect = auth::UserChange::Expect::kThere;
    }
    const auto were_there = users.write({&change, 1});
    if (!were_there) return say(err, "set", were_there.error());
    const std::string attributes = spoken(settings.attributes);
    out << (*were_there != 0 ? "changed " : "added ") << printable(name) << ": " << described
        << (attributes.empty() ? "" : ", ") << attributes << '\n';
    return kFine;
}

int user_list(UserDirectory& users, std::ostream& out, std::ostream& err) {
    const auto all = users.all();
    if (!all) return say(err, "list", all.error());
    for (const auto& user : *all) {
        out << printable(user->user) << '\t' << describe(*user) << (user->disabled ? "\tdisabled" : "")
            << '\n';
    }
    return out.good() ? kFine : kCannot;
}

int user_delete(UserDirectory& users, const std::string& name, std::ostream& out, std::ostream& err) {
    const auto was_there = users.remove(name);
    if (!was_there) return say(err, "delete", was_there.error());
    if (!*was_there) return say(err, "delete", no_user(name), kWrong);
    out << "deleted " << printable(name) << '\n';
    return kFine;
}

int user_verify(UserDirectory& users, const std::string& name, int input, std::ostream& out,
                std::ostream& err) {
    const auto found = users.find(name);
    if (!found) return say(err, "verify", found.error());
    const std::shared_ptr<const auth::StoredCredential>& user = *found;
    if (!user) return say(err, "verify", no_user(name), kWrong);
    const Result<Secret> password = read_password(input, false, err);
    if (!password) return say(err, "verify", password.error().message, kWrong);
    const Result<auth::Record> record = auth::Record::parse(user->record.reveal());
    if (!record) return say(err, "verify", record.error().message, kWrong);
    if (!auth::is_acceptable_password(password->reveal()) || !record->matches(password->reveal())) {
        return say(err, "verify", "wrong password", kWrong);
    }
    if (user->disabled) return say(err, "verify", "the password is right, but the user is disabled", kWrong);
    out << "the password is right\n";
    return kFine;
}

int user_show(UserDirectory& users, const std::string& name, std::ostream& out, std::ostream& err) {
    const auto found = users.find(name);
    if (!found) return say(err, "show", found.error());
    const std::shared_ptr<const auth::StoredCredential>& user = *found;
    if (!user) return say(err, "show", no_user(name), kWrong);
    out << "name: " << printable(user->user) << '\n' << "record: " << describe(*user) << '\n';
    if (user->disabled) out << "disabled: yes\n";
    if (!user->scram.empty()) out << "scram-sha-256: (hidden)\n";
    for (const auto& [attribute, value] : user->attributes) {
        if (attribute == "disabled") continue;
        // Keys of another mechanism are as secret as the record.
        out << attribute << ": " << (attribute == "scram-sha-256" ? "(hidden)" : printable(value, kMostShown))
            << '\n';
    }
    return out.good() ? kFine : kCannot;
}

}  // namespace gatepost::commands
