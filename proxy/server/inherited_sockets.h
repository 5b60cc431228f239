// Listening sockets that the process was started with, as systemd's socket activation hands them over
// (LISTEN_FDS, sd_listen_fds(3)). Knows which listener each is for; listens itself where none was given.
// Main thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/unique_fd.h"

namespace gatepost::server {

class InheritedSockets {
  public:
    static constexpr int kFirst = 3;

    InheritedSockets() = default;

    /// Takes the sockets, from descriptor `first` on, and their variables out of the environment. Before any
    /// thread begins and once; what is wrong with them is in problems().
    [[nodiscard]] static InheritedSockets take_from_environment(int first = kFirst);

    /// The socket that is bound to the listener's address, or the one that bears the listener's name; else a
    /// new one. A listener may come back after a reload: what it gets is a duplicate.
    [[nodiscard]] Result<net::UniqueFd> listen(std::string_view listener, std::string_view address);

    /// With one of these the process cannot serve as its operator meant it.
    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
    /// Of sockets that are served, and yet not as the configuration says; and of those that nobody asked for.
    [[nodiscard]] std::vector<std::string> warnings() const;

  private:
    struct Socket {
        net::UniqueFd descriptor;
        int number = 0;    ///< as it was inherited
        std::string name;  ///< FileDescriptorName=
        net::SocketAddress address;
        bool takes_both = false;  ///< IPv4 and IPv6
        std::string claimed_by;   ///< the last listener that got it
        bool is_every = false;    ///< for that listener's "*:587"

        [[nodiscard]] std::string text() const;
        [[nodiscard]] std::string what_is_odd() const;
    };

    void add(int descriptor, std::string name);
    [[nodiscard]] Socket* find(std::string_view listener, std::string_view address);
    [[nodiscard]] Socket* bound_to(std::string_view address);

    std::vector<Socket> sockets_;
    std::vector<std::string> problems_;
};

}  // namespace gatepost::server
