// The system gives no more threads: as under TasksMax, or the pids limit of a container.
#include <cstdlib>
#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "auth/check/blocking_store.h"
#include "auth/check/verify_pool.h"

namespace gatepost::auth {
namespace {

struct Nobody final : BlockingLookup {
    Answer find(const std::string& /*user*/) override { return {}; }
};
struct Deaf final : BlockingObserver {
    void answered(const std::string& /*complaint*/) override {}
    void lost(std::size_t /*threads*/, bool /*is_open*/) override {}
};

/// Root may always have more.
void allow_no_threads() {
    constexpr uid_t kSomebody = 65533;
    if (::getuid() == 0 && ::setresuid(kSomebody, kSomebody, kSomebody) != 0) std::_Exit(2);
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) std::_Exit(3);
}

TEST(ThreadLimitsDeathTest, APoolSaysThatItIsNotComplete) {
    EXPECT_TRUE(VerifyPool({.threads = 2}).is_complete());
    EXPECT_EXIT(
        {
            allow_no_threads();
            std::_Exit(VerifyPool({.threads = 2}).is_complete() ? 1 : 0);
        },
        ::testing::ExitedWithCode(0), "");
}

TEST(ThreadLimitsDeathTest, AStoreSaysThatNobodyWatchesItsDeadlines) {
    Deaf observer;
    EXPECT_TRUE(BlockingStore(std::make_shared<Nobody>(), {}, observer).is_watched());
    EXPECT_EXIT(
        {
            allow_no_threads();
            std::_Exit(BlockingStore(std::make_shared<Nobody>(), {}, observer).is_watched() ? 1 : 0);
        },
        ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace gatepost::auth
