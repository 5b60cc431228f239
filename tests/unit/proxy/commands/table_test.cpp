#include "proxy/commands/table.h"

#include <sstream>

#include <gtest/gtest.h>

namespace gatepost::commands {
namespace {

TEST(Table, Columns_LineUp_NumbersToTheRight) {
    std::ostringstream out;
    print({.columns = {"KEY", "USED", "STATE"}, .rows = {{"ü", "5", "-"}, {"longer", "12345", "defer"}}},
          out);
    EXPECT_EQ(out.str(),
              "KEY      USED  STATE\n"
              "ü           5  -\n"
              "longer  12345  defer\n");
}

/// By the square of them it would take minutes.
TEST(Table, OfManyRows_IsPrintedRowByRow) {
    const Table many{.columns = {"A", "B"}, .rows = std::vector(20'000, std::vector<std::string>{"x", "y"})};
    std::ostringstream out;
    print(many, out);
    EXPECT_EQ(out.str().size(), 20'001 * std::string_view("x  y\n").size());
}

TEST(Table, SplitTabs_KeepsEmptyParts) {
    EXPECT_EQ(split_tabs("a\t\tb"), (std::vector<std::string>{"a", "", "b"}));
    EXPECT_EQ(split_tabs(""), (std::vector<std::string>{""}));
}

TEST(Json, Values_AreNumbersTruthsNothingOrText) {
    EXPECT_EQ(json_value("12"), "12");
    EXPECT_EQ(json_string("12"), "\"12\"");
    EXPECT_EQ(json_value("-"), "null");
    EXPECT_EQ(json_value("true"), "true");
    EXPECT_EQ(json_value("a\"b\\c\x01"), "\"a\\\"b\\\\c\\u0001\"");
    EXPECT_EQ(json_object({{"a", "1"}, {"b", "x"}}), "{\"a\": 1, \"b\": \"x\"}");
}

}  // namespace
}  // namespace gatepost::commands
