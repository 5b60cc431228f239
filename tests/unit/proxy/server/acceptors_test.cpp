#include "proxy/server/acceptors.h"

#include <sys/socket.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::server {
namespace {

using ::testing::ElementsAre;

class AcceptorsTest : public ::testing::Test {
  protected:
    static net::UniqueFd listening() {
        auto socket = net::listen_on("127.0.0.1:0");
        EXPECT_TRUE(socket);
        return std::move(*socket);
    }

    /// A client that has connected and waits to be accepted.
    static net::UniqueFd client_of(int listening) {
        sockaddr_storage address{};
        const socklen_t size = net::local_address(listening).to_sockaddr(address);
        net::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        return socket;
    }

    void turn() {
        loop_.post([this] { loop_.defer([this] { loop_.stop(); }); });
        loop_.run();
    }

    static std::vector<Acceptors::Door> doors(const std::vector<std::string>& addresses) {
        std::vector<Acceptors::Door> made;
        for (const std::string& address : addresses) made.push_back({.address = address, .socket = {}});
        return made;
    }

    net::EventLoop loop_;
    std::vector<std::size_t> let_in_;
    Acceptors acceptors_{loop_, [this](std::size_t listener, net::UniqueFd, const net::SocketAddress&) {
                             let_in_.push_back(listener);
                         }};
};

TEST_F(AcceptorsTest, ASocketThatStaysLetsInClientsOfItsNewPlace) {
    net::UniqueFd socket = listening();
    const int number = socket.get();
    auto first = doors({"a"});
    first[0].socket = std::move(socket);
    acceptors_.serve(std::move(first));

    auto second = doors({"b", "a"});
    second[0].socket = listening();
    acceptors_.serve(std::move(second));
    const net::UniqueFd client = client_of(number);
    turn();
    EXPECT_THAT(let_in_, ElementsAre(1));
}

TEST_F(AcceptorsTest, WhoWaitsAtADoorThatGoesIsLetIn) {
    net::UniqueFd socket = listening();
    const int number = socket.get();
    auto first = doors({"a"});
    first[0].socket = std::move(socket);
    acceptors_.serve(std::move(first));
    const net::UniqueFd one = client_of(number);
    const net::UniqueFd two = client_of(number);
    acceptors_.close();
    EXPECT_THAT(let_in_, ElementsAre(0, 0));
}

TEST_F(AcceptorsTest, AnyNumberOfFreePortsMayBeAskedFor) {
    auto both = doors({"127.0.0.1:0", "127.0.0.1:0"});
    both[0].socket = listening();
    both[1].socket = listening();
    const int second = both[1].socket.get();
    acceptors_.serve(std::move(both));
    acceptors_.serve(doors({"127.0.0.1:0", "127.0.0.1:0"}));
    const net::UniqueFd client = client_of(second);
    turn();
    EXPECT_THAT(let_in_, ElementsAre(1));
}

}  // namespace
}  // namespace gatepost::server
