#include "backends/file/users_file.h"

#include <ctime>
#include <string>

#include <gtest/gtest.h>

#include "auth/check/record.h"

namespace gatepost::backends {
namespace {

constexpr std::string_view kScram =
    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

std::shared_ptr<const UsersFile> good(std::string_view text) {
    UsersFile::Parsed parsed = UsersFile::parse(Secret(text));
    for (const LineProblem& problem : parsed.problems)
        ADD_FAILURE() << problem.line << ": " << problem.message;
    return parsed.file;
}

std::string record_of(const UsersFile& file, std::string_view name) {
    const auto user = file.find(name);
    return user ? std::string(user->record.reveal()) : "(unknown)";
}

TEST(UsersFile, ReadsNamesRecordsAttributesAndComments) {
    const auto file = good(
        "\xEF\xBB\xBF# users\n\n  \n   # more\nann:{PLAIN}secret\r\n"
        "bob@example.org:" +
        std::string(kScram) +
        ":senders=bob@example.org *@list.example.org:limit_class=bulk\n"
        "gr\xC3\xBC\xC3\x9F:{PLAIN} blanks :disabled=yes upstream=other\n"
        "last:{PLAIN}no line end");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->size(), 4U);
    EXPECT_EQ(record_of(*file, "ann"), "{PLAIN}secret");
    EXPECT_EQ(record_of(*file, "gr\xC3\xBC\xC3\x9F"), "{PLAIN} blanks ");
    EXPECT_EQ(record_of(*file, "last"), "{PLAIN}no line end");
    EXPECT_EQ(record_of(*file, "Ann"), "(unknown)") << "names are octets";
    EXPECT_EQ(record_of(*file, "an"), "(unknown)");
    EXPECT_EQ(record_of(*file, ""), "(unknown)");
    EXPECT_EQ(record_of(*file, "# users"), "(unknown)");
    const auto bob = file->find("bob@example.org");
    EXPECT_EQ(bob->user, "bob@example.org");
    EXPECT_EQ(bob->attributes.at("senders"), "bob@example.org *@list.example.org");
    EXPECT_EQ(bob->attributes.at("limit_class"), "bulk");
    EXPECT_FALSE(bob->disabled);
    EXPECT_TRUE(file->find("gr\xC3\xBC\xC3\x9F")->disabled);
    EXPECT_EQ(file->find("gr\xC3\xBC\xC3\x9F")->attributes.at("upstream"), "other");
    EXPECT_EQ(good("")->size(), 0U);
    EXPECT_EQ(record_of(*good(""), "x"), "(unknown)");
    EXPECT_EQ(good("")->stand_in(), nullptr);
}

TEST(UsersFile, UndoesEscapes) {
    const auto file = good("DOM\\\\ann\\:x:{PLAIN}a\\:b\\\\c\\\\\\:\n");
    EXPECT_EQ(record_of(*file, "DOM\\ann:x"), "{PLAIN}a:b\\c\\:");
    for (const std::string_view password : {"a:b", "\\", ":", "\\:", "plain", "a\\:\\\\b", ""}) {
        const Secret escaped = escaped_field(password);
        UserLine line;
        const std::string text = "u:" + std::string(escaped.reveal());
        ASSERT_EQ(parse_user_line(text, line), std::nullopt) << text;
        EXPECT_EQ(line.record.reveal(), password);
    }
}

TEST(UsersFile, EmptyFieldInFrontOfAttributes_IsNoReasonToIgnoreThem) {
    const auto parsed = UsersFile::parse(Secret("eve:{PLAIN}pencil::disabled=yes\n"));
    ASSERT_TRUE(parsed.file);
    EXPECT_TRUE(parsed.file->find("eve")->disabled);
}

TEST(UsersFile, ReadsDovecotsSevenFields) {
    const auto file = good(
        "ann:{PLAIN}a:1000:1000:Ann A=B:/home/ann:/bin/sh:userdb_mail=maildir:/var\\x nopassword=y\n"
        "bob:{PLAIN}b::::::\n"
        "cleo:{PLAIN}c:vmail:vmail::/home/cleo::allow_nets=10.0.0.0/8 disabled=yes\n"
        "dan:{PLAIN}d:\n"
        "eve:{SHA512-CRYPT}$6$saltsalt$rD9fW1BwIrjB90WCgCTdIQc3phTBhf04I6Iw/XlgKD9E9aEbzqGZipjiFxGo/"
        "4wWXDA6jV6/vZO.kKdDSfUJb0:5000:5000\n");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->size(), 5U);
    EXPECT_EQ(record_of(*file, "ann"), "{PLAIN}a");
    EXPECT_TRUE(file->find("cleo")->attributes.empty()) << "Dovecot's extra fields are not ours";
    EXPECT_FALSE(file->find("cleo")->disabled);
}

