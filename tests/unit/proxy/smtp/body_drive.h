// Feeds message data to the scanners of proxy/smtp piece by piece, as a connection would: what was not safe
// is shown again in front of the next piece.
#pragma once

#include <cstddef>
#include <span>

#include "proxy/smtp/body_scanner.h"
#include "tests/unit/proxy/smtp/body_model.h"

namespace gatepost::test {

/// `ends` says where each piece ends, in order; the last is the size of `octets`.
inline BodyStory drive_data(ByteView octets, std::span<const std::size_t> ends) {
    using Verdict = smtp::BodyScanner::Verdict;
    smtp::BodyScanner scanner;
    BodyStory story;
    bool refused = false;
    for (const std::size_t end : ends) {
        if (!refused) {
            const auto result = scanner.scan(octets.substr(story.taken, end - story.taken));
            story.passed += result.safe;
            story.taken += result.safe;
            if (result.verdict == Verdict::kEnd) {
                story.end = BodyStory::End::kEndMark;
                return story;
            }
            if (result.verdict == Verdict::kGoOn) continue;
            refused = true;
            story.end = BodyStory::End::kRefusedOpen;
        }
        const auto result = scanner.scan_refused(octets.substr(story.taken, end - story.taken));
        story.taken += result.safe;
        if (result.verdict == Verdict::kEnd) {
            story.end = BodyStory::End::kRefusedEndMark;
            return story;
        }
    }
    return story;
}

/// All pieces belong to one chunk that goes on.
inline BodyStory drive_chunk(ByteView octets, std::span<const std::size_t> ends) {
    smtp::ChunkScanner scanner;
    BodyStory story;
    for (const std::size_t end : ends) {
        const auto result = scanner.scan(octets.substr(story.taken, end - story.taken), false);
        story.passed += result.safe;
        story.taken += result.safe;
        if (result.verdict == smtp::BodyScanner::Verdict::kGoOn) continue;
        story.end = BodyStory::End::kRefusedOpen;
        return story;
    }
    return story;
}

/// Each piece is a chunk of its own; the last one is left open.
inline BodyStory drive_chunks(ByteView octets, std::span<const std::size_t> ends) {
    smtp::ChunkScanner scanner;
    BodyStory story;
    for (const std::size_t end : ends) {
        const bool ends_here = end != octets.size();
        const auto result = scanner.scan(octets.substr(story.taken, end - story.taken), ends_here);
        story.passed += result.safe;
        story.taken += result.safe;
        if (result.verdict == smtp::BodyScanner::Verdict::kGoOn) continue;
        story.end = BodyStory::End::kRefusedOpen;
        return story;
    }
    return story;
}

}  // namespace gatepost::test
