#include "proxy/policy/routes.h"

#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatepost::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Route user(std::string pattern, std::size_t upstream) {
    return {.user = std::move(pattern), .sender_domain = {}, .listener = {}, .upstream = upstream};
}

Route sender(std::string domain, std::size_t upstream) {
    return {.user = {}, .sender_domain = std::move(domain), .listener = {}, .upstream = upstream};
}

Route listener(std::string name, std::size_t upstream) {
    return {.user = {}, .sender_domain = {}, .listener = std::move(name), .upstream = upstream};
}

TEST(Routes, TheFirstThatHoldsDecides) {
    const Routes routes({user("boss@example.org", 1), user("*@example.org", 2), listener("printers", 3)});
    EXPECT_EQ(routes.upstream_for("boss@example.org", "", "submission"), 1U);
    EXPECT_EQ(routes.upstream_for("anna@Example.ORG", "x@y", "printers"), 2U);
    EXPECT_EQ(routes.upstream_for("anna@example.net", "x@y", "printers"), 3U);
    EXPECT_EQ(routes.upstream_for("anna@example.net", "x@y", "submission"), std::nullopt);
    EXPECT_EQ(Routes({}).upstream_for("anna", "x@y", "submission"), std::nullopt);
}

TEST(Routes, AllConditionsMustHold) {
    const Routes routes(
        {{.user = "anna", .sender_domain = "example.org", .listener = "submission", .upstream = 4}});
    EXPECT_EQ(routes.upstream_for("anna", "a@example.org", "submission"), 4U);
    EXPECT_EQ(routes.upstream_for("berta", "a@example.org", "submission"), std::nullopt);
    EXPECT_EQ(routes.upstream_for("anna", "a@example.net", "submission"), std::nullopt);
    EXPECT_EQ(routes.upstream_for("anna", "a@example.org", "submissions"), std::nullopt);
}

TEST(Routes, ARouteOfUsers_IsNotForOneWhoHasNotAuthenticated) {
    EXPECT_EQ(Routes({user("*", 1)}).upstream_for("", "a@example.org", "mx"), std::nullopt);
    EXPECT_EQ(Routes({user("*", 1)}).upstream_for("anna", "", "mx"), 1U);
    EXPECT_EQ(Routes({user("", 1)}).upstream_for("", "a@example.org", "mx"), 1U);
}

TEST(Routes, ARouteOfSenders_IsNotForASenderWithoutADomain) {
    for (const ByteView sender_without : {"", "postmaster", "a@", "\"a@example.org\"", "\"a@b\""}) {
        EXPECT_EQ(Routes({sender("*", 1)}).upstream_for("anna", sender_without, "mx"), std::nullopt)
            << sender_without;
    }
    EXPECT_EQ(Routes({sender("*", 1)}).upstream_for("", "a@b", "mx"), 1U);
}

TEST(Routes, SenderDomain_IsBehindTheLastAtInAnyCase) {
    const Routes routes({sender("example.org", 1), sender("*.example.org", 2)});
    EXPECT_EQ(routes.upstream_for("", "a@EXAMPLE.org", "mx"), 1U);
    EXPECT_EQ(routes.upstream_for("", "\"a@example.net\"@example.org", "mx"), 1U);
    EXPECT_EQ(routes.upstream_for("", "a@b.Example.org", "mx"), 2U);
    EXPECT_EQ(routes.upstream_for("", "a@example.org@example.net", "mx"), std::nullopt);
}

TEST(Routes, ReachableFrom_NamesEachOnceInOrder) {
    const Routes routes({user("a", 5), listener("printers", 1), sender("x", 5), user("b", 2)});
    EXPECT_THAT(routes.reachable_from("submission"), ElementsAre(5, 2));
    EXPECT_THAT(routes.reachable_from("printers"), ElementsAre(5, 1)) << "nobody comes past the second";
    EXPECT_THAT(Routes({listener("printers", 1)}).reachable_from("submission"), IsEmpty());
}

}  // namespace
}  // namespace gatepost::policy
