// Every transcript against the conversation itself, each block in one piece, and again with each of its
// expectations broken: one that cannot fail is a defect. One GoogleTest case a transcript.
#include <gtest/gtest.h>

#include "tests/runners/own_reply.h"
#include "tests/runners/replay.h"

namespace {

using namespace gatepost::test;

/// Makes an expectation wrong; false where the step is none.
bool spoil(Step& step) {
    switch (step.kind) {
        case Step::Kind::kClientSends:
        case Step::Kind::kUpstreamSays: return false;
        case Step::Kind::kClientHears:
        case Step::Kind::kUpstreamHears:
        case Step::Kind::kFact: step.pattern = Pattern("what nobody says"); return true;
        case Step::Kind::kReply:
        case Step::Kind::kClientReads:
        case Step::Kind::kUpstreamReads: step.octets = "what nobody says"; return true;
        case Step::Kind::kEvent: break;
    }
    for (const char* word :
         {"closed ", "step ", "timer ", "limits asked ", "limits charged ", "limits forgotten "}) {
        if (!step.octets.starts_with(word)) continue;
        step.octets = std::string(word) + "something else";
        return true;
    }
    if (step.octets == "upstream dropped") return step.octets = "upstream released", true;
    if (step.octets == "upstream released") return step.octets = "upstream dropped", true;
    return false;
}

class Memory : public testing::Test {
  public:
    explicit Memory(std::filesystem::path file) : file_(std::move(file)) {}
    void TestBody() override {
        const Transcript transcript = read_transcript(file_);
        for (const std::string& difference : replay(transcript, whole()).differences)
            ADD_FAILURE() << difference;
        for (std::size_t i = 0; i < transcript.steps.size() && !HasFailure(); ++i) {
            Transcript broken = transcript;
            if (!spoil(broken.steps[i])) continue;
            EXPECT_FALSE(replay(broken, whole()).differences.empty())
                << transcript.steps[i].where << ": cannot fail";
        }
    }

  private:
    std::filesystem::path file_;
};

TEST(OwnReply, NamesItsSession_AndNobodyElsesDoes) {
    OwnReplies replies("s1");
    replies.upstream_says("550-no\r\n550 never\r\n");
    EXPECT_EQ(replies.words_of("451 4.4.1 away [s1]"), "451 4.4.1 away");
    EXPECT_FALSE(replies.words_of("451 4.4.1 away"));
    EXPECT_FALSE(replies.words_of("451 4.4.1 away [s2]"));
    EXPECT_FALSE(replies.words_of("250 2.0.0 OK [s1]"));
    EXPECT_EQ(replies.words_of("550-no"), "550-no");
    EXPECT_EQ(replies.words_of("550 never"), "550 never");
    EXPECT_FALSE(replies.words_of("550 never [s1]"));
}

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    for (const std::filesystem::path& file : transcripts_in(GATEPOST_TRANSCRIPTS)) {
        testing::RegisterTest("Memory", file.stem().c_str(), nullptr, nullptr, file.c_str(), 1,
                              [file] { return new Memory(file); });
    }
    return RUN_ALL_TESTS();
}
