#include "auth/check/upstream_credentials.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <openssl/evp.h>

namespace gatepost::auth {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

UpstreamCredentials tim() {
    return {"tim", Secret("tanstaaftanstaaf")};
}

/// The mechanism, and "+" and the initial response where there is one.
std::string begun(const UpstreamCredentials& credentials, std::string_view announced, bool is_secured) {
    const auto start = credentials.begin(announced, is_secured);
    if (!start) return "none";
    std::string text = start->mechanism;
    if (start->initial_response) text.append("+").append(start->initial_response->reveal());
    return text;
}

std::optional<std::string> answered(const UpstreamCredentials& credentials, std::string_view mechanism,
                                    int step, ByteView challenge) {
    const auto answer = credentials.answer(mechanism, step, challenge);
    if (!answer) return std::nullopt;
    return std::string(answer->reveal());
}

TEST(UpstreamCredentials, Begin_TakesTheBestThatWasAnnounced) {
    const auto credentials = tim();
    const std::string plain("PLAIN+\0tim\0tanstaaftanstaaf", 27);
    EXPECT_EQ(begun(credentials, "CRAM-MD5 LOGIN PLAIN", true), plain);
    EXPECT_EQ(begun(credentials, "CRAM-MD5 LOGIN", true), "LOGIN");
    EXPECT_EQ(begun(credentials, "GSSAPI CRAM-MD5", true), "CRAM-MD5");
    EXPECT_EQ(begun(credentials, "PLAIN LOGIN CRAM-MD5", false), "CRAM-MD5");
    EXPECT_EQ(begun(credentials, "LOGIN PLAIN", false), plain);
    EXPECT_EQ(begun(credentials, "login", false), "LOGIN");
    EXPECT_EQ(begun(credentials, " plain ", true), plain);
}

TEST(UpstreamCredentials, Begin_WhenNothingCanBeSpoken_IsNothing) {
    for (const auto announced : {"", " ", "XOAUTH2 GSSAPI", "PLAIN-X XPLAIN CRAM-MD5-PLUS", "PLAIN,LOGIN"}) {
        EXPECT_EQ(begun(tim(), announced, true), "none") << announced;
        EXPECT_EQ(begun(tim(), announced, false), "none") << announced;
    }
}

TEST(UpstreamCredentials, Plain_AfterItsInitialResponse_AnswersNoChallenge) {
    EXPECT_EQ(answered(tim(), "PLAIN", 0, ""), std::nullopt);
    EXPECT_EQ(answered(tim(), "PLAIN", 1, ""), std::nullopt);
}

TEST(UpstreamCredentials, Plain_WhenTooLongForTheCommand_WaitsForTheChallenge) {
    // "AUTH PLAIN " and CRLF leave 499 octets, so 496 of base64, so 372.
    const UpstreamCredentials longest("tim", Secret(std::string(367, 'x')));
    EXPECT_EQ(begun(longest, "PLAIN", true).size(), 6U + 372U);
    EXPECT_EQ(answered(longest, "PLAIN", 0, ""), std::nullopt);

    const UpstreamCredentials longer("tim", Secret(std::string(368, 'x')));
    EXPECT_EQ(begun(longer, "PLAIN", true), "PLAIN");
    EXPECT_EQ(answered(longer, "PLAIN", 0, ""), "\0tim\0"s + std::string(368, 'x'));
    EXPECT_EQ(answered(longer, "PLAIN", 1, ""), std::nullopt);
}

TEST(UpstreamCredentials, Login_AnswersInOrderWhateverIsAsked) {
    for (const ByteView prompt : {"Username:"sv, "User Name\0"sv, "Password:"sv, ""sv}) {
        EXPECT_EQ(answered(tim(), "LOGIN", 0, prompt), "tim");
        EXPECT_EQ(answered(tim(), "login", 1, prompt), "tanstaaftanstaaf");
        EXPECT_EQ(answered(tim(), "LOGIN", 2, prompt), std::nullopt);
        EXPECT_EQ(answered(tim(), "LOGIN", -1, prompt), std::nullopt);
    }
}

TEST(UpstreamCredentials, CramMd5_AnswersAsTheExampleOfRfc2195) {
    const ByteView challenge = "<1896.697170952@postoffice.reston.mci.net>";
    EXPECT_EQ(answered(tim(), "CRAM-MD5", 0, challenge), "tim b913a602c7eda7a495b4e6e7334d3890");
    EXPECT_EQ(answered(tim(), "CRAM-MD5", 1, challenge), std::nullopt);
    EXPECT_EQ(answered(tim(), "CRAM-MD5", 0, ""), std::nullopt);
}

TEST(UpstreamCredentials, CramMd5_OfAnEmptyPasswordIsAnHmacToo) {
    const UpstreamCredentials credentials("tim", Secret());
    EXPECT_EQ(answered(credentials, "CRAM-MD5", 0, "<1@x>"), "tim 1f38caa9f91a66169c1c7cc6276d601c");
}

TEST(UpstreamCredentials, CramMd5_WhereLibcryptoHasNoMd5_IsNotChosen) {
    ASSERT_EQ(EVP_set_default_properties(nullptr, "fips=yes"), 1);
    const std::string clear = begun(tim(), "CRAM-MD5 LOGIN", false);
    const std::string alone = begun(tim(), "CRAM-MD5", true);
    const auto answer = answered(tim(), "CRAM-MD5", 0, "<1@x>");
    ASSERT_EQ(EVP_set_default_properties(nullptr, ""), 1);
    EXPECT_EQ(clear, "LOGIN");
    EXPECT_EQ(alone, "none");
    EXPECT_EQ(answer, std::nullopt);
    EXPECT_EQ(begun(tim(), "CRAM-MD5", true), "CRAM-MD5") << "and is again";
}

TEST(UpstreamCredentials, Answer_ToAMechanismThatWasNotBegun_IsNothing) {
    EXPECT_EQ(answered(tim(), "GSSAPI", 0, "x"), std::nullopt);
    EXPECT_EQ(answered(tim(), "", 0, "x"), std::nullopt);
}

}  // namespace
}  // namespace gatepost::auth
