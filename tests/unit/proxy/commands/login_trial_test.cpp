#include "proxy/commands/login_trial.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/proxy/commands/input.h"

namespace gatepost::commands {
namespace {

class LoginTrialTest : public ::testing::Test {
  protected:
    LoginTrialTest() {
        std::string name = (std::filesystem::temp_directory_path() / "gatepost-login-XXXXXX").string();
        folder_ = mkdtemp(name.data());
        users_ = "ann:{PLAIN}hunter2\noff:{PLAIN}hunter2:disabled=yes\n";
    }
    ~LoginTrialTest() override { std::filesystem::remove_all(folder_); }

    int log_in(const std::string& user, const std::string& mechanism,
               const std::string& password = "hunter2\n", const std::string& address = "") {
        std::ofstream(folder_ + "/users") << users_;
        std::ofstream(folder_ + "/gatepost.yaml")
            << "hostname: gate.example\n"
               "listeners: [{name: s, address: '127.0.0.1:29587', tls: none, require_tls: false,\n"
               "             trusted_networks: [198.51.100.0/24]}]\n"
               "auth: {backends: ["
            << backends_ << "], mechanisms: [" << mechanisms_
            << "], plaintext_without_tls: true, disabled_reply: 525}\n"
               "backends:\n"
               "  local: {type: file, path: "
            << folder_
            << "/users}\n"
               "  pam: {type: sasl, method: saslauthd, options: {saslauthd_path: "
            << folder_
            << "/mux}}\n"
               "upstreams: [{name: default, servers: ['127.0.0.1:25']}]\n";
        out_.str("");
        err_.str("");
        const int status = auth_test(
            {.config = folder_ + "/gatepost.yaml", .user = user, .mechanism = mechanism, .address = address},
            Input(password).fd(), out_, err_);
        EXPECT_EQ((out_.str() + err_.str()).find("hunter2"), std::string::npos) << out_.str();
        return status;
    }
    [[nodiscard]] bool says(const std::string& text) const {
        return out_.str().find(text) != std::string::npos;
    }

    std::string folder_;
    std::string users_;
    std::string backends_ = "local";
    std::string mechanisms_ = "PLAIN, LOGIN, CRAM-MD5, EXTERNAL";
    std::ostringstream out_;
    std::ostringstream err_;
};

TEST_F(LoginTrialTest, EachMechanismByItsOwnSteps) {
    for (const std::string mechanism : {"", "plain", "LOGIN", "CRAM-MD5", "EXTERNAL"}) {
        EXPECT_EQ(log_in("ann", mechanism), 0) << mechanism << "\n" << out_.str() << err_.str();
        EXPECT_TRUE(says("local: found: {PLAIN}")) << out_.str();
        EXPECT_TRUE(says("accepted by backend local as ann: 235 2.7.0")) << out_.str();
    }
    mechanisms_ = "SCRAM-SHA-256-PLUS, SCRAM-SHA-256";
    users_ =
        "ann:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";  // RFC 7677: pencil
    for (const std::string mechanism : {"", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}) {
        EXPECT_EQ(log_in("ann", mechanism, "pencil"), 0) << mechanism << "\n" << out_.str() << err_.str();
        EXPECT_TRUE(says("keys handed to the mechanism")) << out_.str();
        EXPECT_EQ(log_in("ann", mechanism, "hunter2"), 1) << out_.str();
        EXPECT_TRUE(says("(wrong_password): 535 5.7.8")) << out_.str();
    }
}

TEST_F(LoginTrialTest, RefusalsSayWhyAndWhatAClientWouldHear) {
    EXPECT_EQ(log_in("ann", "PLAIN", "wrong"), 1);
    EXPECT_TRUE(says("(wrong_password): 535 5.7.8")) << out_.str();
    EXPECT_EQ(log_in("nobody", "PLAIN"), 1);
    EXPECT_TRUE(says("local: unknown")) << out_.str();
    EXPECT_TRUE(says("(unknown_user): 535 5.7.8")) << out_.str();
    EXPECT_EQ(log_in("off", "PLAIN"), 1);
    EXPECT_TRUE(says("found: {PLAIN}, disabled")) << out_.str();
    EXPECT_TRUE(says("(disabled): 525 5.7.13")) << out_.str();
    EXPECT_EQ(log_in("ann", "SCRAM-SHA-256"), 1);
    EXPECT_TRUE(says("it is not in auth.mechanisms: 504 5.5.4")) << out_.str();
    EXPECT_EQ(log_in("ann", "PLAIN", ""), 1) << "an empty password";
    EXPECT_EQ(log_in(" ann", "PLAIN"), 2);
    EXPECT_EQ(log_in("ann", "PLAIN", "hunter2", "192.0.2"), 2);
}

TEST_F(LoginTrialTest, WhoCannotAnswerIsNoRefusal) {
    backends_ = "local, pam";
    mechanisms_ = "PLAIN, LOGIN";
    EXPECT_EQ(log_in("ann", "PLAIN"), 0) << "the first that knows the user decides";
    EXPECT_FALSE(says("pam"));
    EXPECT_EQ(log_in("bob", "PLAIN"), 3);
    EXPECT_TRUE(says("local: unknown")) << out_.str();
    EXPECT_TRUE(says("pam: cannot answer")) << out_.str();
    EXPECT_TRUE(says("(store_failed): 454 4.7.0")) << out_.str();
    users_ = "broken\n";
    EXPECT_EQ(log_in("ann", "PLAIN"), 3);
    EXPECT_NE(err_.str().find("users:1: "), std::string::npos) << err_.str();
}

TEST_F(LoginTrialTest, TheRulesAgainstGuessingOfAnAddress) {
    EXPECT_EQ(log_in("ann", "PLAIN", "hunter2", "2001:db8::7"), 0);
    EXPECT_TRUE(says("2001:db8::7: this is a new process")) << out_.str();
    EXPECT_TRUE(says("nothing stands against it")) << out_.str();
    EXPECT_FALSE(says("trusts")) << out_.str();
    EXPECT_EQ(log_in("ann", "PLAIN", "hunter2", "198.51.100.9"), 0);
    EXPECT_TRUE(says("listener s trusts this address")) << out_.str();
}

}  // namespace
}  // namespace gatepost::commands
