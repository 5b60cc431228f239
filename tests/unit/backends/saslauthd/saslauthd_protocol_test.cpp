#include "backends/saslauthd/saslauthd_protocol.h"

#include <string>

#include <gtest/gtest.h>

namespace gatepost::backends {
namespace {

using namespace std::string_literals;
using Kind = SaslauthdReply::Kind;

std::string counted(const std::string& text) {
    return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xff)} + text;
}

TEST(SaslauthdProtocol, RequestIsFourCountedStrings) {
    EXPECT_EQ(saslauthd_request("alice", "pass word", "smtp", "").reveal(),
              "\0\5alice\0\11pass word\0\4smtp\0\0"s);
    EXPECT_EQ(saslauthd_request("a", std::string(256, 'x'), "s", "r").reveal(),
              "\0\1a\1\0"s + std::string(256, 'x') + "\0\1s\0\1r"s);
}

TEST(SaslauthdProtocol, ReplyIsReadAtEverySplit) {
    for (const auto& [text, kind] :
         {std::pair{"OK"s, Kind::kAccepted},
          {"OK remote authentication successful", Kind::kAccepted},
          {"NO", Kind::kRefused},
          {"NO PAM auth error", Kind::kRefused},
          {"NO Incorrect password", Kind::kRefused},
          {"NO saslauthd internal error", Kind::kTrouble},
          {"NO internal mechanism failure", Kind::kTrouble},
          {"NO PAM start error", Kind::kTrouble},
          {"NO [ALERT] Couldn't contact remote authentication server", Kind::kTrouble},
          {"ok", Kind::kNonsense},
          {"220 mail.example ESMTP", Kind::kNonsense}}) {
        const std::string octets = counted(text);
        for (std::size_t size = 0; size < octets.size(); ++size) {
            EXPECT_EQ(read_saslauthd_reply(ByteView(octets).substr(0, size)).kind, Kind::kIncomplete) << text;
        }
        EXPECT_EQ(read_saslauthd_reply(octets).kind, kind) << text;
        EXPECT_EQ(read_saslauthd_reply(octets + "more").kind, kind) << text;
        EXPECT_EQ(read_saslauthd_reply(octets).text, text);
    }
}

TEST(SaslauthdProtocol, ACountThatCannotBeIsNotWaitedFor) {
    for (const std::string& octets : {"\0\0"s, "\0\1"s, "\4\1"s, "OK"s, "\377\377"s}) {
        EXPECT_EQ(read_saslauthd_reply(octets).kind, Kind::kNonsense);
    }
    EXPECT_EQ(read_saslauthd_reply("\4\0"s).kind, Kind::kIncomplete);
}

}  // namespace
}  // namespace gatepost::backends
