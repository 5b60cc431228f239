#include "proxy/commands/user.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "auth/check/record.h"
#include "backends/file/users_file.h"
#include "proxy/commands/hash.h"

namespace gatepost::commands {
namespace {

/// The reading end of a pipe that holds `text`, as if piped into the command.
class Input {
  public:
    explicit Input(std::string_view text) {
        int ends[2]{};
        if (pipe(ends) != 0) abort();
        if (write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size())) abort();
        close(ends[1]);
        fd_ = ends[0];
    }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;
    ~Input() { close(fd_); }
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

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
        return user_set(path_, name, scheme, Input(password).fd(), out_, err_);
    }
    int verify(const std::string& name, std::string_view password) {
        return user_verify(path_, name, Input(password).fd(), out_, err_);
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
    EXPECT_EQ(user_list(path_, out_, err_), 0);
    EXPECT_EQ(out_.str(), "ann@example.org\t{PLAIN}\nb:ob\tsha512-crypt 50000 rounds\n");
    EXPECT_EQ(user_show(path_, "b:ob", out_, err_), 0);
    EXPECT_EQ(user_show(path_, "nobody", out_, err_), 1);
    EXPECT_EQ(user_delete(path_, "b:ob", out_, err_), 0);
    EXPECT_EQ(user_delete(path_, "b:ob", out_, err_), 1);
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
    EXPECT_EQ(user_list(path_, out_, err_), 3);
    EXPECT_EQ(user_delete(path_, "ann", out_, err_), 3);
    EXPECT_EQ(verify("ann", "hunter2"), 3);
    path_ = folder_ + "/no/such/folder";
    EXPECT_EQ(set("ann", "hunter2"), 3);
}

TEST_F(UserCommandTest, AFileWithErrorsIsNamedByLine) {
    std::ofstream(path_) << "ann:{PLAIN}hunter2:disabled=yes\nbroken hunter2\nx:$apr1$hunter2\n";
    EXPECT_EQ(user_list(path_, out_, err_), 1);
    EXPECT_NE(err_.str().find(path_ + ":2: "), std::string::npos);
    EXPECT_NE(err_.str().find(path_ + ":3: "), std::string::npos);
    std::ofstream(path_) << "ann:{PLAIN}hunter2:disabled=yes:senders=a@b\n";
    EXPECT_EQ(verify("ann", "hunter2"), 1) << "a disabled user cannot log in";
    EXPECT_EQ(user_show(path_, "ann", out_, err_), 0);
    EXPECT_NE(out_.str().find("disabled: yes"), std::string::npos);
    EXPECT_NE(out_.str().find("senders: a@b"), std::string::npos);
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
