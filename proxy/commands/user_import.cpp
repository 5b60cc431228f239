#include "proxy/commands/user_import.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <unistd.h>
#include <utility>
#include <vector>

#include <openssl/rand.h>

#include "auth/check/record.h"
#include "backends/file/file_store.h"
#include "proxy/base/base64.h"
#include "proxy/base/printable.h"
#include "proxy/base/scope_guard.h"
#include "proxy/commands/import_source.h"
#include "proxy/commands/user.h"

namespace gatepost::commands {
namespace {

constexpr std::size_t kMostInput = std::size_t{1} << 30;

/// All of a descriptor. The old buffer is wiped each time that it grows.
Result<Secret> read_all(int fd) {
    std::vector<char> buffer(64UL * 1024);
    std::size_t size = 0;
    const ScopeGuard wiped([&buffer] { wipe(buffer.data(), buffer.size()); });
    while (true) {
        const ssize_t got = ::read(fd, buffer.data() + size, buffer.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(std::string("standard input cannot be read: ") + std::strerror(errno));
        if (got == 0) return Secret(ByteView(buffer.data(), size));
        size += static_cast<std::size_t>(got);
        if (size < buffer.size()) continue;
        if (size >= kMostInput) return fail("standard input is larger than 1 GiB");
        std::vector<char> larger(2 * buffer.size());
        std::memcpy(larger.data(), buffer.data(), size);
        wipe(buffer.data(), buffer.size());
        buffer.swap(larger);
    }
}

class Import {
  public:
    Import(auth::UserDirectory& users, const ImportSettings& settings, std::string place, std::ostream& out,
           std::ostream& err)
        : users_(users), settings_(settings), place_(std::move(place)), out_(out), err_(err) {}

    int run(ImportFormat format, auth::Scheme scheme, const Secret& text) {
        source_ = read_import(format, text.reveal(), settings_.realm);
        if (const auto looked = look_who_is_there(); !looked) return say(err_, "import", looked.error());
        make_changes(scheme);
        for (const ImportRemark& note : source_.notes) remark(note);
        std::ranges::stable_sort(source_.problems, {}, &ImportRemark::line);
        for (const ImportRemark& problem : source_.problems) remark(problem);
        if (!source_.problems.empty() && !settings_.skips_bad) {
            err_ << "gatepost user import: " << source_.problems.size()
                 << (source_.problems.size() == 1 ? " problem" : " problems")
                 << ": nothing was imported (--skip-bad imports the others)\n";
            return 1;
        }
        const auto were_there =
            changes_.empty() ? auth::FromDirectory<std::size_t>(0) : users_.write(changes_);
        if (!were_there) return say(err_, "import", were_there.error());
        out_ << "imported " << changes_.size() - *were_there << ", replaced " << *were_there << ", skipped "
             << source_.problems.size() << '\n';
        return 0;
    }

  private:
    void remark(const ImportRemark& remark) {
        err_ << place_;
        if (remark.line != 0) err_ << ':' << remark.line;
        err_ << ": " << remark.message << '\n';
    }

    void problem(std::size_t line, std::string message) {
        source_.problems.push_back({line, std::move(message)});
    }

    auth::FromDirectory<void> look_who_is_there() {
        std::vector<std::string> names;
        for (const ImportedUser& user : source_.users) names.push_back(user.name);
        auto known = users_.known(names);
        if (!known) return std::unexpected(known.error());
        are_known_ = std::move(*known);
        return {};
    }

    void make_changes(auth::Scheme scheme) {
        for (std::size_t i = 0; i < source_.users.size(); ++i) {
            ImportedUser& user = source_.users[i];
            if (are_known_[i] && !settings_.replaces) {
                problem(user.line, "user " + printable(user.name) + " is there already (--replace)");
                continue;
            }
            if (user.name.starts_with('#')) {
                problem(user.line, "a name that begins with \"#\" would be a comment in a users file");
                continue;
            }
            // Hashing takes its time: only when it is not for nothing.
            if (!source_.problems.empty() && !settings_.skips_bad && user.record.empty()) continue;
            Result<Secret> record = record_of(user, scheme);
            if (!record) {
                problem(user.line, "user " + printable(user.name) + ": " + record.error().message);
                continue;
            }
            auth::UserChange change;
            change.user = user.name;
            change.record = std::move(*record);
            if (user.is_disabled) change.attributes["disabled"] = "yes";
            using Expect = auth::UserChange::Expect;
            change.expect = settings_.replaces ? Expect::kAnything : Expect::kAbsent;
            changes_.push_back(std::move(change));
        }
    }

    Result<Secret> record_of(const ImportedUser& user, auth::Scheme scheme) {
        if (!user.record.empty()) return user.record.clone();
        if (!user.password.empty()) return make(scheme, user.password.reveal());
        // Locked, without a hash: known, so that no other backend is asked about the name, and disabled.
        source_.notes.push_back(
            {user.line, "user " + printable(user.name) +
                            " has no password there: imported disabled, with one that nobody knows"});
        std::array<unsigned char, 32> random{};
        if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
            return fail("no random octets can be had");
        const Secret nobodys(
            base64_encode(ByteView(reinterpret_cast<const char*>(random.data()), random.size())));
        return make(auth::kDefaultScheme, nobodys.reveal());
    }

    static Result<Secret> make(auth::Scheme scheme, ByteView password) {
        const Result<auth::Record> record = auth::Record::make(scheme, password);
        if (!record) return std::unexpected(record.error());
        return record->text();
    }

    auth::UserDirectory& users_;
    const ImportSettings& settings_;
    const std::string place_;
    std::ostream& out_;
    std::ostream& err_;
    ImportSource source_;
    std::vector<bool> are_known_;
    std::vector<auth::UserChange> changes_;
};

}  // namespace

int user_import(auth::UserDirectory& users, const ImportSettings& settings, const std::string& file,
                int input, std::ostream& out, std::ostream& err) {
    const auto refuse = [&err](const std::string& what, int status) {
        err << "gatepost user import: " << what << '\n';
        return status;
    };
    const std::optional<ImportFormat> format = parse_import_format(settings.format);
    if (!format) return refuse("--format is dovecot, htpasswd or sasldb", 2);
    const Result<auth::Scheme> scheme =
        settings.scheme.empty() ? auth::kDefaultScheme : auth::parse_scheme(settings.scheme);
    if (!scheme) return refuse(scheme.error().message, 2);
    const bool is_input = file == "-";
    const Result<Secret> text = is_input ? read_all(input) : backends::read_secret_file(file);
    if (!text) return refuse(text.error().message, 3);
    return Import(users, settings, is_input ? "standard input" : printable(file), out, err)
        .run(*format, *scheme, *text);
}

}  // namespace gatepost::commands
