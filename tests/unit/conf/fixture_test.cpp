// Every file of tests/conf: *.good.yaml loads and survives its own dump, *.bad.yaml has exactly the problems
// that its
// `# expect: line:column: message` lines name, in their order.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/conf/fixtures.h"

namespace gatepost::conf {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_named(const std::string& ending) {
    std::vector<fs::path> result;
    for (const auto& entry : fs::directory_iterator(GATEPOST_CONF_FIXTURES)) {
        if (entry.path().string().ends_with(ending)) result.push_back(entry.path());
    }
    std::ranges::sort(result);
    return result;
}

std::string test_name(const testing::TestParamInfo<fs::path>& info) {
    std::string name = info.param.filename().string();
    name.resize(name.find('.'));
    std::ranges::replace(name, '-', '_');
    return name;
}

class GoodFile : public testing::TestWithParam<fs::path> {};
class BadFile : public testing::TestWithParam<fs::path> {};

TEST_P(GoodFile, LoadsAndItsDumpLoadsToTheSame) {
    const EtcGatepost etc;
    const Loaded loaded = etc.load(contents(GetParam()));
    ASSERT_TRUE(loaded) << etc.problems(contents(GetParam()));
    const std::string first = dumped(**loaded);
    // A dump is complete already: loading it must not need the environment.
    const Loaded again = load_text(first, "dump.yaml", [](const std::string&) { return std::nullopt; });
    ASSERT_TRUE(again) << again.error().front().text() << "\n" << first;
    EXPECT_EQ(dumped(**again), first);
}

TEST_P(BadFile, HasExactlyTheProblemsThatItNames) {
    const EtcGatepost etc;
    constexpr std::string_view kExpect = "# expect: ";
    std::istringstream lines(contents(GetParam()));
    std::string text;
    std::string expected;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(kExpect)) {
            expected += line.substr(kExpect.size()) + "\n";
        } else {
            text += line + "\n";
        }
    }
    ASSERT_FALSE(expected.empty()) << "a bad file names its problems";
    EXPECT_EQ(etc.problems(text), expected);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, GoodFile, testing::ValuesIn(files_named(".good.yaml")), test_name);
INSTANTIATE_TEST_SUITE_P(Fixtures, BadFile, testing::ValuesIn(files_named(".bad.yaml")), test_name);

TEST(ReferenceFile, LoadsOnceItsExamplePathsExist) {
    const EtcGatepost etc;
    EXPECT_EQ(etc.problems(contents(fs::path(GATEPOST_CONF_FIXTURES) / "../../conf/gatepost.yaml")), "");
}

// The contract's file and ours say the same, default for default; ours only writes more of them out.
TEST(ReferenceFile, ComesToTheSameAsTheSpecification) {
    const EtcGatepost etc;
    const Loaded ours = etc.load(contents(fs::path(GATEPOST_CONF_FIXTURES) / "../../conf/gatepost.yaml"));
    const Loaded theirs = etc.load(contents(fs::path(GATEPOST_CONF_FIXTURES) / "specification.good.yaml"));
    ASSERT_TRUE(ours);
    ASSERT_TRUE(theirs);
    EXPECT_EQ(dumped(**ours), dumped(**theirs));
}

}  // namespace
}  // namespace gatepost::conf
