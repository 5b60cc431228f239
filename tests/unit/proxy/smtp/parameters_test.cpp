#include "proxy/smtp/parameters.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace gatepost::smtp {
namespace {

Capabilities everything() {
    return {.esmtp = true,
            .pipelining = true,
            .eight_bit_mime = true,
            .smtputf8 = true,
            .dsn = true,
            .chunking = true,
            .enhanced_status_codes = true,
            .starttls = false,
            .size = true,
            .size_limit = 0,
            .auth_mechanisms = {},
            .xclient = {}};
}

/// What the upstream is sent for it, without the line end; or the code of the refusal.
std::string mail(ByteView argument, const Capabilities& upstream = everything(), std::size_t added = 0) {
    const Parsed<MailArguments> parsed = parse_mail(argument);
    if (!parsed) return std::to_string(parsed.error().code) + ' ' + std::string(parsed.error().enhanced);
    std::string out;
    append_mail(out, *parsed, upstream, added);
    EXPECT_TRUE(out.ends_with("\r\n"));
    return out.substr(0, out.size() - 2);
}

std::string rcpt(ByteView argument, const Capabilities& upstream = everything()) {
    const Parsed<RcptArguments> parsed = parse_rcpt(argument);
    if (!parsed) return std::to_string(parsed.error().code) + ' ' + std::string(parsed.error().enhanced);
    std::string out;
    append_rcpt(out, *parsed, upstream);
    EXPECT_TRUE(out.ends_with("\r\n"));
    return out.substr(0, out.size() - 2);
}

TEST(Mail, IsEncodedAnewFromItsValues) {
    EXPECT_EQ(mail("FROM:<a@b>"), "MAIL FROM:<a@b>");
    EXPECT_EQ(mail("from:<>"), "MAIL FROM:<>");
    EXPECT_EQ(mail("FROM:<a@b> body=8bitmime size=500000 smtputf8"),
              "MAIL FROM:<a@b> SIZE=500000 BODY=8BITMIME SMTPUTF8");
}

TEST(Mail, D8_BlanksAndBrackets) {
    for (const ByteView argument :
         {"FROM:<a@b>", "FROM: <a@b>", "From:   <a@b>", "FROM:a@b", "from: a@b", "FROM:<@x:a@b>"}) {
        EXPECT_EQ(mail(argument), "MAIL FROM:<a@b>") << argument;
    }
    for (const ByteView argument : {"", "FROM", "FROM <a@b>", "FROM :<a@b>", "<a@b>", "TO:<a@b>", "FROM:",
                                    "FROM: ", "FROM:<a@b", "FROM:a@b>", "FROM:<a@b>SIZE=1", "FROM: SIZE=1"}) {
        EXPECT_EQ(mail(argument), "501 5.1.7") << argument;
    }
}

TEST(Mail, KeepsQuotedLocalPartsOctetForOctet) {
    EXPECT_EQ(mail(R"(FROM:<"a b\"\\>"@c> SIZE=1)"), R"(MAIL FROM:<"a b\"\\>"@c> SIZE=1)");
}

TEST(Mail, D2_SizeIsANumber) {
    for (const ByteView size : {"SIZE", "SIZE=", "SIZE=x", "SIZE=-1", "SIZE=+1", "SIZE=1x", "SIZE=0x10",
                                "SIZE=1.5", "SIZE=1=2", "SIZE=123456789012345678901"}) {
        EXPECT_EQ(mail("FROM:<a@b> " + std::string(size)), "501 5.5.4") << size;
    }
    EXPECT_EQ(mail("FROM:<a@b> SIZE=007"), "MAIL FROM:<a@b> SIZE=7");
    EXPECT_EQ(mail("FROM:<a@b> SIZE=0"), "MAIL FROM:<a@b> SIZE=0");
}

TEST(Mail, SizeBeyond64BitsIsTheLargestNumber) {
    constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(parse_mail("FROM:<a@b> SIZE=99999999999999999999")->size, kLargest);
    EXPECT_EQ(parse_mail("FROM:<a@b> SIZE=18446744073709551616")->size, kLargest);
    EXPECT_EQ(parse_mail("FROM:<a@b> SIZE=18446744073709551615")->size, kLargest);
}

TEST(Mail, SizeGrowsByWhatIsAddedAndNeverWraps) {
    EXPECT_EQ(mail("FROM:<a@b> SIZE=100", everything(), 23), "MAIL FROM:<a@b> SIZE=123");
    EXPECT_EQ(mail("FROM:<a@b> SIZE=18446744073709551615", everything(), 23),
              "MAIL FROM:<a@b> SIZE=18446744073709551615");
}

TEST(Mail, EveryParameterComesOnce) {
    for (const ByteView twice :
         {"SIZE=1 SIZE=1", "SIZE=0 size=0", "BODY=7BIT BODY=8BITMIME", "SMTPUTF8 SMTPUTF8",
          "RET=FULL RET=HDRS", "ENVID=1 ENVID=2", "AUTH=<> AUTH=<>"}) {
        EXPECT_EQ(mail("FROM:<a@b> " + std::string(twice)), "501 5.5.4") << twice;
    }
}

TEST(Mail, D3_DsnPassesUntouched) {
    EXPECT_EQ(mail("FROM:<a@b> RET=HDRS ENVID=124567"), "MAIL FROM:<a@b> RET=HDRS ENVID=124567");
    EXPECT_EQ(mail("FROM:<a@b> ENVID=a+2Bb ret=full"), "MAIL FROM:<a@b> RET=full ENVID=a+2Bb");
    for (const ByteView bad : {"RET", "RET=", "RET=SOME", "ENVID", "ENVID=", "ENVID=+2", "ENVID=+zz",
                               "ENVID=a=b", "ENVID=\xC3\xA4"}) {
        EXPECT_EQ(mail("FROM:<a@b> " + std::string(bad)), "501 5.5.4") << bad;
    }
    EXPECT_EQ(mail("FROM:<a@b> ENVID=" + std::string(101, '1')), "501 5.5.4");
}

TEST(Mail, A12_AuthIsCheckedAndNeverPassedOn) {
    for (const ByteView good :
         {"AUTH=<>", "AUTH=e+3Dmc2@example.com", "auth=fred@example.com", "AUTH=fred"}) {
        EXPECT_EQ(mail("FROM:<a@b> " + std::string(good)), "MAIL FROM:<a@b>") << good;
    }
    for (const ByteView bad : {"AUTH", "AUTH=", "AUTH=+", "AUTH=+2b", "AUTH=+3", "AUTH=a=b@c", "AUTH=a@",
                               "AUTH=+0D+0A@c", "AUTH=<a@b>", "AUTH=a+20b@c"}) {
        EXPECT_EQ(mail("FROM:<a@b> " + std::string(bad)), "501 5.5.4") << bad;
    }
}

TEST(Mail, SmtpUtf8IsAFlagAndIsNeededForOtherAddresses) {
    EXPECT_EQ(mail("FROM:<\xC3\xA4@b>"), "553 5.6.7");
    EXPECT_EQ(mail("FROM:<\xC3\xA4@b> SMTPUTF8"), "MAIL FROM:<\xC3\xA4@b> SMTPUTF8");
    EXPECT_EQ(mail("FROM:<a@b> SMTPUTF8=yes"), "501 5.5.4");
    EXPECT_EQ(mail("FROM:<a@b> SMTPUTF8="), "501 5.5.4");
    EXPECT_EQ(mail("FROM:<\xFF@b> SMTPUTF8"), "501 5.1.7");
}

TEST(Mail, UnknownParametersAre555) {
    for (const ByteView unknown : {"FOO", "FOO=1", "=", "=1", "BODY=BINARYMIME", "BODY", "XSIZE=1",
                                   "NOTIFY=NEVER", "DELIVERBY=300;R"}) {
        EXPECT_EQ(mail("FROM:<a@b> " + std::string(unknown)), "555 5.5.4") << unknown;
    }
}

TEST(Mail, SurvivesAbsurdInput) {
    EXPECT_EQ(mail("FROM:<a@b> " + std::string(100'000, '=')), "555 5.5.4");
    EXPECT_EQ(mail("FROM:<a@b>" + std::string(100'000, ' ')), "MAIL FROM:<a@b>");
    EXPECT_EQ(mail("FROM:" + std::string(100'000, '<')), "501 5.1.7");
    EXPECT_EQ(mail(std::string(100'000, 'x')), "501 5.1.7");
}

TEST(Mail, SaysOnlyWhatTheUpstreamKnows) {
    Capabilities plain;
    EXPECT_EQ(mail("FROM:<a@b> SIZE=5 BODY=7BIT", plain), "MAIL FROM:<a@b>");
    EXPECT_EQ(missing_at(plain, *parse_mail("FROM:<a@b> SIZE=5 BODY=7BIT")), std::nullopt);
}

TEST(Mail, IsRefusedWhenTheUpstreamCannotCarryIt) {
    const auto code = [](ByteView argument) {
        const auto missing = missing_at(Capabilities{}, *parse_mail(argument));
        return missing ? std::to_string(missing->code) + ' ' + std::string(missing->enhanced) : "carried";
    };
    EXPECT_EQ(code("FROM:<a@b> SMTPUTF8"), "550 5.6.7");
    EXPECT_EQ(code("FROM:<a@b> BODY=8BITMIME"), "550 5.6.3");
    EXPECT_EQ(code("FROM:<a@b> RET=FULL"), "555 5.5.4");
    EXPECT_EQ(code("FROM:<a@b> ENVID=1"), "555 5.5.4");
    EXPECT_EQ(code("FROM:<a@b> AUTH=<>"), "carried");
}

TEST(Rcpt, IsEncodedAnewFromItsValues) {
    EXPECT_EQ(rcpt("TO:<a@b>"), "RCPT TO:<a@b>");
    EXPECT_EQ(rcpt("to: a@b "), "RCPT TO:<a@b>");
    EXPECT_EQ(rcpt("TO:<postmaster>"), "RCPT TO:<postmaster>");
    EXPECT_EQ(rcpt("TO:<>"), "501 5.1.3") << "the null path receives nothing";
    for (const ByteView bad : {"", "TO", "TO:", "FROM:<a@b>", "TO:<a@b", "TO <a@b>", "TO:<@a:>"})
        EXPECT_EQ(rcpt(bad), "501 5.1.3") << bad;
}

TEST(Rcpt, D3_DsnPassesUntouched) {
    EXPECT_EQ(rcpt("TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;user@example.com"),
              "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;user@example.com");
    EXPECT_EQ(rcpt("TO:<a@b> orcpt=utf-8;\xC3\xA4@b notify=never"),
              "RCPT TO:<a@b> NOTIFY=never ORCPT=utf-8;\xC3\xA4@b");
    for (const ByteView bad :
         {"NOTIFY", "NOTIFY=", "NOTIFY=NEVER,DELAY", "NOTIFY=DELAY,", "NOTIFY=,DELAY", "NOTIFY=SOMETIMES",
          "ORCPT=", "ORCPT=rfc822", "ORCPT=;a@b", "ORCPT=rfc822;", "ORCPT=rfc 822;a", "ORCPT=r\xC3;a",
          "NOTIFY=NEVER NOTIFY=NEVER", "ORCPT=a;b ORCPT=a;b"}) {
        EXPECT_EQ(rcpt("TO:<a@b> " + std::string(bad)), "501 5.5.4") << bad;
    }
    EXPECT_EQ(rcpt("TO:<a@b> SIZE=1"), "555 5.5.4");
}

TEST(Rcpt, NeverTellsAnUpstreamWithoutDsn) {
    const Parsed<RcptArguments> parsed = parse_rcpt("TO:<a@b> NOTIFY=NEVER");
    EXPECT_EQ(missing_at(Capabilities{}, *parsed)->code, 555);
    EXPECT_EQ(rcpt("TO:<a@b> NOTIFY=NEVER", Capabilities{}), "RCPT TO:<a@b>");
    Capabilities dsn;
    dsn.dsn = true;
    EXPECT_EQ(missing_at(dsn, *parse_rcpt("TO:<a@b> ORCPT=utf-8;\xC3\xA4@b"))->code, 550);
}

TEST(Rcpt, SaysWhetherItNeedsSmtpUtf8) {
    EXPECT_TRUE(parse_rcpt("TO:<\xC3\xA4@b>")->recipient_has_8bit);
    EXPECT_FALSE(parse_rcpt("TO:<a@b>")->recipient_has_8bit);
}

TEST(Chunk, HasASizeAndMaybeTheWordLast) {
    EXPECT_EQ(parse_chunk("0")->size, 0U);
    EXPECT_FALSE(parse_chunk("86")->last);
    EXPECT_TRUE(parse_chunk("0 LAST")->last);
    EXPECT_TRUE(parse_chunk("86 last")->last);
    for (const ByteView bad : {"", "LAST", "x", "-1", "+1", "1x", "1 LAST x", "1 FIRST", "1LAST", "0x1",
                               "18446744073709551615", "99999999999999999999", "999999999999999999999999"}) {
        ASSERT_FALSE(parse_chunk(bad)) << bad;
        EXPECT_EQ(parse_chunk(bad).error().code, 501);
    }
}

}  // namespace
}  // namespace gatepost::smtp
