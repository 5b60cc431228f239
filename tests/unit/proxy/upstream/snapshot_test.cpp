#include "proxy/upstream/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::upstream {
namespace {

using ::testing::ElementsAre;

Server server(bool healthy, std::vector<std::string> addresses, smtp::Capabilities able = {}) {
    Server made{
        .name = "mta", .tls_name = "mta", .addresses = {}, .is_healthy = healthy, .capabilities = able};
    for (const std::string& address : addresses)
        made.addresses.push_back(*net::SocketAddress::parse(address));
    return made;
}

std::vector<std::string> order(const Snapshot& snapshot, const std::vector<std::size_t>& in_use) {
    std::vector<std::string> names;
    for (const Candidate& candidate : candidates(snapshot, in_use))
        names.push_back(candidate.address.to_string());
    return names;
}

TEST(Snapshot, OffersNothingBeforeTheFirstGoodProbe) {
    smtp::Capabilities able;
    able.smtputf8 = true;
    const Snapshot snapshot{{server(false, {"127.0.0.1:1"}, able)}};
    EXPECT_EQ(snapshot.offer(), smtp::Capabilities());
    EXPECT_FALSE(snapshot.has_healthy());
}

TEST(Snapshot, OutageTakesNothingBackThatWasOffered) {
    smtp::Capabilities able;
    able.smtputf8 = able.eight_bit_mime = true;
    Server gone = server(false, {"127.0.0.1:1"}, able);
    gone.is_known = true;
    const Snapshot snapshot{{gone, server(false, {"127.0.0.1:2"})}};
    EXPECT_EQ(snapshot.offer(), able) << "a client would bounce what is only to wait";
}

TEST(Snapshot, OffersWhatAllHealthyServersCan) {
    smtp::Capabilities rich;
    rich.esmtp = rich.eight_bit_mime = rich.dsn = rich.size = true;
    rich.size_limit = 1000;
    smtp::Capabilities poor = rich;
    poor.dsn = false;
    poor.size_limit = 500;
    const Snapshot snapshot{{server(true, {}, rich), server(true, {}, poor), server(false, {}, {})}};
    EXPECT_TRUE(snapshot.offer().eight_bit_mime);
    EXPECT_FALSE(snapshot.offer().dsn);
    EXPECT_EQ(snapshot.offer().size_limit, 500U);
}

TEST(Candidates, HealthyServersFirstAmongThemTheLessBusy) {
    const Snapshot snapshot{{server(false, {"127.0.0.1:1"}), server(true, {"127.0.0.1:2", "127.0.0.2:2"}),
                             server(true, {"127.0.0.1:3"})}};
    EXPECT_THAT(order(snapshot, {0, 5, 4}),
                ElementsAre("127.0.0.1:3", "127.0.0.1:2", "127.0.0.2:2", "127.0.0.1:1"));
    EXPECT_THAT(order(snapshot, {0, 1, 1}),
                ElementsAre("127.0.0.1:2", "127.0.0.2:2", "127.0.0.1:3", "127.0.0.1:1"));
}

}  // namespace
}  // namespace gatepost::upstream
