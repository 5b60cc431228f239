#include "proxy/commands/user.h"

#include <memory>
#include <string_view>

#include "auth/check/record.h"
#include "auth/dialogue/message.h"
#include "backends/file/file_store.h"
#include "backends/file/users_file.h"
#include "backends/file/users_writer.h"
#include "proxy/base/printable.h"
#include "proxy/commands/password_input.h"

namespace gatepost::commands {
namespace {

constexpr int kFine = 0;
constexpr int kWrong = 1;
constexpr int kUsage = 2;
constexpr int kCannot = 3;

int say(std::ostream& err, std::string_view command, std::string_view what, int status) {
    err << "gatepost user " << command << ": " << what << '\n';
    return status;
}

/// A users file as a command sees it: all of it, or the status to end with.
struct Users {
    std::shared_ptr<const backends::UsersFile> file;
    int status = kFine;
};

Users load(const std::string& path, std::string_view command, std::ostream& err) {
    backends::FileStore store(path);
    if (const auto loaded = store.reload(); !loaded) {
        if (!loaded.error().message.empty())
            return {nullptr, say(err, command, loaded.error().message, kCannot)};
        err << loaded.error().text() << '\n';
        return {nullptr, kWrong};
    }
    return {store.users(), kFine};
}

std::string describe(const auth::StoredCredential& user) {
    const Result<auth::Record> record = auth::Record::parse(user.record.reveal());
    return record ? record->describe() : record.error().message;
}

std::string no_user(const std::string& name) {
    return "there is no user " + printable(name);
}

}  // namespace

int user_set(const std::string& path, const std::string& name, const std::string& scheme, int input,
             std::ostream& out, std::ostream& err) {
    const Result<auth::Scheme> wanted = scheme.empty() ? auth::kDefaultScheme : auth::parse_scheme(scheme);
    if (!wanted) return say(err, "set", wanted.error().message, kUsage);
    if (!auth::is_acceptable_name(name) || name.starts_with('#')) {
        return say(err, "set",
                   "a name has 1 to 255 octets of UTF-8, no control characters, no blank at either end and "
                   "no \"#\" in front",
                   kUsage);
    }
    const Result<Secret> password = read_password(input, true, err);
    if (!password) return say(err, "set", password.error().message, kWrong);
    const Result<auth::Record> record = auth::Record::make(*wanted, password->reveal());
    if (!record) return say(err, "set", record.error().message, kWrong);
    const Result<bool> was_there = backends::set_user(path, name, record->text());
    if (!was_there) return say(err, "set", was_there.error().message, kCannot);
    out << (*was_there ? "changed " : "added ") << printable(name) << ": " << record->describe() << '\n';
    return kFine;
}

int user_list(const std::string& path, std::ostream& out, std::ostream& err) {
    const Users users = load(path, "list", err);
    if (!users.file) return users.status;
    users.file->each([&out](const auth::StoredCredential& user) {
        out << printable(user.user) << '\t' << describe(user) << (user.disabled ? "\tdisabled" : "") << '\n';
    });
    return out.good() ? kFine : kCannot;
}

int user_delete(const std::string& path, const std::string& name, std::ostream& out, std::ostream& err) {
    const Result<bool> was_there = backends::delete_user(path, name);
    if (!was_there) return say(err, "delete", was_there.error().message, kCannot);
    if (!*was_there) return say(err, "delete", no_user(name), kWrong);
    out << "deleted " << printable(name) << '\n';
    return kFine;
}

int user_verify(const std::string& path, const std::string& name, int input, std::ostream& out,
                std::ostream& err) {
    const Users users = load(path, "verify", err);
    if (!users.file) return users.status;
    const std::shared_ptr<const auth::StoredCredential> user = users.file->find(name);
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

int user_show(const std::string& path, const std::string& name, std::ostream& out, std::ostream& err) {
    const Users users = load(path, "show", err);
    if (!users.file) return users.status;
    const std::shared_ptr<const auth::StoredCredential> user = users.file->find(name);
    if (!user) return say(err, "show", no_user(name), kWrong);
    out << "name: " << printable(user->user) << '\n' << "record: " << describe(*user) << '\n';
    for (const auto& [attribute, value] : user->attributes) {
        // Keys of another mechanism are as secret as the record.
        out << attribute << ": " << (attribute == "scram-sha-256" ? "(hidden)" : printable(value, 4096))
            << '\n';
    }
    return out.good() ? kFine : kCannot;
}

}  // namespace gatepost::commands
