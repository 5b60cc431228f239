#include "proxy/smtp/line_reader.h"

#include <algorithm>
#include <utility>

namespace gatepost::smtp {

LineReader::Result LineReader::next(ByteView bytes, std::size_t limit) {
    if (dropped_ > 0) return drop(bytes);

    const std::size_t lf = bytes.find('\n', scanned_);
    if (lf == ByteView::npos) return need_more(bytes, limit);

    const std::size_t cr = bytes.substr(0, lf).find('\r', scanned_);
    if (lf == 0 || cr != lf - 1) {
        scanned_ = 0;
        return {Status::kBadEnding, {}, lf + 1};
    }
    scanned_ = 0;
    if (lf + 1 > limit) return {Status::kTooLong, {}, lf + 1};
    return {Status::kLine, bytes.substr(0, lf - 1), lf + 1};
}

LineReader::Result LineReader::need_more(ByteView bytes, std::size_t limit) {
    const std::size_t cr = bytes.find('\r', scanned_);
    if (cr != ByteView::npos && cr + 1 < bytes.size()) {
        scanned_ = 0;
        return {Status::kBadEnding, {}, cr + 1};
    }
    if (bytes.size() >= limit) {
        scanned_ = 0;
        dropped_ = bytes.size();
        dropped_cr_ = bytes.ends_with('\r');
        return {Status::kNeedMore, {}, bytes.size()};
    }
    scanned_ = cr == ByteView::npos ? bytes.size() : cr;
    return {};
}

LineReader::Result LineReader::drop(ByteView bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const bool after_cr = std::exchange(dropped_cr_, bytes[i] == '\r');
        if (bytes[i] != '\n' && !after_cr) continue;
        // The end of the line: a good one, an LF without CR, or a CR without LF.
        dropped_ = 0;
        dropped_cr_ = false;
        const bool good = after_cr && bytes[i] == '\n';
        return {good ? Status::kTooLong : Status::kBadEnding, {}, i + 1};
    }
    dropped_ += bytes.size();
    return {Status::kNeedMore, {}, bytes.size()};
}

bool has_whole_line(ByteView bytes, std::size_t limit) {
    return LineReader().next(bytes, limit).status == LineReader::Status::kLine;
}

}  // namespace gatepost::smtp
