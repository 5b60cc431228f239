// Listening sockets from outside: which listener gets which, and what is said of those that do not fit.
#include "proxy/server/inherited_sockets.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/listener.h"

namespace gatepost::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// Descriptors from here on stand in for 3, 4, …
constexpr int kFirst = 200;

/// As systemd does it: descriptors in a row and three variables.
class InheritedSocketsTest : public testing::Test {
  protected:
    int hand_over(net::UniqueFd socket) {
        const int number = kFirst + count_++;
        EXPECT_EQ(::dup2(socket.get(), number), number);
        return number;
    }
    std::string hand_over_port(const std::string& address = "127.0.0.1:0") {
        auto socket = net::listen_on(address);
        EXPECT_TRUE(socket);
        const std::string bound = net::local_address(socket->get()).to_string();
        hand_over(std::move(*socket));
        return bound;
    }
    InheritedSockets take(const std::string& names, const std::string& pid = std::to_string(::getpid())) {
        ::setenv("LISTEN_PID", pid.c_str(), 1);
        ::setenv("LISTEN_FDS", std::to_string(count_).c_str(), 1);
        ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
        return InheritedSockets::take_from_environment(kFirst);
    }
    void TearDown() override {
        for (int i = 0; i < count_; ++i) ::close(kFirst + i);
    }

    int count_ = 0;
};

bool is_the_same_port(const Result<net::UniqueFd>& socket, const std::string& address) {
    return socket && net::local_address(socket->get()).to_string() == address;
}

