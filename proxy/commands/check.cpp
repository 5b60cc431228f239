// The loader's answer, printed.
#include "proxy/commands/check.h"

#include "conf/check.h"
#include "conf/environment.h"
#include "conf/loader.h"

namespace gatepost::commands {

int check(const std::string& path, bool wants_dump, std::ostream& out, std::ostream& err,
          const DeepCheck& look_deeper) {
    const conf::Loaded loaded = conf::load(path, conf::process_environment());
    if (!loaded) {
        conf::print(loaded.error(), err);
        return 1;
    }
    const conf::Config& config = **loaded;
    const auto problems = look_deeper ? look_deeper(config) : std::vector<conf::Problem>{};
    if (!problems.empty()) {
        conf::print(problems, err);
        return 1;
    }
    if (wants_dump) {
        conf::dump(config, out);
    } else {
        out << conf::summary(config) << '\n';
    }
    return 0;
}

}  // namespace gatepost::commands
