// The schema has the keys of the table and no others, and is what is checked in. That it refuses and takes
// what the program does is held by tests/e2e/test_json_schema.py.
#include <algorithm>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "conf/canonical.h"
#include "conf/keys.h"
#include "conf/reference.h"
#include "tests/unit/conf/fixtures.h"

namespace gatepost::conf {
namespace {

using Json = nlohmann::ordered_json;

std::string written() {
    std::ostringstream out;
    write_json_schema(out);
    return out.str();
}

// Every path that the schema names, as they are in the table.
void collect(const Json& schema, const std::string& path, std::set<std::string>& paths) {
    if (schema.contains("properties")) {
        EXPECT_EQ(schema.at("additionalProperties"), false) << path;
        for (const auto& [name, each] : schema.at("properties").items()) {
            const std::string below = path.empty() ? name : path + "." + name;
            EXPECT_TRUE(paths.insert(below).second) << below;
            EXPECT_FALSE(each.at("description").get<std::string>().empty()) << below;
            collect(each, below, paths);
        }
    } else if (schema.contains("items")) {
        collect(schema.at("items"), path + "[]", paths);
    } else if (schema.contains("additionalProperties")) {
        collect(schema.at("additionalProperties"), path + ".*", paths);
    }
}

TEST(JsonSchema, HasExactlyTheKeysOfTheTable) {
    std::set<std::string> paths;
    collect(Json::parse(written()), "", paths);
    std::set<std::string> keys;
    for (const Key& key : kKeys) keys.emplace(key.path);
    EXPECT_EQ(paths, keys);
}

TEST(JsonSchema, ABackendHasTheKeysOfItsType) {
    const Json backend = Json::parse(written()).at("properties").at("backends").at("additionalProperties");
    ASSERT_EQ(backend.at("allOf").size(), 3U);
    for (const Json& rule : backend.at("allOf")) {
        const std::string type = rule.at("if").at("properties").at("type").at("const");
        std::set<std::string> names;
        for (const Key& key : kKeys) {
            const std::string_view leaf = leaf_below(key.path, "backends.*");
            if (!leaf.empty() && (key.variant.empty() || key.variant == type)) names.emplace(leaf);
        }
        EXPECT_EQ(rule.at("then").at("propertyNames").at("enum").get<std::set<std::string>>(), names) << type;
    }
}

// A key of two types of backends stands in the schema once.
TEST(JsonSchema, KeysOfOneNameAreOfOneKind) {
    for (const Key& key : kKeys) {
        const auto* const first = std::ranges::find(kKeys, key.path, &Key::path);
        EXPECT_EQ(first->type, key.type) << key.path;
        EXPECT_EQ(first->words_list, key.words_list) << key.path;
        EXPECT_EQ(first->unbuilt, key.unbuilt) << key.path;
        EXPECT_EQ(first->is_required, key.is_required) << key.path;
    }
}

TEST(JsonSchema, IsWhatIsCheckedIn) {
    EXPECT_EQ(written(), contents(GATEPOST_CONF_FIXTURES "/../../conf/gatepost.schema.json"))
        << "run: cmake --build build/debug --target docs";
}

}  // namespace
}  // namespace gatepost::conf
