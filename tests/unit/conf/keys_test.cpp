// The table of keys agrees with itself, and what is generated from it is what is checked in.
#include "conf/keys.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/canonical.h"
#include "conf/reference.h"
#include "conf/units.h"
#include "tests/unit/conf/fixtures.h"

namespace gatepost::conf {
namespace {

bool is_container(Type type) {
    return type == Type::Section || type == Type::List || type == Type::Named || type == Type::TextMap ||
           type == Type::RateMap;
}

TEST(KeyTable, EveryDefaultIsAValueOfItsOwnKeyAndBuilt) {
    for (const Key& key : kKeys) {
        if (key.is_required || key.is_optional || is_container(key.type)) continue;
        const auto elements =
            is_value_list(key.type) ? split_list(key.initial) : std::vector{std::string(key.initial)};
        for (const auto& element : elements) {
            const auto text = canonical(key, element);
            ASSERT_TRUE(text) << key.path << ": " << text.error().message;
            EXPECT_TRUE(is_value_list(key.type) || is_built(key, *text)) << key.path;
        }
    }
}

TEST(KeyTable, EveryKeyIsThereOnceAndBelowAKeyThatIs) {
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (const Key& key : kKeys) {
        EXPECT_TRUE(seen.emplace(key.path, key.variant).second) << key.path;
        EXPECT_FALSE(key.sentence.empty()) << key.path;
        const auto cut = key.path.find_last_of('.');
        if (cut == std::string_view::npos) continue;
        std::string_view parent = key.path.substr(0, cut);
        if (parent.ends_with("[]") || parent.ends_with(".*")) parent.remove_suffix(2);
        EXPECT_NE(find_key(parent), nullptr) << key.path;
    }
}

TEST(KeyTable, EveryWordThatIsNotBuiltIsAWord) {
    for (const Key& key : kKeys) {
        EXPECT_EQ(key.type == Type::Word || key.type == Type::Words, !key.words_list.empty()) << key.path;
        if (key.unbuilt.empty() || key.unbuilt == "*") continue;
        std::string_view rest = key.unbuilt;
        while (!rest.empty()) {
            const auto bar = rest.find('|');
            EXPECT_TRUE(is_one_of(key.words_list, rest.substr(0, bar))) << key.path << " " << rest;
            rest = bar == std::string_view::npos ? "" : rest.substr(bar + 1);
        }
    }
}

TEST(KeyTable, ConcretePathsAreFound) {
    ASSERT_NE(find_key_of("listeners[12].tls_options.ciphers"), nullptr);
    EXPECT_EQ(find_key_of("listeners[12].tls_options.ciphers")->path, "listeners[].tls_options.ciphers");
    EXPECT_EQ(find_key_of("backends.x.url", "redis")->path, "backends.*.url");
    EXPECT_EQ(find_key_of("backends.x.url", "file"), nullptr);
    EXPECT_EQ(find_key_of("nothing"), nullptr);
}

TEST(Generated, ReferenceFileIsWhatTheTableSays) {
    std::ostringstream out;
    write_reference(out);
    EXPECT_EQ(out.str(), contents(GATEPOST_CONF_FIXTURES "/../../conf/gatepost.yaml"))
        << "run tests/tools/docs_drift";
}

TEST(Generated, DocumentationIsWhatTheTableSays) {
    std::ostringstream out;
    write_documentation(out);
    EXPECT_EQ(out.str(), contents(GATEPOST_CONF_FIXTURES "/../../docs/configuration.md"))
        << "run tests/tools/docs_drift";
}

// A pipe in a cell would be another column.
TEST(Generated, EveryRowOfTheDocumentationHasFourCells) {
    std::ostringstream out;
    write_documentation(out);
    std::istringstream lines(out.str());
    std::size_t rows = 0;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("| `")) continue;
        ++rows;
        std::size_t pipes = 0;
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (line[i] == '|' && (i == 0 || line[i - 1] != '\\')) ++pipes;
        }
        EXPECT_EQ(pipes, 5U) << line;
    }
    EXPECT_GT(rows, 100U);
}

}  // namespace
}  // namespace gatepost::conf
