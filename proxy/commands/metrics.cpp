#include "proxy/commands/metrics.h"

#include <ostream>

#include "proxy/observe/metrics_markdown.h"

namespace gatepost::commands {

int metrics_markdown(std::ostream& out) {
    out << observe::metrics_markdown() << std::flush;
    return out ? 0 : 1;
}

}  // namespace gatepost::commands
