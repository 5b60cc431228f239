#include "proxy/commands/serve.h"

#include <memory>

#include "conf/check.h"
#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/server/deep_check.h"
#include "proxy/server/gateway.h"
#include "proxy/server/plan.h"

namespace gatepost::commands {

int serve(const std::string& path, std::ostream& err) {
    const conf::Loaded loaded =
        conf::load(path, conf::process_environment(), conf::Files::MustExist, server::deep_problems);
    if (!loaded) {
        conf::print(loaded.error(), err);
        return 1;
    }
    const auto plan = server::make_plan(*loaded);
    if (!plan) {
        conf::print(plan.error(), err);
        return 1;
    }
    return static_cast<int>(server::serve(*plan));
}

}  // namespace gatepost::commands
