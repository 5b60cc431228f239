#include "proxy/smtp/body_scanner.h"

#include <cstdint>

// Twice the speed on processors with AVX2: GCC makes two copies, and the one that fits is chosen when the
// program loads.
#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(__clang__)
#define GATEPOST_FOR_EACH_CPU __attribute__((target_clones("avx2", "default")))
#else
#define GATEPOST_FOR_EACH_CPU
#endif

namespace gatepost::smtp {
namespace {

/// Octets looked at together. Small, because a block with anything of interest in it is walked octet by
/// octet.
constexpr std::size_t kBlock = 256;

struct BlockFacts {
    bool bare = false;  ///< a CR without LF or an LF without CR
    bool dot_after_newline = false;
};

/// Looks at the pairs (p[i], p[i + 1]) for i in 0..kBlock-1. Octet-wide and without branches, so that it
/// becomes vector code.
GATEPOST_FOR_EACH_CPU BlockFacts look(const char* p) {
    std::uint8_t bare = 0;
    std::uint8_t dot = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
        const std::uint8_t after_cr = p[i] == '\r';
        const std::uint8_t is_lf = p[i + 1] == '\n';
        const std::uint8_t after_lf = p[i] == '\n';
        const std::uint8_t is_dot = p[i + 1] == '.';
        bare |= static_cast<std::uint8_t>(after_cr ^ is_lf);
        dot |= static_cast<std::uint8_t>(after_lf & is_dot);
    }
    return {bare != 0, dot != 0};
}

/// How many octets at the front of `bytes`, in whole blocks, hold nothing to decide about. The octet before
/// the result is never a CR. Requires that the octet in front of `bytes` was no CR; `bytes` must not begin
/// with an LF or a dot that counts.
std::size_t plain_prefix(ByteView bytes, bool dots_matter) {
    std::size_t done = 0;
    while (bytes.size() - done > kBlock) {
        // One octet of overlap, so that the pair across the border is seen too.
        const BlockFacts facts = look(bytes.data() + done);
        if (facts.bare || (dots_matter && facts.dot_after_newline)) break;
        done += kBlock;
    }
    if (done > 0 && bytes[done - 1] == '\r') --done;
    return done;
}

}  // namespace

BodyScanner::Result BodyScanner::scan(ByteView bytes) {
    std::size_t i = 0;
    std::size_t stuffed = 0;
    std::size_t next_look = 0;
    while (i < bytes.size()) {
        // Blocks are looked at from inside a line only, where neither a dot nor an LF at the front can mean
        // anything.
        if (i >= next_look && at_ == At::kText && bytes[i] != '\n') {
            const std::size_t plain = plain_prefix(bytes.substr(i), true);
            next_look = i + plain + kBlock;
            if (plain > 0) {
                i += plain;
                at_ = bytes[i - 1] == '\n' ? At::kLineStart : At::kText;
                continue;
            }
        }
        const char c = bytes[i];
        if (c == '\n') return {i, Verdict::kBareNewline, stuffed};
        if (c == '\r') {
            if (i + 1 == bytes.size()) return {i, Verdict::kGoOn, stuffed};
            if (bytes[i + 1] != '\n') return {i, Verdict::kBareNewline, stuffed};
            i += 2;
            if (at_ == At::kDot) return {i, Verdict::kEnd, stuffed};
            at_ = At::kLineStart;
            continue;
        }
        if (at_ == At::kDot) ++stuffed;
        at_ = at_ == At::kLineStart && c == '.' ? At::kDot : At::kText;
        ++i;
    }
    return {i, Verdict::kGoOn, stuffed};
}

BodyScanner::Result BodyScanner::scan_refused(ByteView bytes) {
    constexpr ByteView kEndMark = "\r\n.\r\n";
    if (refused_matched_ < 0) refused_matched_ = at_ == At::kLineStart ? 2 : at_ == At::kDot ? 3 : 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char c = bytes[i];
        if (c == kEndMark[static_cast<std::size_t>(refused_matched_)]) {
            ++refused_matched_;
        } else {
            refused_matched_ = c == '\r' ? 1 : 0;
        }
        if (refused_matched_ == static_cast<int>(kEndMark.size())) {
            return {i + 1, Verdict::kEnd};
        }
    }
    return {bytes.size(), Verdict::kGoOn};
}

BodyScanner::Result ChunkScanner::scan(ByteView bytes, bool chunk_ends) {
    using Verdict = BodyScanner::Verdict;
    std::size_t i = 0;
    if (after_cr_ && !bytes.empty()) {
        if (bytes.front() != '\n') return {0, Verdict::kBareNewline};
        after_cr_ = false;
        i = 1;
    }
    std::size_t next_look = 0;
    while (i < bytes.size()) {
        if (i >= next_look && bytes[i] != '\n') {
            const std::size_t plain = plain_prefix(bytes.substr(i), false);
            next_look = i + plain + kBlock;
            if (plain > 0) {
                i += plain;
                continue;
            }
        }
        const char c = bytes[i];
        if (c == '\n') return {i, Verdict::kBareNewline};
        if (c == '\r') {
            if (i + 1 == bytes.size()) {
                after_cr_ = chunk_ends;
                return {chunk_ends ? i + 1 : i, Verdict::kGoOn};
            }
            if (bytes[i + 1] != '\n') return {i, Verdict::kBareNewline};
            ++i;
        }
        ++i;
    }
    return {i, Verdict::kGoOn};
}

}  // namespace gatepost::smtp
