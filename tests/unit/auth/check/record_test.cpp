#include "auth/check/record.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace gatepost::auth {
namespace {

constexpr std::string_view kScramPencil =
    "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

constexpr std::string_view kScramSha512Pencil =
    "{SCRAM-SHA-512}4096,W22ZaJ0SNY7soEsUEjb6gQ==,6AAub3065EYRmyFpM2RNwqK+"
    "eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9Nh"
    "H2hK/60dzj9DoO5DvVkOHbvg==,jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ0o/"
    "0b1yWEebBeSVkkCFewf91nLDfKF24mvD5"
    "nmE6rA==";

// Every record of the password "pencil", made by other tools: mkpasswd, openssl passwd, argon2, Python (the
// keys of RFC 5802 and RFC 7677, whose proofs and signatures agree with theirs), PostgreSQL's RFC 7677.
const std::vector<std::string> kPencils{
    std::string(kScramPencil),
    "{scram-sha-256}" + std::string(kScramPencil.substr(15)),
    "{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
    std::string(kScramSha512Pencil),
    "{PLAIN}pencil",
    "$y$j9T$ov8/O2TNVZh3Hwxe4RNyr.$hM8HuInp0pmmJYNtOgq3HMi4dPUb/4rO/6e7o70cdk8",
    "{CRYPT}$y$j9T$ov8/O2TNVZh3Hwxe4RNyr.$hM8HuInp0pmmJYNtOgq3HMi4dPUb/4rO/6e7o70cdk8",
    "$gy$j9T$ADD5TfDWWVXvxLyNclKDu/$KGCUT1DeXeNl94uGEu6Bp3fo6Q2aI4iZWBjqq7TNYXC",
    "$7$CU..../....om./Mhl3qv46Us3YcNEf40$tfCguH66z.UmyJXJlRCrXzNp8fRxDVrabTuhmjbBUI9",
    "$2b$05$LQ7jsYGC9bf6Q7BxzmSOZOj22IWumCT505hudTdem46WQfZGW7Y6y",
    "{BLF-CRYPT}$2a$05$WiVP6DVZ6Xu27WayQCdlUOHUkdMaM9ObjLUO87yPBhRnNR49v4sd2",
    "{CRYPT}$2y$04$abcdefghijklmnopqrstuu/FyAyuZSl3DbPdvio4KrIBdz2k2yhV2",
    "$6$saltsalt$rD9fW1BwIrjB90WCgCTdIQc3phTBhf04I6Iw/XlgKD9E9aEbzqGZipjiFxGo/4wWXDA6jV6/vZO.kKdDSfUJb0",
    "{SHA512-CRYPT}$6$rounds=20000$s7aZnIoTqMaDAHWL$VdKFgyYrAHtgYLWeoMBv3KVuP0HOv0MHoNwLUagbjhUaN5U8UWgXB/"
    "HRMtfPhLXGFFfXeK81dp2Z8HhveLGLB1",
    "{SHA256-CRYPT}$5$saltsalt$hl9BvcGsj7AkON13nbqeQHDgRpHyFxt7WDzLoS.OCQ/",
    "$1$saltsalt$wCrc3hcrR95SV83Xh8Z.41",
    "{CRYPT}abJ32bJMdTsnY",
    "{ARGON2ID}$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQx$d0HzjTBTywo6NZWOWtJ6Rs76SoWCmCc+zEnOMHK27S4",
    "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQx$d0HzjTBTywo6NZWOWtJ6Rs76SoWCmCc+zEnOMHK27S4",
    "{ARGON2I}$argon2i$v=19$m=4096,t=3,p=1$c29tZXNhbHQx$oU9SvnkM2CSwHMH1Nf22/phaIZymyV6jZ6XjaeDflr8",
};

std::string error_of(ByteView text) {
    const Result<Record> record = Record::parse(text);
    return record ? "(taken)" : record.error().message;
}

TEST(Record, OfEverySchemeMatchesItsPasswordAndNoOther) {
    for (const std::string& text : kPencils) {
        const Result<Record> record = Record::parse(text);
        ASSERT_TRUE(record.has_value()) << text << ": " << error_of(text);
        EXPECT_TRUE(record->matches("pencil")) << text;
        for (const std::string_view wrong :
             {"Pencil", "penci", "pencil ", "pencil1", "", "\xFF\xFE", "{PLAIN}pencil"}) {
            EXPECT_FALSE(record->matches(wrong)) << text << " matched " << wrong;
        }
        EXPECT_EQ(record->is_cheap(), text == "{PLAIN}pencil") << text;
    }
}

TEST(Record, WrittenAndReadAgainIsTheSame) {
    for (const std::string& text : kPencils) {
        const Result<Record> record = Record::parse(text);
        ASSERT_TRUE(record.has_value());
        const Secret written = record->text();
        const Result<Record> again = Record::parse(written.reveal());
        ASSERT_TRUE(again.has_value()) << written.reveal();
        EXPECT_TRUE(again->matches("pencil"));
    }
}

TEST(Record, MadeInEverySchemeMatches) {
    for (const Scheme scheme :
         {Scheme::kScramSha256, Scheme::kScramSha1, Scheme::kScramSha512, Scheme::kArgon2id,
          Scheme::kYescrypt, Scheme::kBcrypt, Scheme::kSha512Crypt, Scheme::kSha256Crypt, Scheme::kPlain}) {
        const Result<Record> made = Record::make(scheme, "a:b\\c \xC3\xA4");
        ASSERT_TRUE(made.has_value()) << to_string(scheme) << ": " << made.error().message;
        EXPECT_TRUE(made->matches("a:b\\c \xC3\xA4")) << to_string(scheme);
        EXPECT_FALSE(made->matches("a:b\\c a")) << to_string(scheme);
        const Result<Record> again = Record::make(scheme, "a:b\\c \xC3\xA4");
        ASSERT_TRUE(again.has_value());
        const bool is_salted = made->text().reveal() != again->text().reveal();
        EXPECT_EQ(is_salted, scheme != Scheme::kPlain) << to_string(scheme);
        EXPECT_EQ(parse_scheme(to_string(scheme)).value(), scheme);
    }
    EXPECT_EQ(parse_scheme("{blf-crypt}").value(), Scheme::kBcrypt);
    EXPECT_EQ(parse_scheme("scram-sha-1").value(), Scheme::kScramSha1);
    EXPECT_FALSE(parse_scheme("").has_value());
    EXPECT_FALSE(parse_scheme("SCRAM-SHA-256-PLUS").has_value()) << "a mechanism, not a record";
    EXPECT_FALSE(parse_scheme("rot13").has_value());
}

TEST(Record, MadeOfAPasswordThatNobodyCanSendIsRefused) {
    for (const ByteView password : {ByteView(""), ByteView("a\nb"), ByteView("a\0b", 3), ByteView("a\x7F")}) {
        EXPECT_FALSE(Record::make(Scheme::kPlain, password).has_value());
    }
    EXPECT_FALSE(Record::make(Scheme::kPlain, std::string(1025, 'x')).has_value());
    EXPECT_TRUE(Record::make(Scheme::kPlain, std::string(1024, 'x')).has_value());
    EXPECT_FALSE(Record::make(Scheme::kBcrypt, std::string(73, 'x')).has_value())
        << "bcrypt would forget its end";
    EXPECT_FALSE(Record::make(Scheme::kYescrypt, std::string(600, 'x')).has_value());
    EXPECT_FALSE(Record::make(Scheme::kScramSha256, "\xFFlatin").has_value())
        << "no SCRAM client could prepare it";
}

TEST(Record, ScramPreparesThePasswordBySaslprep) {
    // U+2168 is the Roman numeral nine and becomes "IX" (RFC 4013 section 3); U+00AD disappears.
    const Result<Record> nine = Record::parse(
        "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,jm4XkHvFe7q0xZ4vmAKJUiTKPr1F+7MXnYyksTUVeBE=,"
        "EqXM4c5+I7lQ5vHl5Ngu2rY8DBMM1XjG0dY6GEjwLx0=");
    ASSERT_TRUE(nine.has_value());
    EXPECT_TRUE(nine->matches("IX"));
    EXPECT_TRUE(nine->matches("\xE2\x85\xA8"));
    EXPECT_TRUE(nine->matches("I\xC2\xADX"));
    EXPECT_FALSE(nine->matches("\xC2\xAD"));
    EXPECT_EQ(saslprep("\xC2\xAD").has_value(), false);
    std::string longest;
    for (int i = 0; i < 341; ++i) longest += "\xEF\xB7\xBA";  // NFKC's worst case, eleven-fold
    const Result<Secret> prepared = saslprep(longest);
    if (prepared) {
        EXPECT_GT(prepared->size(), longest.size());
    }
}

TEST(Record, TellsLibsaslItsScramKeys) {
    const Result<Record> sha1 = Record::parse(kPencils[2]);
    ASSERT_TRUE(sha1.has_value());
    ASSERT_NE(sha1->scram(), nullptr);
    EXPECT_EQ(sha1->scram()->auth_password().reveal(),
              "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE=");
    const Result<Record> sha256 = Record::parse(kScramPencil);
    ASSERT_TRUE(sha256.has_value());
    EXPECT_EQ(sha256->scram()->auth_password().reveal(),
              "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
              "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    EXPECT_EQ(Record::parse("{PLAIN}pencil")->scram(), nullptr);
    EXPECT_EQ(scram_hash_of("SCRAM-SHA-512-PLUS"), ScramHash::kSha512);
    EXPECT_EQ(scram_hash_of("SCRAM-SHA-224"), std::nullopt);
    EXPECT_EQ(scram_hash_of("PLAIN"), std::nullopt);
}

TEST(Record, CostsOutOfBoundsAreRefused) {
    const std::string bcrypt = "$2b$15$LQ7jsYGC9bf6Q7BxzmSOZOj22IWumCT505hudTdem46WQfZGW7Y6y";
    const std::string behind =
        ",W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    const std::string sha =
        "saltsalt$rD9fW1BwIrjB90WCgCTdIQc3phTBhf04I6Iw/XlgKD9E9aEbzqGZipjiFxGo/4wWXDA6jV6/vZO.kKdDSfUJb0";
    const std::string yescrypt = "$ov8/O2TNVZh3Hwxe4RNyr.$hM8HuInp0pmmJYNtOgq3HMi4dPUb/4rO/6e7o70cdk8";
    const std::string argon = "$c29tZXNhbHQx$d0HzjTBTywo6NZWOWtJ6Rs76SoWCmCc+zEnOMHK27S4";
    for (const std::string& text : {
             bcrypt,
             "{SCRAM-SHA-256}4095" + behind,
             "{SCRAM-SHA-256}1000001" + behind,
             "{SCRAM-SHA-256}99999999999" + behind,
             "{SCRAM-SHA-256}-4096" + behind,
             "{SCRAM-SHA-256}4096x" + behind,
             "{SCRAM-SHA-1}4096" + behind,  // keys of another hash
             "{SCRAM-SHA-512}4096" + behind,
             "{SCRAM-SHA-256-PLUS}4096" + behind,
             "{SCRAM-SHA-224}4096" + behind,
             "$6$rounds=1000001$" + sha,
             "$6$rounds=999$" + sha,
             "$6$rounds=$" + sha,
             "$y$jFT" + yescrypt,
             "$y$j9TA" + yescrypt,
             "$y$k9T" + yescrypt,
             std::string("$7$OU..../....om./Mhl3qv46Us3YcNEf40$tfCguH66z.UmyJXJlRCrXzNp8fRxDVrabTuhmjbBUI9"),
             "$argon2id$v=19$m=262145,t=1,p=1" + argon,
             "$argon2id$v=19$m=4096,t=65,p=1" + argon,
             "$argon2id$v=19$m=262144,t=17,p=1" + argon,
             "$argon2id$v=19$m=4096,t=2,p=17" + argon,
             "$argon2id$v=19$m=4,t=2,p=1" + argon,
             "$argon2id$v=16$m=4096,t=2,p=1" + argon,
         }) {
        EXPECT_NE(error_of(text), "(taken)") << text;
    }
}

TEST(Record, CutShortOrForeignIsRefusedWithWhatToDo) {
    for (const std::string& text : kPencils) {
        // A password and an argon2 hash may have any length.
        if (text.starts_with("{PLAIN}") || text.find("$argon2") != std::string::npos) continue;
        for (std::size_t size = 0; size < text.size(); ++size) {
            EXPECT_NE(error_of(text.substr(0, size)), "(taken)") << text.substr(0, size);
        }
        EXPECT_NE(error_of(text + "A"), "(taken)") << text;
    }
    for (const std::string_view text :
         {"$argon2id$v=19$m=4096,t=2,p=1", "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQx",
          "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQx$", "$argon2id$v=19$m=4096,t=2,p=1$$d0Hz",
          "$argon2d$v=19$m=4096,t=2,p=1$c29tZXNhbHQx$d0HzjTBTywo6NZWOWtJ6Rs76SoWCmCc"}) {
        EXPECT_NE(error_of(text), "(taken)") << text;
    }
    EXPECT_NE(error_of("$apr1$saltsalt$LR9wPsIAcuy46wmT2IkL./").find("gatepost hash"), std::string::npos);
    EXPECT_NE(error_of("{CRYPT}$apr1$saltsalt$LR9wPsIAcuy46wmT2IkL./").find("gatepost hash"),
              std::string::npos);
    EXPECT_NE(error_of("{SSHA}abc").find("{SSHA}"), std::string::npos);
    EXPECT_NE(error_of("abJ32bJMdTsnY"), "(taken)") << "a bare DES hash cannot be told from a password";
    EXPECT_NE(error_of("{SHA512-CRYPT}$5$saltsalt$hl9BvcGsj7AkON13nbqeQHDgRpHyFxt7WDzLoS.OCQ/"), "(taken)");
}

TEST(Record, ErrorsAndDescriptionsShowNoSecret) {
    for (const std::string_view text :
         {"{PLAIN}hun\x01ter2", "hunter2", "{NOSUCH}hunter2", "{SCRAM-SHA-256}hunter2", "{ARGON2ID}hunter2",
          "{CRYPT}hunter2", "$6$hunter2", "$y$hunter2", "$hunter2"}) {
        EXPECT_NE(error_of(text), "(taken)");
        EXPECT_EQ(error_of(text).find("ter2"), std::string::npos) << error_of(text);
    }
    EXPECT_EQ(Record::parse("{PLAIN}hunter2")->describe(), "{PLAIN}");
    EXPECT_EQ(Record::parse(kScramPencil)->describe(), "{SCRAM-SHA-256} 4096 iterations");
    EXPECT_EQ(Record::parse(kScramSha512Pencil)->describe(), "{SCRAM-SHA-512} 4096 iterations");
    EXPECT_EQ(Record::parse(kPencils[5])->describe(), "yescrypt 16384 KiB");
}

}  // namespace
}  // namespace gatepost::auth
