// The loader's answer, printed.
#include "proxy/commands/check.h"

#include "conf/check.h"
#include "conf/environment.h"

namespace gatepost::commands {

int check(const std::string& path, bool wants_dump, std::ostream& out, std::ostream& err,
          const conf::DeepCheck& look_deeper, const Notes& notes) {
    const conf::Loaded loaded =
        conf::load(path, conf::process_environment(), conf::Files::MustExist, look_deeper);
    if (!loaded) {
        conf::print(loaded.error(), err);
        return 1;
    }
    const conf::Config& config = **loaded;
    if (wants_dump) {
        conf::dump(config, out);
    } else {
        out << conf::summary(config) << '\n';
    }
    for (const conf::Problem& note : conf::notes(config)) err << note.text() << " (a note, no error)\n";
    if (notes) {
        for (const std::string& note : notes(config)) err << config.file << ": note: " << note << '\n';
    }
    return 0;
}

}  // namespace gatepost::commands
