#include "backends/file/users_edit.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::backends {
namespace {

using auth::UserChange;
using Attributes = std::map<std::string, std::optional<std::string>>;

UserChange change(const std::string& user, const char* record, Attributes attributes = {}) {
    UserChange made;
    made.user = user;
    if (record != nullptr) made.record = Secret(ByteView(record));
    made.attributes = std::move(attributes);
    return made;
}

/// The new text, or "!" and what is wrong.
template <typename... Changes>
std::string edited(ByteView text, Changes... changes) {
    std::vector<UserChange> all;
    (all.push_back(std::move(changes)), ...);
    const auto result = edit_users(text, all);
    if (!result) return "!" + result.error().message;
    std::string whole;
    for (const ByteView piece : result->pieces) whole += piece;
    return whole;
}

TEST(UsersEdit, ManyUsersInOnePass) {
    EXPECT_EQ(edited("", change("ann", "{PLAIN}a", {{"senders", "*@x.org,b@y.org"}, {"disabled", "yes"}}),
                     change("b:ob", "{PLAIN}b")),
              "ann:{PLAIN}a:disabled=yes:senders=*@x.org,b@y.org\nb\\:ob:{PLAIN}b\n");
    EXPECT_EQ(edited("# c\r\nbob:{PLAIN}b\r\nann:{PLAIN}a:senders=x # kept\ncid:{PLAIN}c",
                     change("cid", "{PLAIN}C"), change("new", "{PLAIN}n"), change("bob", "{PLAIN}B")),
              "# c\r\nbob:{PLAIN}B\r\nann:{PLAIN}a:senders=x # kept\ncid:{PLAIN}C\nnew:{PLAIN}n\n");
    std::vector<UserChange> many;
    for (int i = 0; i < 3; ++i) many.push_back(change("u" + std::to_string(i), "{PLAIN}x"));
    EXPECT_EQ(edit_users("u1:{PLAIN}old\nu2:{PLAIN}old\n", many)->were_there, 2U);
}

TEST(UsersEdit, AttributesAloneKeepTheRecord) {
    EXPECT_EQ(edited("ann:{PLAIN}a\\:b\r\nbob:{PLAIN}b\r\n", change("ann", nullptr, {{"upstream", "other"}})),
              "ann:{PLAIN}a\\:b:upstream=other\r\nbob:{PLAIN}b\r\n");
    EXPECT_EQ(edited("ann:{PLAIN}a:senders=x y:disabled=yes", change("ann", nullptr, {{"disabled", {}}})),
              "ann:{PLAIN}a:senders=x y");
    EXPECT_EQ(edited("ann:{PLAIN}a:senders=x limit_class=bulk\n",
                     change("ann", nullptr, {{"senders", "a:b"}, {"limit_class", {}}})),
              "ann:{PLAIN}a:senders=a\\:b\n");
}

TEST(UsersEdit, ANewRecordTakesKeysOfTheOldPasswordWithIt) {
    EXPECT_EQ(edited("ann:{PLAIN}a:scram-sha-256=4096,x,y,z:senders=s\n", change("ann", "{PLAIN}new")),
              "ann:{PLAIN}new:senders=s\n");
    EXPECT_EQ(edited("ann:{PLAIN}a:scram-sha-256=4096,x,y,z\n", change("ann", nullptr, {{"senders", "s"}})),
              "ann:{PLAIN}a:scram-sha-256=4096,x,y,z:senders=s\n");
}

TEST(UsersEdit, DovecotsFieldsStayAndLeaveNoPlaceForAttributes) {
    const std::string line = "ann:{PLAIN}a:1000:1000::/home/ann::allow_nets=10.0.0.0/8\n";
    EXPECT_EQ(edited(line, change("ann", "{PLAIN}b")),
              "ann:{PLAIN}b:1000:1000::/home/ann::allow_nets=10.0.0.0/8\n");
    EXPECT_TRUE(edited(line, change("ann", nullptr, {{"disabled", "yes"}})).starts_with("!the line of user"));
}

TEST(UsersEdit, WhatCannotBeChangesNothing) {
    EXPECT_EQ(edited("bob:{PLAIN}b\n", change("ann", nullptr, {{"disabled", "yes"}})),
              "!there is no user ann");
    UserChange absent = change("bob", "{PLAIN}x");
    absent.expect = UserChange::Expect::kAbsent;
    EXPECT_EQ(edited("bob:{PLAIN}b\n", std::move(absent)), "!user bob is there already");
    UserChange there = change("ann", "{PLAIN}x");
    there.expect = UserChange::Expect::kThere;
    EXPECT_EQ(edited("bob:{PLAIN}b\n", std::move(there)), "!there is no user ann");
    EXPECT_TRUE(edited("a:{PLAIN}b\na:{PLAIN}c\n", change("a", "{PLAIN}d")).starts_with("!user a is in the"));
    EXPECT_TRUE(edited("", change("a", "{PLAIN}d"), change("a", "{PLAIN}e")).starts_with("!user a is named"));
    EXPECT_TRUE(edited("", change("#a", "{PLAIN}d")).starts_with("!a name that begins with"));
    EXPECT_TRUE(edited("", change(" a", "{PLAIN}d")).starts_with("!a name has"));
    // A value that would be read as something else.
    for (const std::string value : {"x disabled=no", "two  blanks", "behind "})
        EXPECT_TRUE(edited("", change("a", "{PLAIN}d", {{"senders", value}})).starts_with("!user a cannot"))
            << value;
    EXPECT_TRUE(
        edited("a:{PLAIN}b:nonsense\n", change("a", nullptr, {{"senders", "s"}})).starts_with("!the"));
}

}  // namespace
}  // namespace gatepost::backends
