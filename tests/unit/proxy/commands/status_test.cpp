// What `gatepost status` shows: the headline first, whose fault it is, and nothing that a terminal obeys.
#include "proxy/commands/status.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/commands/operate.h"

namespace gatepost::commands {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

server::StatusReport broken() {
    server::Status status;
    status.version = "1.2.3";
    status.pid = 42;
    status.up = std::chrono::hours(3);
    status.unready_because = {"no server of upstream mta is healthy"};
    status.upstreams.push_back(
        {.name = "mta", .servers = {{.name = "one:25", .is_up = false}}, .waiting = 0});
    status.messages.tempfail = 12;
    return server::report_of(std::move(status), WallTime());
}

std::string printed(const server::StatusReport& report, bool has_colours = false) {
    std::ostringstream out;
    print_status(report, has_colours, out);
    return out.str();
}

TEST(PrintStatus, SaysFirstWhetherMailFlows_AndThenWhoseFaultItIs) {
    const std::string text = printed(broken());
    EXPECT_THAT(text, StartsWith("mail does not flow    Gatepost 1.2.3, process 42, up 3 h\n"
                                 "  BROKEN   upstream  mta: no server is up: one:25\n"));
    EXPECT_THAT(text, HasSubstr("0 accepted, 12 refused for now"));
    EXPECT_THAT(text, HasSubstr("mta       one:25  DOWN "));
    EXPECT_THAT(text, Not(HasSubstr("CERTIFICATE")));
}

TEST(PrintStatus, HasColoursWhereAsked_AndNoneElse) {
    EXPECT_THAT(printed(broken(), true), StartsWith("\x1b[1;31mmail does not flow\x1b[0m"));
    EXPECT_THAT(printed(broken()), Not(HasSubstr("\x1b")));
}

TEST(PrintStatus, OfHostileNames_HasNothingThatATerminalObeys) {
    server::StatusReport report = broken();
    report.status.upstreams[0].servers[0].name = "\x1b]0;x\a\n";
    report.findings[0].what = report.findings[0].whose = "\x1b[2J";
    report.status.version = report.status.configuration.file = report.status.configuration.hash = "\x1b[2J";
    EXPECT_THAT(printed(report), Not(HasSubstr("\x1b")));
}

TEST(Whom, IsWordsOfWhatWasGiven) {
    EXPECT_THAT((Whom{.user = "a b", .listener = "x"}.words()), ElementsAre("user=a b", "listener=x"));
    EXPECT_TRUE(Whom{}.words().empty());
}

TEST(Kick, OfNobodyOrOfAllAndSome_IsWrongUsage) {
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(kick({}, {}, out, err), kWrongUsage);
    EXPECT_EQ(kick({}, {.user = "a", .is_all = true}, out, err), kWrongUsage);
}

TEST(AskRunning, OverHttp_IsWrongUsage) {
    std::ostringstream err;
    EXPECT_EQ(ask_running({.config = {}, .admin = "127.0.0.1:1"}, {"who"}, err).error(), kWrongUsage);
    EXPECT_THAT(err.str(), HasSubstr("gatepost who: --admin 127.0.0.1:1 is no socket"));
}

}  // namespace
}  // namespace gatepost::commands
