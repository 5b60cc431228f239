// Prints what every verb is answered in every phase and compares it with command_table.golden.txt, which
// people review. To accept a change: GATEPOST_WRITE_GOLDEN=1 build/debug/tests/unit/proxy/smtp/smtp_test
// --gtest_filter='CommandTable*'
#include "proxy/smtp/command_table.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/smtp/client_leg.h"

namespace gatepost::smtp {
namespace {

constexpr std::array<std::string_view, kPhaseCount> kPhases{"connected", "greeted", "mail", "rcpt", "chunks"};
constexpr std::size_t kColumn = 34;

std::string sentence(const StaticReply& reply) {
    std::string text = std::to_string(reply.code) + ' ';
    if (!reply.enhanced.empty()) text += std::string(reply.enhanced) + ' ';
    return text + std::string(reply.text);
}

std::string cell(Refusal refusal) {
    return refusal == nullptr ? "ok" : std::to_string(refusal->code) + ' ' + std::string(refusal->text);
}

/// One column of a row, as wide as the others.
std::string padded(std::string text, std::size_t width) {
    if (text.size() > width - 2) text = text.substr(0, width - 5) + "...";
    text.resize(width, ' ');
    return text;
}

class Table {
  public:
    void part(std::string_view title, ClientLeg::Standing standing, std::string_view argument) {
        out_ << title << "\n\n" << padded("", 10);
        for (const std::string_view phase : kPhases) out_ << padded(std::string(phase), kColumn);
        out_ << '\n';
        for (int i = 0; i < kVerbCount; ++i) row(static_cast<Verb>(i), standing, argument);
        out_ << '\n';
    }

    [[nodiscard]] std::string text() {
        out_ << "Replies in full\n\n";
        for (const std::string& reply : replies_) out_ << "  " << reply << '\n';
        return tidy(out_.str());
    }

  private:
    void row(Verb verb, ClientLeg::Standing standing, std::string_view argument) {
        out_ << padded(std::string(to_string(verb)), 10);
        for (int i = 0; i < kPhaseCount; ++i) {
            ClientLeg leg;
            leg.enter(static_cast<Phase>(i));
            const Refusal refusal = leg.refusal({verb, argument, false}, standing);
            out_ << padded(cell(refusal), kColumn);
            if (refusal == nullptr) continue;
            const std::string reply = sentence(*refusal);
            if (std::find(replies_.begin(), replies_.end(), reply) == replies_.end())
                replies_.push_back(reply);
        }
        out_ << '\n';
    }

    /// Without blanks at the ends of lines.
    static std::string tidy(const std::string& text) {
        std::istringstream lines(text);
        std::string result;
        for (std::string line; std::getline(lines, line);) {
            result += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
        }
        return result;
    }

    std::ostringstream out_;
    std::vector<std::string> replies_;
};

std::string table() {
    Table table;
    table.part("Nothing is missing", {}, "");
    table.part("Nothing is missing; every command has an argument", {}, "argument");
    table.part("The listener requires AUTH and there was none", {.tls_missing = false, .auth_missing = true},
               "");
    table.part("The listener requires TLS and there is none", {.tls_missing = true, .auth_missing = false},
               "");
    table.part("Both are missing", {.tls_missing = true, .auth_missing = true}, "");
    return table.text();
}

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The lines that differ, "-" expected, "+" printed now.
std::string difference(const std::string& expected, const std::string& now) {
    std::istringstream left(expected);
    std::istringstream right(now);
    std::string shown;
    for (;;) {
        std::string a;
        std::string b;
        const bool more_a = static_cast<bool>(std::getline(left, a));
        const bool more_b = static_cast<bool>(std::getline(right, b));
        if (!more_a && !more_b) return shown;
        if (a != b) shown += (more_a ? "- " + a + '\n' : "") + (more_b ? "+ " + b + '\n' : "");
    }
}

TEST(CommandTable, IsTheReviewedOne) {
    const std::string path = GATEPOST_COMMAND_TABLE_GOLDEN;
    const std::string now = table();
    if (std::getenv("GATEPOST_WRITE_GOLDEN") != nullptr) std::ofstream(path) << now;
    const std::string expected = read_file(path);
    EXPECT_TRUE(now == expected)
        << difference(expected, now) << "If the change is meant, run\n  GATEPOST_WRITE_GOLDEN=1 "
        << "smtp_test --gtest_filter='CommandTable*'\nand have the new table reviewed.";
}

TEST(CommandTable, HasItsRowsInTheOrderOfTheVerbs) {
    for (std::size_t i = 0; i < kCommandTable.size(); ++i) {
        EXPECT_EQ(kCommandTable[i].verb, static_cast<Verb>(i));
    }
}

TEST(CommandTable, BeforeTlsOnlyFiveVerbsAreHeard) {
    for (const CommandRow& row : kCommandTable) {
        const bool listed = row.verb == Verb::kEhlo || row.verb == Verb::kHelo ||
                            row.verb == Verb::kStartTls || row.verb == Verb::kNoop || row.verb == Verb::kQuit;
        EXPECT_EQ(row.before_tls, listed) << to_string(row.verb);
    }
}

}  // namespace
}  // namespace gatepost::smtp
