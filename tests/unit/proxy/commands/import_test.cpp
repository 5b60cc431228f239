#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "auth/check/record.h"
#include "backends/file/file_users.h"
#include "backends/file/users_file.h"
#include "proxy/commands/import_source.h"
#include "proxy/commands/user_import.h"
#include "tests/unit/proxy/commands/input.h"

namespace gatepost::commands {
namespace {

using enum ImportFormat;

const std::string kSha =
    "$6$rounds=1000$saltsalt$"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const std::string kBcrypt = "$2y$05$BFbDFn8Aur77xi5pi4kKb.m3AwewgTXFvR27O2IvFUUEbLgzmIG16";

std::string shortened(const std::string& message) {
    std::string text = message.substr(0, 20);
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

/// "name=record", "name~password" or "name" for each user; then "line: what" for each problem and note.
std::string read(ImportFormat format, const std::string& text, const std::string& realm = "") {
    const ImportSource source = read_import(format, text, realm);
    std::string said;
    for (const ImportedUser& user : source.users) {
        said += user.name;
        if (!user.record.empty()) said.append("=").append(user.record.reveal());
        if (!user.password.empty()) said.append("~").append(user.password.reveal());
        said += user.is_disabled ? " disabled\n" : "\n";
    }
    for (const auto* const remarks : {&source.problems, &source.notes}) {
        for (const ImportRemark& remark : *remarks)
            said += std::to_string(remark.line) + ": " + shortened(remark.message) + "\n";
    }
    return said;
}

TEST(ImportSourceTest, DovecotsPasswdFile) {
    EXPECT_EQ(read(kDovecot, "# users\nann:{SHA512-CRYPT}" + kSha +
                                 ":1000:1000:Ann:/home/ann:/bin/sh:\r\n\n" + "bob:" + kBcrypt +
                                 "\ncid:{PLAIN} a:::::\ndan:{cleartext}b\\c\nold:g8PYa.eYSSteg::"),
              "ann=" + kSha + "\nbob=" + kBcrypt + "\ncid~ a\ndan~b\\c\nold={CRYPT}g8PYa.eYSSteg\n");
    EXPECT_EQ(read(kDovecot, "a:!\nb:*:1:1\nc:!" + kSha + "\nd:*LK*\n"),
              "a disabled\nb disabled\nc=" + kSha + " disabled\nd disabled\n");
    EXPECT_EQ(read(kDovecot,
                   "a:{PLAIN}x::::::allow_nets=10.0.0.0/8 userdb_quota=1\nb:{PLAIN}y::::::allow_nets=::1"),
              "a~x\nb~y\n1: allow_nets is ignore\n1: userdb_quota is igno\n");
}

TEST(ImportSourceTest, WhatDovecotHasAndCannotBeTaken) {
    EXPECT_EQ(read(kDovecot,
                   "a::1:1\nb:{SSHA}xyz\nno colon\nd:{PLAIN}::::::nopassword\n "
                   "e:{PLAIN}x\nf:{PLAIN}x\nf:{PLAIN}y\ng:$apr1$x$y\nh:x:0:0\n"),
              "f~x\n1: there is no password\n2: scheme {SSHA} is not\n3: expected name:hash,\n4: nopassword: "
              "every pa\n5: a name has 1 to 255\n7: user f is on line 6\n8: $apr1$ is Apache's o\n9: the "
              "record begins wi\n");
}

TEST(ImportSourceTest, Htpasswd) {
    EXPECT_EQ(read(kHtpasswd, "ann:" + kBcrypt +
                                  "\nb:$apr1$hlF5Mwzu$hgPyFG.wXuxKCQMQkKoLQ/"
                                  "\nc:{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=\nd:g8PYa.eYSSteg\ne:clear\n"),
              "ann=" + kBcrypt +
                  "\nd={CRYPT}g8PYa.eYSSteg\n2: $apr1$ is Apache's o\n3: {SHA} is a hash with\n5: this is no "
                  "hash that\n");
}

TEST(ImportSourceTest, ADumpOfSasldb) {
    const std::string printed =
        "VERSION=3\nformat=print\ntype=hash\nHEADER=END\n alice\\00example.org\\00userPassword\n "
        "pa:ss\\\\w\\c3\\b6rd x\n bob\\00host\\00userPassword\n two\n bob\\00host\\00cmusaslsecretOTP\n x\n "
        "carol\\00\\00userPassword\n three\nDATA=END\n";
    EXPECT_EQ(read(kSasldb, printed),
              "alice@example.org~pa:ss\\wörd x\nbob@host~two\ncarol~three\n0: 1 entries of other m\n");
    EXPECT_EQ(read(kSasldb, printed, "host"),
              "alice@example.org~pa:ss\\wörd x\nbob~two\ncarol~three\n0: 1 entries of other m\n");
    EXPECT_EQ(read(kSasldb,
                   "VERSION=3\nformat=bytevalue\nHEADER=END\n 626f6200686f7374007573657250617373776f7264\n "
                   "74776f\nDATA=END\n"),
              "bob@host~two\n");
    EXPECT_EQ(read(kSasldb, printed.substr(0, printed.size() - 10)).substr(0, 5), "alice");
    EXPECT_NE(read(kSasldb, printed.substr(0, printed.size() - 10)).find("12: this is no whole"),
              std::string::npos);
    EXPECT_NE(
        read(kSasldb, "format=print\nHEADER=END\n a\\0zb\n x\nDATA=END\n").find("3: this is not as db_"),
        std::string::npos);
    EXPECT_EQ(read(kSasldb, ""), "0: this is no whole dum\n");
}

class ImportTest : public ::testing::Test {
  protected:
    ImportTest() {
        std::string name = (std::filesystem::temp_directory_path() / "gatepost-import-XXXXXX").string();
        folder_ = mkdtemp(name.data());
        path_ = folder_ + "/users";
    }
    ~ImportTest() override {
        std::filesystem::remove_all(folder_);
        EXPECT_EQ((out_.str() + err_.str()).find("hunter2"), std::string::npos);
    }
    int import(const std::string& text, ImportSettings settings = {}) {
        if (settings.format.empty()) settings.format = "dovecot";
        backends::FileUsers users(path_);
        out_.str("");
        return user_import(users, settings, "-", Input(text).fd(), out_, err_);
    }
    [[nodiscard]] std::string content() const {
        std::ostringstream text;
        text << std::ifstream(path_).rdbuf();
        return text.str();
    }

    std::string folder_;
    std::string path_;
    std::ostringstream out_;
    std::ostringstream err_;
};

TEST_F(ImportTest, PlainPasswordsBecomeRecordsOfTheScheme) {
    EXPECT_EQ(import("ann:{PLAIN}hunter2\nbob:" + kBcrypt + "\n"), 0);
    EXPECT_EQ(out_.str(), "imported 2, replaced 0, skipped 0\n");
    EXPECT_TRUE(content().starts_with("ann:{SCRAM-SHA-256}")) << content();
    backends::FileUsers users(path_);
    const auto ann = users.find("ann");
    EXPECT_TRUE(auth::Record::parse((*ann)->record.reveal())->matches("hunter2"));
    EXPECT_EQ(import("cid:{PLAIN}hunter2", {.scheme = "plain"}), 0);
    EXPECT_TRUE(content().ends_with("cid:{PLAIN}hunter2\n"));
}

TEST_F(ImportTest, WhoIsThereStaysUnlessReplacedAndKeepsTheAttributes) {
    std::ofstream(path_) << "ann:{PLAIN}old:senders=s\n";
    EXPECT_EQ(import("bob:{PLAIN}hunter2\nann:{PLAIN}hunter2\n", {.scheme = "PLAIN"}), 1);
    EXPECT_NE(err_.str().find("standard input:2: user ann is there already"), std::string::npos);
    EXPECT_EQ(content(), "ann:{PLAIN}old:senders=s\n");
    EXPECT_EQ(import("bob:{PLAIN}hunter2\nann:{PLAIN}hunter2\n", {.scheme = "PLAIN", .skips_bad = true}), 0);
    EXPECT_EQ(out_.str(), "imported 1, replaced 0, skipped 1\n");
    EXPECT_EQ(import("new:!\nann:{PLAIN}hunter2\n", {.scheme = "PLAIN", .replaces = true}), 0);
    EXPECT_EQ(out_.str(), "imported 1, replaced 1, skipped 0\n");
    EXPECT_TRUE(
        content().starts_with("ann:{PLAIN}hunter2:senders=s\nbob:{PLAIN}hunter2\nnew:{SCRAM-SHA-256}"));
    EXPECT_TRUE(content().ends_with(":disabled=yes\n")) << "locked: known, and nobody can log in";
}

TEST_F(ImportTest, AllProblemsAtOnceAndNothingWritten) {
    EXPECT_EQ(import("ann:{PLAIN}hunter2\nbroken hunter2\nbob:\n"), 1);
    EXPECT_NE(err_.str().find(":2: "), std::string::npos);
    EXPECT_NE(err_.str().find(":3: "), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_EQ(import("", {.format = "nis"}), 2);
    EXPECT_EQ(import("", {.scheme = "rot13"}), 2);
    EXPECT_EQ(import(""), 0);
    EXPECT_EQ(out_.str(), "imported 0, replaced 0, skipped 0\n");
    path_ = folder_ + "/no/such/folder";
    EXPECT_EQ(import("ann:{PLAIN}hunter2\n"), 3);
}

TEST_F(ImportTest, ThousandsOfUsersAreOneWrite) {
    std::string text;
    for (int i = 0; i < 800; ++i) text += "user" + std::to_string(i) + ":" + kBcrypt + "\n";
    EXPECT_EQ(import(text, {.format = "htpasswd"}), 0);
    EXPECT_EQ(out_.str(), "imported 800, replaced 0, skipped 0\n");
    EXPECT_EQ(content(), text);
    EXPECT_EQ(import(text, {.format = "htpasswd", .replaces = true}), 0);
    EXPECT_EQ(out_.str(), "imported 0, replaced 800, skipped 0\n");
    EXPECT_EQ(content(), text);
}

}  // namespace
}  // namespace gatepost::commands
