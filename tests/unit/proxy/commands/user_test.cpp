#include "proxy/commands/user.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "auth/check/record.h"
#include "backends/file/file_users.h"
#include "backends/file/users_file.h"
#include "proxy/commands/hash.h"
#include "tests/unit/proxy/commands/input.h"

namespace gatepost::commands {
namespace {

class UserCommandTest : public ::testing::Test {
  protected:
    UserCommandTest() {
        std::string name = (std::filesystem::temp_directory_path() / "gatepost-commands-XXXXXX").string();
        folder_ = mkdtemp(name.data());
        path_ = folder_ + "/users";
    }
    ~UserCommandTest() override {
        std::filesystem::remove_all(folder_);
        EXPECT_EQ(out_.str().find("hunter2"), std::string::npos) << out_.str();
        EXPECT_EQ(err_.str().find("hunter2"), std::string::npos) << err_.str();
        EXPECT_EQ(out_.str().find("$6$"), std::string::npos) << "a record is a secret too";
    }

    int set(const std::string& name, std::string_view password, const std::string& scheme = "plain") {
        return user_set(*users(), name, {.scheme = scheme, .attributes = {}, .keeps_password = false},
                        Input(password).fd(), out_, err_);
    }
    int change(const std::string& name, std::map<std::string, std::optional<std::string>> attributes,
               std::string_view input = "", bool keeps_password = false) {
        return user_set(*users(), name,
                        {.scheme = "", .attributes = std::move(attributes), .keeps_password = keeps_password},
                        Input(input).fd(), out_, err_);
    }
    [[nodiscard]] std::unique_ptr<backends::FileUsers> users() const {
        return std::make_unique<backends::FileUsers>(path_);
    }
    [[nodiscard]] std::string content() const {
        std::ostringstream text;
        text << std::ifstream(path_).rdbuf();
        return text.str();
    }
    int verify(const std::string& name, std::string_view password) {
        return user_verify(*users(), name, Input(password).fd(), out_, err_);
    }

