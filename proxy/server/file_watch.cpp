#include "proxy/server/file_watch.h"

#include <sys/stat.h>
#include <utility>

namespace gatepost::server {

FileWatch::FileWatch(net::EventLoop& loop, net::BackgroundThread& background, std::function<void()> changed,
                     Duration look_every)
    : loop_(loop),
      background_(background),
      changed_(std::move(changed)),
      look_every_(look_every),
      look_again_(loop, [this] { look(); }) {}

FileWatch::~FileWatch() {
    *self_ = nullptr;
}

void FileWatch::watch(std::vector<std::string> files, Prints known) {
    files_ = std::move(files);
    ++watch_;
    known_.clear();
    for (const std::string& file : files_) {
        if (const auto found = known.find(file); found != known.end()) known_.insert(*found);
    }
    last_.clear();
    look_again_.start(Duration::zero());
}

void FileWatch::were_read(const Prints& prints) {
    for (const auto& [file, print] : prints) known_.insert_or_assign(file, print);
}

/// stat() may wait for a file server: not on the main thread.
void FileWatch::look() {
    background_.post([files = files_, watch = watch_, self = self_, loop = &loop_] {
        loop->post([prints = look_at(files), watch, self]() mutable {
            if (*self != nullptr) (*self)->seen(watch, std::move(prints));
        });
    });
}

FileWatch::Prints FileWatch::look_at(const std::vector<std::string>& files) {
    const auto nanoseconds = [](const timespec& time) {
        return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    };
    Prints prints;
    for (const std::string& file : files) {
        Print& print = prints[file];
        struct stat facts{};
        if (::stat(file.c_str(), &facts) != 0) continue;
        print = {.device = facts.st_dev,
                 .number = facts.st_ino,
                 .size = static_cast<std::uint64_t>(facts.st_size),
                 .modified = nanoseconds(facts.st_mtim),
                 .changed = nanoseconds(facts.st_ctim)};
    }
    return prints;
}

void FileWatch::seen(std::uint64_t watch, Prints prints) {
    if (watch != watch_) return;
    known_.insert(prints.begin(), prints.end());  // those that are not known yet
    const bool is_settled = prints == last_;
    last_ = std::move(prints);
    look_again_.start(look_every_);
    if (last_ == known_ || !is_settled) return;
    known_ = last_;
    changed_();
}

}  // namespace gatepost::server
