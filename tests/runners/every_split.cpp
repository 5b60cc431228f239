// Every transcript again, once for each octet before which a block can be cut in two, and once octet by
// octet: how octets arrive must not matter. One GoogleTest case a transcript.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/runners/replay.h"

namespace {

using namespace gatepost::test;

/// More cuts than this are spread evenly: a transcript of 100,000 octets is not replayed 100,000 times.
constexpr std::size_t kMaxCuts = 1500;

Delivery cut_before(std::size_t octet) {
    return [octet](std::size_t begin, std::size_t size) {
        if (octet <= begin || octet >= begin + size) return std::vector<std::size_t>{size};
        return std::vector<std::size_t>{octet - begin, begin + size - octet};
    };
}

Delivery octet_by_octet() {
    return [](std::size_t, std::size_t size) { return std::vector<std::size_t>(size, 1); };
}

class EverySplit : public testing::Test {
  public:
    explicit EverySplit(std::filesystem::path file) : file_(std::move(file)) {}

    void TestBody() override {
        const Transcript transcript = read_transcript(file_);
        const Replayed first = replay(transcript, whole());
        expect(first, "whole");
        if (transcript.only_whole || HasFailure()) return;
        std::size_t octets = 0;
        for (const std::size_t size : first.blocks) octets += size;
        const std::size_t step = std::max<std::size_t>(1, octets / kMaxCuts);
        for (std::size_t cut = 1; cut < octets && !HasFailure(); cut += step) {
            expect(replay(transcript, cut_before(cut)), "cut before octet " + std::to_string(cut));
        }
        if (!HasFailure()) expect(replay(transcript, octet_by_octet()), "octet by octet");
    }

  private:
    static void expect(const Replayed& replayed, const std::string& how) {
        for (const std::string& difference : replayed.differences) ADD_FAILURE() << how << ": " << difference;
    }

    std::filesystem::path file_;
};

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    for (const std::filesystem::path& file : transcripts_in(GATEPOST_TRANSCRIPTS)) {
        testing::RegisterTest("EverySplit", file.stem().c_str(), nullptr, nullptr, file.c_str(), 1,
                              [file] { return new EverySplit(file); });
    }
    return RUN_ALL_TESTS();
}
