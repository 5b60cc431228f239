// The smuggling matrix: every string over {CR, LF, '.', 'x'} at every split, and large bodies whose
// interesting octets stand around the borders of the blocks that the scanner looks at, all held against
// body_model.h.
#include "proxy/smtp/body_scanner.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/base/printable.h"
#include "tests/unit/proxy/smtp/body_drive.h"
#include "tests/unit/proxy/smtp/body_model.h"

namespace gatepost::smtp {
namespace {

using test::BodyStory;
using test::chunk_story;
using test::data_story;
using test::drive_chunk;
using test::drive_chunks;
using test::drive_data;

constexpr ByteView kAlphabet = "\r\n.x";

/// The `number`th string of `size` octets over the alphabet.
std::string spelled(std::uint32_t number, std::size_t size) {
    std::string text(size, ' ');
    for (char& c : text) {
        c = kAlphabet[number % 4];
        number /= 4;
    }
    return text;
}

std::uint32_t count_of(std::size_t size) {
    return 1U << (2 * size);
}

std::vector<std::size_t> octet_by_octet(std::size_t size) {
    std::vector<std::size_t> ends;
    for (std::size_t end = 1; end <= size; ++end) ends.push_back(end);
    return ends;
}

/// Where pieces end when bit i of `cuts` says that there is a cut behind octet i.
std::vector<std::size_t> cut_at(std::uint32_t cuts, std::size_t size) {
    std::vector<std::size_t> ends;
    for (std::size_t i = 0; i + 1 < size; ++i) {
        if ((cuts >> i & 1U) != 0) ends.push_back(i + 1);
    }
    ends.push_back(size);
    return ends;
}

template <typename Drive>
void expect_at_single_splits(const std::string& text, const BodyStory& truth, Drive drive,
                             std::span<const std::size_t> single) {
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
        const std::array<std::size_t, 2> ends{cut, text.size()};
        const BodyStory story = drive(text, ends);
        ASSERT_EQ(story, truth) << printable(text) << " cut at " << cut;
    }
    ASSERT_EQ(drive(text, single), truth) << printable(text) << " octet by octet";
}

TEST(SmugglingMatrix, EveryStringAtEverySingleSplit) {
    for (std::size_t size = 0; size <= 9; ++size) {
        const std::vector<std::size_t> single = octet_by_octet(size);
        for (std::uint32_t number = 0; number < count_of(size); ++number) {
            const std::string text = spelled(number, size);
            ASSERT_NO_FATAL_FAILURE(expect_at_single_splits(text, data_story(text), drive_data, single));
        }
    }
}

TEST(SmugglingMatrix, EveryStringAtEveryWayToCutIt) {
    for (std::size_t size = 1; size <= 7; ++size) {
        for (std::uint32_t cuts = 0; cuts < 1U << (size - 1); ++cuts) {
            const std::vector<std::size_t> ends = cut_at(cuts, size);
            for (std::uint32_t number = 0; number < count_of(size); ++number) {
                const std::string text = spelled(number, size);
                ASSERT_EQ(drive_data(text, ends), data_story(text)) << printable(text) << " cuts " << cuts;
            }
        }
    }
}

TEST(SmugglingMatrix, EveryStringBehindALine) {
    for (std::uint32_t number = 0; number < count_of(7); ++number) {
        const std::string text = "x\r\n" + spelled(number, 7);
        ASSERT_EQ(drive_data(text, octet_by_octet(text.size())), data_story(text)) << printable(text);
    }
}

TEST(SmugglingMatrix, EveryChunkAtEverySingleSplit) {
    for (std::size_t size = 0; size <= 8; ++size) {
        const std::vector<std::size_t> single = octet_by_octet(size);
        for (std::uint32_t number = 0; number < count_of(size); ++number) {
            const std::string text = spelled(number, size);
            ASSERT_NO_FATAL_FAILURE(expect_at_single_splits(text, chunk_story(text), drive_chunk, single));
        }
    }
}

TEST(SmugglingMatrix, ChunksMayEndInsideALineEnd) {
    for (std::size_t size = 2; size <= 7; ++size) {
        for (std::uint32_t number = 0; number < count_of(size); ++number) {
            const std::string text = spelled(number, size);
            BodyStory truth = chunk_story(text);
            for (std::size_t cut = 1; cut < size; ++cut) {
                const std::array<std::size_t, 2> ends{cut, size};
                BodyStory story = drive_chunks(text, ends);
                // A CR that ends a chunk goes on, since its LF may begin the next one.
                if (story.passed == cut && truth.passed == cut - 1 && text[cut - 1] == '\r') {
                    story.passed = story.taken = truth.passed;
                }
                ASSERT_EQ(story, truth) << printable(text) << " in chunks cut at " << cut;
            }
        }
    }
}

/// The model itself, on cases that people can judge.
TEST(BodyModel, SaysWhatTheRfcSays) {
    using End = BodyStory::End;
    EXPECT_EQ(data_story(".\r\nQUIT"), (BodyStory{End::kEndMark, 3, 3}));
    EXPECT_EQ(data_story("x\r\n.\r\nQUIT"), (BodyStory{End::kEndMark, 6, 6}));
    EXPECT_EQ(data_story("x\r\n..\r\n"), (BodyStory{End::kOpen, 7, 7}));
    EXPECT_EQ(data_story("x\n.\nMAIL"), (BodyStory{End::kRefusedOpen, 1, 8}));
    EXPECT_EQ(data_story("x\n.\r\nMAIL\r\n.\r\nQ"), (BodyStory{End::kRefusedEndMark, 1, 14}));
    EXPECT_EQ(data_story("x\r\n.\rMAIL"), (BodyStory{End::kRefusedOpen, 4, 9}));
    EXPECT_EQ(data_story("x\r"), (BodyStory{End::kOpen, 1, 1}));
}

TEST(BodyScanner, PassesEveryOtherOctet) {
    std::string text;
    for (int octet = 0; octet < 256; ++octet) {
        if (octet != '\r' && octet != '\n') text += static_cast<char>(octet);
    }
    text += std::string(3000, '\0') + "\r\n.\r\n";
    EXPECT_EQ(drive_data(text, octet_by_octet(text.size())),
              (BodyStory{BodyStory::End::kEndMark, text.size(), text.size()}));
}

TEST(BodyScanner, D5_EndMarkInItsOwnWrite) {
    const std::string text = std::string(508, 't') + "\r\n.\r\n";
    const std::array<std::size_t, 2> ends{508, text.size()};
    EXPECT_EQ(drive_data(text, ends), (BodyStory{BodyStory::End::kEndMark, text.size(), text.size()}));
}

/// Everything that means something, put at every distance from the borders of the first blocks.
constexpr ByteView kNasty[] = {"\r",    "\n",         "\r\n",       "\n\r",     "\r\r\n",
                               "\n.\n", "\r\n.\r\n",  "\r\n.\n",    "\n.\r\n",  "\r\n.\r",
                               "\r.\r", "\r\n..\r\n", "\r\n.x\r\n", "\r\n\r\n", "\r\n.\r\r\n.\r\n",
                               ".",     "\r\n\n",     "\r\r",       "\n\n",     "\r\n.\r\n.\r\n"};

template <typename Drive, typename Model>
void around_block_borders(Drive drive, Model model) {
    for (const ByteView head : {"", "x", ".x", "\r\n", "head\r\n", "\r\n."}) {
        for (const ByteView nasty : kNasty) {
            for (std::size_t border : {256U, 512U, 768U}) {
                for (std::size_t at = border - 6; at <= border + 8; ++at) {
                    std::string text(head);
                    text += std::string(at, 'x') + std::string(nasty) + std::string(600, 'y') +
                            "\r\n.\r\nQUIT\r\n";
                    const BodyStory truth = model(text);
                    const std::array<std::size_t, 1> whole{text.size()};
                    ASSERT_EQ(drive(text, whole), truth)
                        << printable(nasty) << " at " << at << " behind " << printable(head);
                    for (std::size_t cut = border - 3; cut <= border + 12; ++cut) {
                        const std::array<std::size_t, 2> ends{cut, text.size()};
                        ASSERT_EQ(drive(text, ends), truth)
                            << printable(nasty) << " at " << at << " cut at " << cut;
                    }
                }
            }
        }
    }
}

TEST(BodyScanner, SeesEverythingAroundTheBordersOfBlocks) {
    around_block_borders(drive_data, data_story);
}

TEST(ChunkScanner, SeesEverythingAroundTheBordersOfBlocks) {
    around_block_borders(drive_chunk, chunk_story);
}

/// A body of lines; `one_in` lines has an accident.
std::string random_body(std::mt19937& random, std::size_t size, std::size_t one_in) {
    std::string text;
    while (text.size() < size) {
        text.append(random() % 300, "ab\0."[random() % 4]);
        text += random() % one_in == 0 ? kNasty[random() % std::size(kNasty)] : kCrlf;
        if (random() % 5 == 0) text += "..";
    }
    return text;
}

template <typename Drive, typename Model>
void random_bodies_in_random_pieces(Drive drive, Model model) {
    std::mt19937 random(20261121);
    for (int round = 0; round < 3000; ++round) {
        const std::string text = random_body(random, random() % 20'000, 1 + random() % 200);
        std::vector<std::size_t> ends;
        const std::size_t most = 1U << (random() % 15);
        for (std::size_t end = 0; end < text.size();) {
            end = std::min(text.size(), end + 1 + random() % most);
            ends.push_back(end);
        }
        ASSERT_EQ(drive(text, ends), model(text)) << "round " << round;
    }
}

TEST(BodyScanner, AgreesWithTheModelOnLargeRandomBodies) {
    random_bodies_in_random_pieces(drive_data, data_story);
}

TEST(ChunkScanner, AgreesWithTheModelOnLargeRandomBodies) {
    random_bodies_in_random_pieces(drive_chunk, chunk_story);
}

TEST(BodyScanner, RefusedFromTheStartEndsAtTheMarkAlone) {
    for (const ByteView text : {".\r\n", "x\r\n.\r\n", "\n.\n\r\n.\r\n", "x\r\r\n.\r\n"}) {
        for (std::size_t cut = 0; cut < text.size(); ++cut) {
            BodyScanner scanner;
            const BodyScanner::Result first = scanner.scan_refused(text.substr(0, cut));
            EXPECT_EQ(first.safe, cut);
            EXPECT_EQ(first.verdict, BodyScanner::Verdict::kGoOn);
            const BodyScanner::Result second = scanner.scan_refused(text.substr(cut));
            EXPECT_EQ(second.safe, text.size() - cut);
            EXPECT_EQ(second.verdict, BodyScanner::Verdict::kEnd) << printable(text) << " cut at " << cut;
        }
    }
}

}  // namespace
}  // namespace gatepost::smtp
