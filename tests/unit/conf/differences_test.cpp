#include "conf/differences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures.h"

namespace gatepost::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kBasis[] = R"(
listeners: [{name: a, address: "127.0.0.1:2525", tls: starttls}]
tls: {certificates: [{certificate: /etc/gatepost/tls/tls.crt, key: /etc/gatepost/tls/tls.key}]}
backends:
  local: {type: file, path: /etc/gatepost/users}
  shared: {type: redis, url: "redis://127.0.0.1/0", password_file: /etc/gatepost/redis-password}
auth: {backends: [local, shared]}
upstreams: [{name: default, servers: ["127.0.0.1:25"]}]
)";

class DifferencesTest : public ::testing::Test {
  protected:
    [[nodiscard]] std::shared_ptr<const Config> config(const std::string& extra = "") const {
        const Loaded loaded = etc_.load(kBasis + extra);
        EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().front().text());
        return *loaded;
    }

    EtcGatepost etc_;
};

TEST_F(DifferencesTest, ADefaultWrittenOutIsTheSame) {
    EXPECT_TRUE(same_settings(*config(), *config("session: {max_errors: 10}\n"), "session"));
    EXPECT_FALSE(same_settings(*config(), *config("session: {max_errors: 9}\n"), "session"));
    EXPECT_TRUE(same_settings(*config(), *config("session: {max_errors: 9}\n"), "auth"));
}

TEST_F(DifferencesTest, OnlyWhatCannotChangeIsNoted) {
    const auto notes =
        needs_restart(*config(), *config("workers: 7\nsession: {max_errors: 9}\nrun_as: \"\"\n"));
    ASSERT_THAT(notes, SizeIs(1));
    EXPECT_THAT(notes[0].text(), HasSubstr("workers: changed, but stays"));
    EXPECT_EQ(notes[0].line, 9U);
    EXPECT_THAT(needs_restart(*config(), *config()), IsEmpty());
}

TEST_F(DifferencesTest, FilesReadOnceAreNamed) {
    EXPECT_THAT(files_of(*config()),
                ElementsAre(etc_.here("/etc/gatepost/tls/tls.crt"), etc_.here("/etc/gatepost/tls/tls.key")));
}

}  // namespace
}  // namespace gatepost::conf
