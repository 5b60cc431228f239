// What is piped into a command.
#pragma once

#include <cstdlib>
#include <string_view>
#include <unistd.h>

namespace gatepost::commands {

/// The reading end of a pipe that holds `text`.
class Input {
  public:
    explicit Input(std::string_view text) {
        int ends[2]{};
        if (pipe(ends) != 0) abort();
        if (write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size())) abort();
        close(ends[1]);
        fd_ = ends[0];
    }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;
    ~Input() { close(fd_); }
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

}  // namespace gatepost::commands