TEST(UsersFile, NamesEveryProblemByItsLine) {
    const UsersFile::Parsed parsed =
        UsersFile::parse(Secret("ann:{PLAIN}a\n"  // 1
                                "no colon\n"      // 2
                                "ann:{PLAIN}b\n"  // 3 twice
                                "\n"
                                "x:$apr1$saltsalt$LR9wPsIAcuy46wmT2IkL./\n"  // 5
                                "y:{PLAIN}a:color=red\n"                     // 6
                                "z:{PLAIN}a\\b\n"                            // 7
                                " lead:{PLAIN}a\n"                           // 8
                                ":{PLAIN}a\n"                                // 9
                                "bare:hunter2\n"                             // 10
                                "empty:\n"                                   // 11
                                "w:{PLAIN}a:disabled\n"                      // 12
                                "v:{PLAIN}a:disabled=perhaps\n"              // 13
                                "u:{PLAIN}a:senders=a:senders=b\n"           // 14
                                "t:{PLAIN}b\xC3\xA4r\x01\n"                  // 15
                                "a\\b:{PLAIN}hunter2"));                     // 16
    EXPECT_EQ(parsed.file, nullptr);
    std::string lines;
    for (const LineProblem& problem : parsed.problems) {
        lines += std::to_string(problem.line) + " ";
        EXPECT_EQ(problem.message.find("hunter2"), std::string::npos) << problem.message;
        if (problem.line == 5) {
            EXPECT_NE(problem.message.find("gatepost hash"), std::string::npos);
        }
        if (problem.line == 3) {
            EXPECT_NE(problem.message.find("line 1"), std::string::npos);
        }
    }
    EXPECT_EQ(lines, "2 3 5 6 7 8 9 10 11 12 13 14 15 16 ");
}

TEST(UsersFile, StandInIsOfTheCommonestKindAndOfNobody) {
    const auto file = good("a:{PLAIN}x\nb:" + std::string(kScram) + "\nc:" + std::string(kScram) + "\n");
    ASSERT_TRUE(file->stand_in());
    EXPECT_EQ(file->stand_in()->user, "");
    EXPECT_EQ(auth::Record::parse(file->stand_in()->record.reveal())->describe(),
              "{SCRAM-SHA-256} 4096 iterations");
}

std::string many_users(int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "user" + std::to_string(i) + "@example.org:" + std::string(kScram) + "\n";
    return text;
}

TEST(UsersFile, ManyUsersAreFound) {
    const auto file = good(many_users(20'000));
    ASSERT_TRUE(file);
    EXPECT_EQ(file->size(), 20'000U);
    for (int i = 0; i < 20'000; i += 997) {
        EXPECT_EQ(record_of(*file, "user" + std::to_string(i) + "@example.org"), kScram);
    }
    EXPECT_EQ(record_of(*file, "user20000@example.org"), "(unknown)");
}

// CPU time and a proportion: how fast the machine is, and what else it does, is none of this test's business.
TEST(UsersFile, EightTimesTheUsersCostEightTimesTheTime) {
    const auto cost = [](int users) {
        const std::string text = many_users(users);
        const std::clock_t begin = std::clock();
        EXPECT_TRUE(good(text));
        return static_cast<double>(std::clock() - begin);
    };
    const double few = cost(2'000);
    EXPECT_LT(cost(16'000) / few, 24.0) << "64 would be quadratic";
}

}  // namespace
}  // namespace gatepost::backends
