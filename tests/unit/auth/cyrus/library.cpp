#include "tests/unit/auth/cyrus/library.h"

#include "tests/unit/auth/cyrus/sasl_client.h"

namespace gatepost::auth {
namespace {

const ::testing::Environment* const g_environment = ::testing::AddGlobalTestEnvironment(new Library);

}  // namespace

void Library::SetUp() {
    Result<std::unique_ptr<SaslLibrary>> started = SaslLibrary::start(
        {.log =
             [this](std::string_view line) {
                 const std::lock_guard lock(mutex_);
                 log_ += std::string(line) + "\n";
             },
         .mechanisms = {"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS",
                        "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-512-PLUS", "CRAM-MD5", "DIGEST-MD5",
                        "NTLM", "EXTERNAL"}});
    ASSERT_TRUE(started.has_value()) << started.error().message;
    library = std::move(*started);
    ASSERT_TRUE(SaslClient::init());
}

void Library::TearDown() {
    SaslClient::done();
    library.reset();
    for (const std::string_view secret : {"hunter2", "pencil"})
        EXPECT_EQ(log_.find(secret), std::string::npos) << log_;
}

}  // namespace gatepost::auth