TEST_F(InheritedSocketsTest, WhenTaken_VariablesAreGoneAndChildrenGetNothing) {
    hand_over_port();
    ::fcntl(kFirst, F_SETFL, 0);
    const InheritedSockets inherited = take("submission");
    for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        EXPECT_EQ(::getenv(name), nullptr) << name;
    EXPECT_EQ(::fcntl(kFirst, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_EQ(::fcntl(kFirst, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST_F(InheritedSocketsTest, WhenAnAddressFits_ItsListenerGetsThatSocketWhateverItsName) {
    const std::string first = hand_over_port();
    const std::string second = hand_over_port();
    InheritedSockets inherited = take("submission:submission");
    EXPECT_THAT(inherited.problems(), IsEmpty());
    const auto of_second = inherited.listen("submission", second);
    const auto of_first = inherited.listen("other", first);
    EXPECT_TRUE(is_the_same_port(of_second, second));
    EXPECT_TRUE(is_the_same_port(of_first, first));
    EXPECT_EQ(::fcntl(of_first->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_THAT(inherited.warnings(), IsEmpty());
}

TEST_F(InheritedSocketsTest, WhenOnlyTheNameFits_TheListenerGetsThatSocket) {
    const std::string bound = hand_over_port();
    InheritedSockets inherited = take("submission");
    EXPECT_TRUE(is_the_same_port(inherited.listen("submission", "127.0.0.1:0"), bound));
    EXPECT_THAT(inherited.warnings(), IsEmpty());
}

TEST_F(InheritedSocketsTest, WhenAListenerComesBackAfterAReload_ItGetsTheSocketAgain) {
    const std::string bound = hand_over_port();
    InheritedSockets inherited = take("submission");
    for (const char* const address : {bound.c_str(), "127.0.0.1:0", bound.c_str()})
        EXPECT_TRUE(is_the_same_port(inherited.listen("submission", address), bound)) << address;
    EXPECT_FALSE(is_the_same_port(inherited.listen("other", "127.0.0.1:0"), bound));
}

TEST_F(InheritedSocketsTest, WhenNothingFits_AListenerListensItselfAndTheSocketIsNamed) {
    const std::string bound = hand_over_port();
    InheritedSockets inherited = take("smtp");
    const auto own = inherited.listen("submission", "127.0.0.1:0");
    ASSERT_TRUE(own);
    EXPECT_FALSE(is_the_same_port(own, bound));
    EXPECT_THAT(inherited.problems(), IsEmpty());
    EXPECT_THAT(inherited.warnings(), ElementsAre(StartsWith("the inherited descriptor 200 (smtp), " + bound +
                                                             ", is for no listener")));
}

TEST_F(InheritedSocketsTest, WhenItIsNoSocketOfListeners_ThatIsAProblem) {
    hand_over(net::UniqueFd(::socket(AF_INET, SOCK_DGRAM, 0)));
    hand_over(net::UniqueFd(::socket(AF_INET, SOCK_STREAM, 0)));
    hand_over(net::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    const InheritedSockets inherited = take("a:b");
    EXPECT_THAT(
        inherited.problems(),
        ElementsAre("the inherited descriptor 200 (a) is no stream socket; a socket unit says ListenStream=",
                    "the inherited descriptor 201 (b) is not listening; a socket unit says Accept=no",
                    StartsWith("the inherited descriptor 202 is no socket (")));
}

TEST_F(InheritedSocketsTest, WhenASocketOfIpv6TakesIpv4Too_ThatIsAWarning) {
    const std::string bound = hand_over_port("*:0");
    InheritedSockets inherited = take("submission");
    EXPECT_TRUE(is_the_same_port(inherited.listen("submission", bound), bound));
    EXPECT_THAT(inherited.warnings(), ElementsAre(HasSubstr("BindIPv6Only=ipv6-only")));
}

std::string every_address_at_port_of(const std::string& bound) {
    return "*" + bound.substr(bound.rfind(':'));
}

TEST_F(InheritedSocketsTest, WhenASocketTakesBothFamilies_ItIsForTheListenerOnEveryAddress) {
    const std::string bound = hand_over_port("*:0");
    InheritedSockets inherited = take("submission.socket");
    const auto got = inherited.listen("submission", every_address_at_port_of(bound));
    EXPECT_TRUE(is_the_same_port(got, bound));
    EXPECT_TRUE(got && net::takes_both_families(got->get()));
    EXPECT_THAT(inherited.warnings(), IsEmpty());
}

TEST_F(InheritedSocketsTest, WhenASocketHasOneFamily_TheListenerOnEveryAddressGetsItWithAWarning) {
    for (const std::string& any : {std::string("0.0.0.0:0"), std::string("[::]:0")}) {
        const std::string bound = hand_over_port(any);
        InheritedSockets inherited = take(count_ == 1 ? "x" : "y:x");
        EXPECT_TRUE(is_the_same_port(inherited.listen("submission", every_address_at_port_of(bound)), bound));
        EXPECT_THAT(inherited.warnings(), testing::Contains(HasSubstr("BindIPv6Only=both"))) << any;
    }
}

TEST_F(InheritedSocketsTest, WhenASocketHasOneAddress_ItIsNotForTheListenerOnEveryAddress) {
    const std::string bound = hand_over_port();
    InheritedSockets inherited = take("x");
    EXPECT_FALSE(inherited.listen("submission", every_address_at_port_of(bound)));
    EXPECT_THAT(inherited.warnings(), ElementsAre(HasSubstr("is for no listener")));
}

TEST_F(InheritedSocketsTest, WhenTheyAreAnotherProcesss_NoneIsTaken) {
    const std::string bound = hand_over_port();
    for (const std::string& pid : {std::string("1"), std::string(), std::string("x")}) {
        InheritedSockets inherited = take("submission", pid);
        EXPECT_FALSE(is_the_same_port(inherited.listen("submission", "127.0.0.1:0"), bound)) << pid;
        EXPECT_THAT(inherited.problems(), IsEmpty());
    }
}

TEST(InheritedSockets_WhenTheirNumberIsNone, SaySo) {
    for (const char* const count : {"many", "-1", "99999"}) {
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        ::setenv("LISTEN_FDS", count, 1);
        const auto inherited = InheritedSockets::take_from_environment(kFirst);
        EXPECT_THAT(inherited.problems(),
                    ElementsAre("LISTEN_FDS=" + std::string(count) + " is no number of sockets"));
    }
}

}  // namespace
}  // namespace gatepost::server
