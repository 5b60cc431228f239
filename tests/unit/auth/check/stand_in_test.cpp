#include "auth/check/stand_in.h"

#include <string>

#include <gtest/gtest.h>

#include "auth/check/record.h"

namespace gatepost::auth {
namespace {

const std::string kFirst =
    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
const std::string kMore =
    "{SCRAM-SHA-256}8192,c2FsdA==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/// "4096 16": what of a SCRAM record shows to a stranger; requires that nothing else of it is left.
std::string shown(const Secret& record) {
    EXPECT_FALSE(record.reveal().contains("WG5d8oPm")) << "a key";
    EXPECT_FALSE(record.reveal().contains("c2FsdA")) << "a salt";
    const Result<Record> parsed = Record::parse(record.reveal());
    if (!parsed || parsed->scram() == nullptr) return "none";
    return std::to_string(parsed->scram()->iterations) + ' ' + std::to_string(parsed->scram()->salt.size());
}

StoredCredential user(std::string_view record, std::string_view scram = {}) {
    StoredCredential credential;
    credential.user = "ann";
    credential.record = Secret(record);
    credential.scram = Secret(scram);
    credential.attributes["senders"] = "*";
    return credential;
}

TEST(StandInTest, TheFirstUserDecidesForGood) {
    StandIn stand_in;
    EXPECT_EQ(stand_in.get(), nullptr);
    stand_in.see(user(kFirst));
    const auto made = stand_in.get();
    ASSERT_TRUE(made);
    EXPECT_EQ(shown(made->record), "4096 16");
    EXPECT_TRUE(made->user.empty() && made->attributes.empty()) << "nobody's";
    stand_in.see(user(kMore));
    stand_in.see(user("{PLAIN}pencil", kMore));
    EXPECT_EQ(stand_in.get(), made);
}

TEST(StandInTest, WhatNobodyCanBeJudgedByIsPassedOver) {
    StandIn stand_in(StandIn::kPlain);
    for (const std::string_view bad : {"", "pencil", "{NOSUCH}x", "$gy$x", "{SCRAM-SHA-256}8192,c2FsdA=="}) {
        stand_in.see(user(bad));
        stand_in.see(user(bad, kMore));
        if (!bad.empty()) stand_in.see(user(kFirst, bad));
        EXPECT_EQ(stand_in.get()->record.reveal(), StandIn::kPlain) << bad;
        EXPECT_TRUE(stand_in.get()->scram.empty()) << bad;
    }
    stand_in.see(user(kMore));
    EXPECT_EQ(shown(stand_in.get()->record), "8192 4");
}

TEST(StandInTest, NeitherPasswordsNorKeysAreKept) {
    StandIn stand_in;
    stand_in.see(user("{PLAIN}pencil", kMore));
    EXPECT_EQ(stand_in.get()->record.reveal(), StandIn::kPlain);
    EXPECT_EQ(shown(stand_in.get()->scram), "8192 4");
    stand_in.see(user(kFirst));
    EXPECT_EQ(stand_in.get()->record.reveal(), StandIn::kPlain);
}

}  // namespace
}  // namespace gatepost::auth
