#include "proxy/smtp/body_scanner.h"

#include <algorithm>

namespace gatepost::smtp {
namespace {

/// Octets looked at together. Small, because a block with anything of interest in it is walked octet by
/// octet.
constexpr std::size_t kBlock = 256;

struct BlockFacts {
    bool bare = false;  ///< a CR without LF or an LF without CR
    bool dot_after_newline = false;
};

/// A loop without branches, which the compiler vectorises. Looks at the pairs (p[i-1], p[i]) for i
/// in 1..size-1.
BlockFacts look(const char* p, std::size_t size) {
    unsigned bare = 0;
    unsigned dot = 0;
    for (std::size_t i = 1; i < size; ++i) {
        const unsigned after_cr = p[i - 1] == '\r' ? 1U : 0U;
        const unsigned is_lf = p[i] == '\n' ? 1U : 0U;
        const unsigned after_lf = p[i - 1] == '\n' ? 1U : 0U;
        const unsigned is_dot = p[i] == '.' ? 1U : 0U;
        bare |= after_cr ^ is_lf;
        dot |= after_lf & is_dot;
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
        const BlockFacts facts = look(bytes.data() + done, kBlock + 1);
        if (facts.bare || (dots_matter && facts.dot_after_newline)) break;
        done += kBlock;
    }
    if (done > 0 && bytes[done - 1] == '\r') --done;
    return done;
}

}  // namespace

BodyScanner::Result BodyScanner::scan(ByteView bytes) {
    std::size_t i = 0;
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
        if (c == '\n') return {i, Verdict::kBareNewline};
        if (c == '\r') {
            if (i + 1 == bytes.size()) return {i, Verdict::kGoOn};
            if (bytes[i + 1] != '\n') return {i, Verdict::kBareNewline};
            i += 2;
            if (at_ == At::kDot) return {i, Verdict::kEnd};
            at_ = At::kLineStart;
            continue;
        }
        at_ = at_ == At::kLineStart && c == '.' ? At::kDot : At::kText;
        ++i;
    }
    return {i, Verdict::kGoOn};
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
