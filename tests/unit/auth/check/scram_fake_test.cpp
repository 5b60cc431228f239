#include "auth/check/scram_fake.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "proxy/base/base64.h"

namespace gatepost::auth {
namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

std::string salt_of(const Result<ScramFake>& fake, ScramHash hash, std::string_view user) {
    const Result<ScramRecord> record = fake->record(hash, user, 4096);
    return record ? base64_encode(record->salt) : "(none)";
}

// Replicas of two releases must agree: these never change. Made by Python's hmac.
TEST(ScramFake, ShowsTheSameSaltInEveryReplica) {
    const Result<ScramFake> fake = ScramFake::make(kSecret);
    ASSERT_TRUE(fake.has_value());
    EXPECT_EQ(salt_of(fake, ScramHash::kSha1, "nobody"), "nWaI6W0TWApWgP+1O0yTNg==");
    EXPECT_EQ(salt_of(fake, ScramHash::kSha256, "nobody"), "0IfOQWwPQ0eGeGNzOTSpIQ==");
    EXPECT_EQ(salt_of(fake, ScramHash::kSha512, "nobody"), "zTjaujOej1YaH+pcyDkfvQ==");
}

TEST(ScramFake, ItsKeysAreNobodys) {
    const Result<ScramFake> fake = ScramFake::make(kSecret);
    const Result<ScramFake> other = ScramFake::make(kSecret);
    ASSERT_TRUE(fake && other);
    const Result<ScramRecord> one = fake->record(ScramHash::kSha512, "nobody");
    const Result<ScramRecord> two = other->record(ScramHash::kSha512, "nobody");
    ASSERT_TRUE(one && two);
    EXPECT_NE(one->stored_key.reveal(), two->stored_key.reveal()) << "not even its secret tells them";
    EXPECT_NE(one->server_key.reveal(), two->server_key.reveal());
}

TEST(ScramFake, DiffersByUserHashAndSecret) {
    const Result<ScramFake> fake = ScramFake::make(kSecret);
    const Result<ScramFake> other = ScramFake::make("another secret of 26 octets");
    const Result<ScramFake> random = ScramFake::make_random();
    const Result<ScramFake> again = ScramFake::make_random();
    ASSERT_TRUE(fake && other && random && again);
    std::set<std::string> salts;
    for (const auto* const one : {&fake, &other, &random, &again}) {
        for (const std::string_view user : {"ann", "bob", "an", ""}) {
            for (const ScramHash hash : {ScramHash::kSha1, ScramHash::kSha256, ScramHash::kSha512}) {
                const Result<ScramRecord> record = (*one)->record(hash, user);
                ASSERT_TRUE(record.has_value());
                EXPECT_EQ(record->salt.size(), 16U);
                EXPECT_EQ(record->stored_key.size(), key_size(hash));
                EXPECT_EQ(record->server_key.size(), key_size(hash));
                EXPECT_NE(record->stored_key.reveal(), record->server_key.reveal());
                salts.insert(record->salt);
            }
        }
    }
    EXPECT_EQ(salts.size(), 4U * 4U * 3U);
    EXPECT_EQ(salt_of(random, ScramHash::kSha256, "ann"), salt_of(random, ScramHash::kSha256, "ann"));
}

TEST(ScramFake, LooksAsTheStoreDoes) {
    const Result<ScramFake> fake = ScramFake::make(kSecret);
    for (const std::size_t size : {std::size_t{1}, std::size_t{12}, std::size_t{33}, std::size_t{1024}}) {
        const Result<ScramRecord> record = fake->record(ScramHash::kSha256, "nobody", 15'000, size);
        ASSERT_TRUE(record.has_value());
        EXPECT_EQ(record->salt.size(), size);
        EXPECT_EQ(record->iterations, 15'000);
        EXPECT_TRUE(ScramRecord::parse(ScramHash::kSha256, record->text().reveal().substr(15)).has_value());
        EXPECT_TRUE(record->auth_password().reveal().starts_with("SCRAM-SHA-256$15000:"));
    }
    EXPECT_EQ(fake->record(ScramHash::kSha256, "nobody", 4096, 0)->salt.size(), 1U);
    EXPECT_EQ(fake->record(ScramHash::kSha256, "nobody", 4096, 100'000)->salt.size(), 1024U);
}

TEST(ScramFake, ShortSecretIsRefused) {
    EXPECT_FALSE(ScramFake::make("").has_value());
    EXPECT_FALSE(ScramFake::make("fifteen octets!").has_value());
    EXPECT_TRUE(ScramFake::make("sixteen octets!!").has_value());
}

// RFC 7677 section 3 and RFC 5802 section 5: user "user", password "pencil".
TEST(ScramRecord, KeysAreThoseOfTheRfcs) {
    const std::optional<Secret> salt = base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
    const Result<ScramRecord> sha256 =
        ScramRecord::make(ScramHash::kSha256, "pencil", std::string(salt->reveal()), 4096);
    ASSERT_TRUE(sha256.has_value());
    EXPECT_EQ(base64_encode(sha256->stored_key.reveal()), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
    EXPECT_EQ(base64_encode(sha256->server_key.reveal()), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    const std::optional<Secret> short_salt = base64_decode("QSXCR+Q6sek8bf92");
    const Result<ScramRecord> sha1 =
        ScramRecord::make(ScramHash::kSha1, "pencil", std::string(short_salt->reveal()), 4096);
    ASSERT_TRUE(sha1.has_value());
    EXPECT_EQ(base64_encode(sha1->stored_key.reveal()), "6dlGYMOdZcOPutkcNY8U2g7vK9Y=");
    EXPECT_EQ(base64_encode(sha1->server_key.reveal()), "D+CSWLOshSulAsxiupA+qs2/fTE=");
}

}  // namespace
}  // namespace gatepost::auth
