// Owner of one file descriptor. Knows nothing about what it is. Any thread.
#pragma once

#include <unistd.h>
#include <utility>

namespace gatepost::net {

class [[nodiscard]] UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept { swap(other); }
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        UniqueFd(std::move(other)).swap(*this);
        return *this;
    }
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

    /// Closes now; nothing if empty.
    void reset() noexcept {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

    /// Gives the descriptor away; the caller closes it.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    void swap(UniqueFd& other) noexcept { std::swap(fd_, other.fd_); }

  private:
    int fd_ = -1;
};

}  // namespace gatepost::net
