#include "proxy/commands/serve.h"

#include <memory>

#include "conf/check.h"
#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/server/gateway.h"
#include "proxy/server/plan.h"

namespace gatepost::commands {

int serve(const std::string& path, std::ostream& err) {
    const conf::Loaded loaded = conf::load(path, conf::process_environment());
    if (!loaded) {
        conf::print(loaded.error(), err);
        return 1;
    }
    const std::vector<conf::Problem> problems = server::deep_problems(*loaded);
    if (!problems.empty()) {
        conf::print(problems, err);
        return 1;
    }
    const auto plan = server::make_plan(*loaded);
    if (!plan) {
        conf::print(plan.error(), err);
        return 1;
    }
    return static_cast<int>(server::serve(*plan));
}

DeepCheck deep_check() {
    return [](const conf::Config& config) {
        return server::deep_problems(std::make_shared<const conf::Config>(config));
    };
}

}  // namespace gatepost::commands