    std::string folder_;
    std::string path_;
    std::ostringstream out_;
    std::ostringstream err_;
};

TEST_F(UserCommandTest, SetVerifyShowListDelete) {
    EXPECT_EQ(set("ann@example.org", "hunter2\n", ""), 0);
    EXPECT_EQ(set("b:ob", " hunter2 \r\n", "sha512-crypt"), 0);
    EXPECT_EQ(verify("ann@example.org", "hunter2"), 0);
    EXPECT_EQ(verify("ann@example.org", "hunter3\n"), 1);
    EXPECT_EQ(verify("b:ob", " hunter2 \n"), 0) << "blanks belong to the password";
    EXPECT_EQ(verify("b:ob", "hunter2\n"), 1);
    EXPECT_EQ(verify("nobody", "hunter2\n"), 1);
    EXPECT_EQ(set("ann@example.org", "hunter2!\n"), 0);
    EXPECT_EQ(verify("ann@example.org", "hunter2!\n"), 0);
    out_.str("");
    EXPECT_EQ(user_list(*users(), out_, err_), 0);
    EXPECT_EQ(out_.str(), "ann@example.org\t{PLAIN}\nb:ob\tsha512-crypt 50000 rounds\n");
    EXPECT_EQ(user_show(*users(), "b:ob", out_, err_), 0);
    EXPECT_EQ(user_show(*users(), "nobody", out_, err_), 1);
    EXPECT_EQ(user_delete(*users(), "b:ob", out_, err_), 0);
    EXPECT_EQ(user_delete(*users(), "b:ob", out_, err_), 1);
    EXPECT_EQ(verify("b:ob", " hunter2 \n"), 1);
}

TEST_F(UserCommandTest, WhatIsWrongHasItsExitStatus) {
    EXPECT_EQ(set("ann", "hunter2", "rot13"), 2);
    EXPECT_EQ(set("#ann", "hunter2"), 2);
    EXPECT_EQ(set(" ann", "hunter2"), 2);
    EXPECT_EQ(set("ann", ""), 1) << "an empty password";
    EXPECT_EQ(set("ann", "\n"), 1);
    EXPECT_EQ(set("ann", "hun\nter2\n"), 1) << "a second line is not cut off";
    EXPECT_EQ(set("ann", std::string(9000, 'x')), 1);
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_EQ(user_list(*users(), out_, err_), 3);
    EXPECT_EQ(user_delete(*users(), "ann", out_, err_), 3);
    EXPECT_EQ(verify("ann", "hunter2"), 3);
    path_ = folder_ + "/no/such/folder";
    EXPECT_EQ(set("ann", "hunter2"), 3);
}

TEST_F(UserCommandTest, AFileWithErrorsIsNamedByLine) {
    std::ofstream(path_) << "ann:{PLAIN}hunter2:disabled=yes\nbroken hunter2\nx:$apr1$hunter2\n";
    EXPECT_EQ(user_list(*users(), out_, err_), 1);
    EXPECT_NE(err_.str().find(path_ + ":2: "), std::string::npos);
    EXPECT_NE(err_.str().find(path_ + ":3: "), std::string::npos);
    std::ofstream(path_) << "ann:{PLAIN}hunter2:disabled=yes:senders=a@b\n";
    EXPECT_EQ(verify("ann", "hunter2"), 1) << "a disabled user cannot log in";
    EXPECT_EQ(user_show(*users(), "ann", out_, err_), 0);
    EXPECT_NE(out_.str().find("disabled: yes"), std::string::npos);
    EXPECT_NE(out_.str().find("senders: a@b"), std::string::npos);
}

TEST_F(UserCommandTest, AttributesAreSetAndTakenOut) {
    EXPECT_EQ(change("ann", {{"limit_class", "bulk"}}), 1) << "a new user needs a password";
    EXPECT_EQ(change("ann", {{"limit_class", "bulk"}}, "", true), 1) << "there is nobody to keep it of";
    EXPECT_EQ(change("ann", {{"limit_class", "bulk"}, {"senders", "*@x.org,b@y.org"}}, "hunter2\n"), 0);
    const std::string record = content().substr(0, content().find(":limit_class"));
    EXPECT_EQ(content(), record + ":limit_class=bulk:senders=*@x.org,b@y.org\n");
    EXPECT_EQ(change("ann", {{"disabled", "yes"}}), 0) << "empty input: the password stays";
    EXPECT_EQ(change("ann", {{"senders", {}}}, "hunter2!", true), 0) << "input is not read";
    EXPECT_EQ(content(), record + ":disabled=yes:limit_class=bulk\n");
    EXPECT_EQ(verify("ann", "hunter2"), 1);
    EXPECT_EQ(change("ann", {{"disabled", {}}}), 0);
    EXPECT_EQ(verify("ann", "hunter2"), 0);
    EXPECT_EQ(change("ann", {{"upstream", "other"}}, "hunter2new"), 0) << "a password that is given is set";
    EXPECT_EQ(verify("ann", "hunter2new"), 0);
    EXPECT_EQ(set("ann", ""), 1) << "without attributes a password is wanted";
    EXPECT_EQ(change("ann", {{"limit_class", "a b"}}), 2);
    EXPECT_EQ(change("ann", {{"senders", "a,,b"}}), 2);
    EXPECT_EQ(attribute_name("limit-class"), "limit_class");
    EXPECT_EQ(attribute_name("scram-sha-256"), std::nullopt);
}

TEST_F(UserCommandTest, AUserIsDisabledThoughAnotherLineIsBroken) {
    std::ofstream(path_) << "ann:{PLAIN}hunter2\nbroken\n";
    EXPECT_EQ(change("ann", {{"disabled", "yes"}}), 0);
    EXPECT_EQ(content(), "ann:{PLAIN}hunter2:disabled=yes\nbroken\n");
}

TEST(HashCommand, PrintsTheRecordAsItStandsInAUsersFile) {
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(hash("PLAIN", Input(" a:b\\c \n").fd(), out, err), 0);
    EXPECT_EQ(out.str(), "{PLAIN} a\\:b\\\\c \n");
    for (const std::string scheme :
         {"", "SCRAM-SHA-1", "scram-sha-512", "argon2id", "{BLF-CRYPT}", "yescrypt", "SHA512-CRYPT"}) {
        out.str("");
        ASSERT_EQ(hash(scheme, Input("pencil\n").fd(), out, err), 0) << scheme;
        std::string line = out.str();
        line.pop_back();
        backends::UserLine user;
        ASSERT_EQ(backends::parse_user_line("u:" + line, user), std::nullopt) << line;
        const Result<auth::Record> record = auth::Record::parse(user.record.reveal());
        ASSERT_TRUE(record.has_value()) << line;
        EXPECT_TRUE(record->matches("pencil"));
        if (scheme.empty()) {
            EXPECT_TRUE(line.starts_with("{SCRAM-SHA-256}")) << "the default";
        }
    }
    EXPECT_EQ(err.str(), "");
    EXPECT_EQ(hash("nonsense", Input("pencil\n").fd(), out, err), 2);
    EXPECT_EQ(hash("", Input("\n").fd(), out, err), 1);
}

}  // namespace
}  // namespace gatepost::commands
