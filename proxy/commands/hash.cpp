#include "proxy/commands/hash.h"

#include "auth/check/record.h"
#include "backends/file/users_file.h"
#include "proxy/commands/password_input.h"

namespace gatepost::commands {

int hash(const std::string& scheme, int input, std::ostream& out, std::ostream& err) {
    const Result<auth::Scheme> wanted = scheme.empty() ? auth::kDefaultScheme : auth::parse_scheme(scheme);
    if (!wanted) {
        err << "gatepost hash: " << wanted.error().message << '\n';
        return 2;
    }
    const Result<Secret> password = read_password(input, true, err);
    const Result<auth::Record> record =
        password ? auth::Record::make(*wanted, password->reveal()) : std::unexpected(password.error());
    if (!record) {
        err << "gatepost hash: " << record.error().message << '\n';
        return 1;
    }
    const Secret text = record->text();
    const Secret field = backends::escaped_field(text.reveal());
    out << field.reveal() << '\n' << std::flush;
    return out.good() ? 0 : 1;
}

}  // namespace gatepost::commands
