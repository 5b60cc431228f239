#include "auth/check/undumped_secret.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace gatepost::auth {
namespace {

// The flags that the kernel shows of the pages around `address`.
std::string flags_of(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    bool is_inside = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        char dash = 0;
        std::istringstream words(line);
        if (words >> std::hex >> from >> dash >> to && dash == '-') is_inside = wanted >= from && wanted < to;
        if (is_inside && line.starts_with("VmFlags:")) return line;
    }
    return "";
}

TEST(UndumpedSecret, IsInNoCoreDump) {
    const Result<UndumpedSecret> secret = UndumpedSecret::make("a key of somebody");
    ASSERT_TRUE(secret.has_value());
    EXPECT_EQ(secret->reveal(), "a key of somebody");
    const std::string flags = flags_of(secret->reveal().data());
    if (flags.empty()) GTEST_SKIP() << "no /proc/self/smaps";
    EXPECT_NE(flags.find(" dd"), std::string::npos) << flags;
    EXPECT_FALSE(UndumpedSecret::make("").has_value());
}

TEST(UndumpedSecret, IsRandomAndMovesByPointer) {
    Result<UndumpedSecret> one = UndumpedSecret::make_random(32);
    const Result<UndumpedSecret> two = UndumpedSecret::make_random(32);
    ASSERT_TRUE(one.has_value() && two.has_value());
    EXPECT_NE(one->reveal(), two->reveal());
    const char* const at = one->reveal().data();
    const UndumpedSecret moved = std::move(*one);
    EXPECT_EQ(moved.reveal().data(), at);
    EXPECT_EQ(moved.reveal().size(), 32U);
}

}  // namespace
}  // namespace gatepost::auth
