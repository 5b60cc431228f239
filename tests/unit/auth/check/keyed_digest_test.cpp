#include "auth/check/keyed_digest.h"

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace gatepost::auth {
namespace {

TEST(KeyedDigest, IsHmacSha256OfPartsBehindTheirLengths) {
    Result<UndumpedSecret> key = UndumpedSecret::make("0123456789abcdef0123456789abcdef");
    ASSERT_TRUE(key.has_value());
    const Result<KeyedDigest> digest = KeyedDigest::make(std::move(*key));
    ASSERT_TRUE(digest.has_value());
    // Python: hmac.digest(key, b"\2" + bytes(7) + b"ab" + bytes(8) + b"\1" + bytes(7) + b"c", "sha256")
    const std::optional<Digest> made = digest->of({"ab", "", "c"});
    ASSERT_TRUE(made.has_value());
    std::string text;
    for (const unsigned char octet : *made) {
        text += "0123456789abcdef"[octet >> 4];
        text += "0123456789abcdef"[octet & 15];
    }
    EXPECT_EQ(text, "cc56ee7d8c3e95f6e08df569ca2b3fd22177c91977f8037e8e3e038752d46c51");
}

}  // namespace
}  // namespace gatepost::auth
