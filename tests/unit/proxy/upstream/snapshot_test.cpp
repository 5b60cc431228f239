#include "proxy/upstream/snapshot.h"

#include <gtest/gtest.h>

namespace gatepost::upstream {
namespace {

Server server(bool healthy, const std::string& address, smtp::Capabilities able = {}) {
    return {.endpoint = 0,
            .name = "mta",
            .tls_name = "mta",
            .address = *net::SocketAddress::parse(address),
            .is_healthy = healthy,
            .is_known = false,
            .capabilities = std::move(able)};
}

TEST(Snapshot, OffersNothingBeforeTheFirstGoodProbe) {
    smtp::Capabilities able;
    able.smtputf8 = true;
    const Snapshot snapshot{{server(false, "127.0.0.1:1", able)}};
    EXPECT_EQ(snapshot.offer(), smtp::Capabilities());
    EXPECT_FALSE(snapshot.has_healthy());
}

TEST(Snapshot, OutageTakesNothingBackThatWasOffered) {
    smtp::Capabilities able;
    able.smtputf8 = able.eight_bit_mime = true;
    Server gone = server(false, "127.0.0.1:1", able);
    gone.is_known = true;
    const Snapshot snapshot{{gone, server(false, "127.0.0.1:2")}};
    EXPECT_EQ(snapshot.offer(), able) << "a client would bounce what is only to wait";
}

TEST(Snapshot, OffersWhatAllHealthyServersCan) {
    smtp::Capabilities rich;
    rich.esmtp = rich.eight_bit_mime = rich.dsn = rich.size = true;
    rich.size_limit = 1000;
    smtp::Capabilities poor = rich;
    poor.dsn = false;
    poor.size_limit = 500;
    const Snapshot snapshot{
        {server(true, "127.0.0.1:1", rich), server(true, "127.0.0.1:2", poor), server(false, "127.0.0.1:3")}};
    EXPECT_TRUE(snapshot.offer().eight_bit_mime);
    EXPECT_FALSE(snapshot.offer().dsn);
    EXPECT_EQ(snapshot.offer().size_limit, 500U);
}

TEST(Snapshot, FindsAServerByItsNameAndAddress) {
    Snapshot snapshot{{server(true, "127.0.0.1:1"), server(true, "127.0.0.1:2")}};
    snapshot.servers.back().endpoint = 1;
    EXPECT_EQ(snapshot.find(1, *net::SocketAddress::parse("127.0.0.1:2")), &snapshot.servers.back());
    EXPECT_EQ(snapshot.find(0, *net::SocketAddress::parse("127.0.0.1:2")), nullptr) << "of another name";
    EXPECT_EQ(snapshot.find(1, *net::SocketAddress::parse("127.0.0.1:3")), nullptr);
}

}  // namespace
}  // namespace gatepost::upstream
