// Reading the configuration again: everything new is made beside what is served, and only when all of it is
// there and its upstreams were looked at, it is served instead. Whatever is wrong changes nothing. One reload
// at a time; those asked for meanwhile are one more. Main thread, files on the background thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conf/problem.h"
#include "proxy/net/timer.h"
#include "proxy/server/acceptors.h"
#include "proxy/server/file_watch.h"
#include "proxy/server/generation.h"
#include "proxy/server/operations.h"

namespace gatepost::server {

[[nodiscard]] std::string_view name_of(ReloadTrigger trigger);

/// What a reload asks of the process. Outlives it.
class ReloadHost {
  public:
    virtual ~ReloadHost() = default;
    [[nodiscard]] virtual Generation& served() = 0;
    [[nodiscard]] virtual bool is_draining() const = 0;
    /// Listens where nobody does yet; the error names the address.
    [[nodiscard]] virtual Result<std::vector<Acceptors::Door>> open_doors(const Plan& plan) = 0;
    virtual void serve(std::unique_ptr<Generation> generation, std::vector<Acceptors::Door> doors) = 0;
    virtual void upstreams_changed() = 0;
    /// A reload begins, or is over, whether it changed anything or not.
    virtual void reload_changes(bool is_under_way) = 0;
    /// It will not be served: destroys it once no worker has a part of it.
    virtual void bury(std::unique_ptr<Generation> generation) = 0;
};

class Reload {
  public:
    using Told = std::function<void(Result<std::string>)>;

    /// `process` and `host` outlive this object.
    Reload(const Generation::Process& process, ReloadHost& host);
    ~Reload();
    Reload(const Reload&) = delete;
    Reload& operator=(const Reload&) = delete;

    /// `told` what is served now, or why nothing changed; it may be empty.
    void begin(ReloadTrigger trigger, Told told);
    /// Why the last one changed nothing; "" if it did, or there was none.
    [[nodiscard]] const std::string& last_error() const noexcept { return last_error_; }

    /// Once the first generation is served: files of the configuration that change are a trigger.
    void watch_files();

  private:
    struct Asked {
        ReloadTrigger trigger{};
        std::vector<Told> told;
    };
    struct Read {
        FileWatch::Prints prints;
        std::shared_ptr<const Plan> plan;
        UsersFiles users;                     ///< those that are new
        std::vector<conf::Problem> problems;  ///< if there is no plan
    };

    void start();
    [[nodiscard]] static Read read(const Plan& before, const std::vector<std::string>& files);
    void on_read(Read read);
    [[nodiscard]] Result<void> make(Read& read);
    void look_whether_warm();
    void commit();
    void give_up();
    void refuse(const std::vector<conf::Problem>& problems);
    void finish(const Result<std::string>& outcome);

    const Generation::Process process_;
    ReloadHost& host_;
    FileWatch files_;
    Asked running_;
    Asked next_;  ///< asked for while one runs
    bool is_running_ = false;
    std::uint64_t last_number_ = 1;  ///< of a generation; the first is made at the start
    std::string last_error_;
    TimePoint began_;
    FileWatch::Prints prints_;  ///< of the files, before they were read
    std::unique_ptr<Generation> made_;
    std::vector<Acceptors::Door> doors_;
    net::Timer warm_at_last_;
    std::shared_ptr<Reload*> self_ = std::make_shared<Reload*>(this);  ///< answers may come late
};

}  // namespace gatepost::server
