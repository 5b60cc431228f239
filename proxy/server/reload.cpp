#include "proxy/server/reload.h"

#include <chrono>
#include <utility>

#include "conf/differences.h"
#include "conf/environment.h"
#include "conf/loader.h"
#include "proxy/server/deep_check.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

/// Upstreams that answer nobody hold a reload up no longer: with them it is as at a start.
constexpr std::chrono::seconds kWarmAtMost{6};

constexpr const char* kIsEnding = "the process is about to end";

conf::ReloadTriggerLabel to_label(ReloadTrigger trigger) {
    switch (trigger) {
        case ReloadTrigger::kSignal: return conf::ReloadTriggerLabel::kSignal;
        case ReloadTrigger::kApi: return conf::ReloadTriggerLabel::kApi;
        case ReloadTrigger::kFile: return conf::ReloadTriggerLabel::kFile;
    }
    return conf::ReloadTriggerLabel::kSignal;
}

std::string first_of(const std::vector<conf::Problem>& problems) {
    std::string text = problems.front().text();
    if (problems.size() > 1) text += " (and " + std::to_string(problems.size() - 1) + " more, see the log)";
    return text;
}

}  // namespace

std::string_view name_of(ReloadTrigger trigger) {
    return conf::to_string(to_label(trigger));
}

Reload::Reload(const Generation::Process& process, ReloadHost& host)
    : process_(process),
      host_(host),
      files_(process.loop, process.background, [this] { begin(ReloadTrigger::kFile, {}); }),
      warm_at_last_(process.loop, [this] { commit(); }) {}

Reload::~Reload() {
    *self_ = nullptr;
}

void Reload::watch_files() {
    files_.watch(conf::files_of(*host_.served().plan()->config), {});
}

void Reload::begin(ReloadTrigger trigger, Told told) {
    if (host_.is_draining()) {
        if (told) told(fail(kIsEnding));
        return;
    }
    Asked& asked = is_running_ ? next_ : running_;
    asked.trigger = trigger;
    asked.told.push_back(std::move(told));
    if (!std::exchange(is_running_, true)) start();
}

void Reload::start() {
    began_ = Clock::now();
    host_.reload_changes(true);
    host_.served().authenticators().reload();
    process_.background.post(
        [before = host_.served().plan(), files = files_.files(), self = self_, loop = &process_.loop] {
            loop->post([self, result = read(*before, files)]() mutable {
                if (*self != nullptr) (*self)->on_read(std::move(result));
            });
        });
}

Reload::Read Reload::read(const Plan& before, const std::vector<std::string>& files) {
    Read result{.prints = FileWatch::look_at(files), .plan = nullptr, .users = {}, .problems = {}};
    conf::Loaded loaded =
        conf::load(before.config->file, conf::process_environment(), conf::Files::MustExist, deep_problems);
    if (!loaded) {
        result.problems = std::move(loaded.error());
        return result;
    }
    auto plan = make_plan(*loaded, &before);
    if (!plan) {
        result.problems = std::move(plan.error());
        return result;
    }
    result.plan = std::move(*plan);
    result.users = read_users_files(*result.plan->config, *before.config);
    return result;
}

void Reload::on_read(Read read) {
    files_.were_read(read.prints);
    if (host_.is_draining()) return finish(fail(kIsEnding));
    if (!read.plan) return refuse(read.problems);
    if (const auto made = make(read); !made) {
        give_up();
        return refuse({{.file = read.plan->config->file, .message = made.error().message}});
    }
    prints_ = std::move(read.prints);
    warm_at_last_.start(kWarmAtMost);
    look_whether_warm();
}

Result<void> Reload::make(Read& read) {
    Generation& served = host_.served();
    made_ = std::make_unique<Generation>(
        process_, ++last_number_, read.plan,
        std::make_shared<observe::MetricsRegistry>(label_sets(*read.plan), served.registry()));
    const std::vector<std::string> problems = made_->load(&served, read.users);
    if (!problems.empty()) return fail(problems.front());
    auto doors = host_.open_doors(*read.plan);
    if (!doors) return std::unexpected(std::move(doors.error()));
    doors_ = std::move(*doors);
    if (auto prepared = made_->prepare(); !prepared) return prepared;
    made_->watch_upstreams([this] {
        look_whether_warm();
        host_.upstreams_changed();
    });
    return {};
}

void Reload::look_whether_warm() {
    if (made_ && made_->is_warm()) warm_at_last_.start(Duration::zero());
}

void Reload::commit() {
    if (host_.is_draining()) {
        give_up();
        return finish(fail(kIsEnding));
    }
    const std::shared_ptr<const Plan> plan = made_->plan();
    for (const conf::Problem& note : conf::needs_restart(*plan->started, *plan->config))
        process_.log.log(LogEvent::config_note, {{LogField::file, note.file}, {LogField::what, note.text()}});
    host_.serve(std::move(made_), std::exchange(doors_, {}));
    process_.metrics.config_reloaded(to_label(running_.trigger), conf::LoadResult::kOk);
    files_.watch(conf::files_of(*plan->config), std::exchange(prints_, {}));
    process_.log.log(LogEvent::reload, {{LogField::trigger, name_of(running_.trigger)},
                                        {LogField::file, plan->config->file},
                                        {LogField::hash, plan->hash},
                                        {LogField::duration, Clock::now() - began_}});
    finish("configuration " + plan->hash + " of " + plan->config->file + " is served");
}

void Reload::give_up() {
    doors_.clear();
    if (made_) host_.bury(std::move(made_));
}

void Reload::refuse(const std::vector<conf::Problem>& problems) {
    for (const conf::Problem& problem : problems) {
        process_.log.log(LogEvent::reload_failed, {{LogField::trigger, name_of(running_.trigger)},
                                                   {LogField::file, problem.file},
                                                   {LogField::hash, host_.served().plan()->hash},
                                                   {LogField::duration, Clock::now() - began_},
                                                   {LogField::what, problem.text()}});
    }
    host_.served().note_refused(problems);
    process_.metrics.config_reloaded(to_label(running_.trigger), conf::LoadResult::kFailed);
    finish(fail("nothing changed: " + first_of(problems)));
}

void Reload::finish(const Result<std::string>& outcome) {
    is_running_ = false;
    host_.reload_changes(false);
    // That the process ends is no fault of the configuration.
    if (!host_.is_draining()) last_error_ = outcome ? "" : outcome.error().message;
    const Asked done = std::exchange(running_, {});
    if (!next_.told.empty()) {
        running_ = std::exchange(next_, {});
        is_running_ = true;
        start();
    }
    for (const Told& told : done.told) {
        if (told) told(outcome);
    }
}

}  // namespace gatepost::server
