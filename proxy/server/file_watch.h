// Notices that files have changed, however they are replaced: written anew, renamed over, or, as Kubernetes
// does it, by a symbolic link to their folder. Looks every now and then, on the background thread; tells on
// the main loop's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/resolver.h"
#include "proxy/net/timer.h"

namespace gatepost::server {

class FileWatch {
  public:
    static constexpr std::chrono::seconds kLookEvery{1};

    /// `changed` is called once the files are no longer as they were and have stayed so for one look: of a
    /// certificate and its key, one is there before the other. References outlive this object.
    FileWatch(net::EventLoop& loop, net::BackgroundThread& background, std::function<void()> changed,
              Duration look_every = kLookEvery);
    ~FileWatch();
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

    /// What tells one state of a file from another; all zero when it is not there.
    struct Print {
        std::uint64_t device = 0, number = 0, size = 0;
        std::int64_t modified = 0, changed = 0;  ///< nanoseconds
        [[nodiscard]] bool operator==(const Print&) const = default;
    };
    using Prints = std::map<std::string, Print>;  ///< by path

    /// Any thread; may block.
    [[nodiscard]] static Prints look_at(const std::vector<std::string>& files);

    /// These from now on. `known`: as they were just before they were read; one that is not in it is taken as
    /// it is found next.
    void watch(std::vector<std::string> files, Prints known);
    /// They have been read, and were found so just before: no news any more.
    void were_read(const Prints& prints);
    [[nodiscard]] const std::vector<std::string>& files() const noexcept { return files_; }

  private:
    void look();
    void seen(std::uint64_t watch, Prints prints);

    net::EventLoop& loop_;
    net::BackgroundThread& background_;
    const std::function<void()> changed_;
    const Duration look_every_;
    std::vector<std::string> files_;
    std::uint64_t watch_ = 0;  ///< how often watch() was called: an answer may be of an earlier one
    Prints known_;
    Prints last_;
    std::shared_ptr<FileWatch*> self_ = std::make_shared<FileWatch*>(this);  ///< answers may come late
    net::Timer look_again_;
};

}  // namespace gatepost::server
