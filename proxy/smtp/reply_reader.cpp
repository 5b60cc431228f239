#include "proxy/smtp/reply_reader.h"

namespace gatepost::smtp {
namespace {

bool is_digit(char c, char last) {
    return c >= '0' && c <= last;
}

/// RFC 5321 section 4.2.1: 2-5, 0-5, 0-9; 0 when `line` begins otherwise.
int code_of(ByteView line) {
    if (line.size() < 3) return 0;
    if (line[0] < '2' || line[0] > '5' || !is_digit(line[1], '5') || !is_digit(line[2], '9')) return 0;
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

}  // namespace

ReplyReader::Result ReplyReader::next(ByteView bytes) {
    Result result;
    for (;;) {
        const ByteView rest = bytes.substr(result.consumed);
        const std::size_t lf = rest.find('\n', scanned_);
        if (lf == ByteView::npos) {
            scanned_ = rest.size();
            // The CR of the line end does not count, whether its LF has come or not.
            if (rest.size() > kMaxLine + 1) result.status = Status::kNonsense;
            return result;
        }
        scanned_ = 0;
        result.consumed += lf + 1;
        ByteView line = rest.substr(0, lf);
        if (line.ends_with('\r')) line.remove_suffix(1);
        result.status = take_line(line);
        if (result.status != Status::kNeedMore) return result;
    }
}

ReplyReader::Status ReplyReader::take_line(ByteView line) {
    const bool first = finished_ || reply_.code == 0;
    if (first) {
        reply_.code = 0;
        reply_.text.clear();
        finished_ = false;
    }
    const int code = code_of(line);
    if (code == 0 || line.size() > kMaxLine || (!first && code != reply_.code)) return Status::kNonsense;
    const char separator = line.size() == 3 ? ' ' : line[3];
    if (separator != ' ' && separator != '-') return Status::kNonsense;

    if (!first) reply_.text += '\n';
    reply_.code = code;
    if (line.size() > 4) reply_.text += line.substr(4);
    if (reply_.text.size() > kMaxText) return Status::kNonsense;
    if (separator == '-') return Status::kNeedMore;
    finished_ = true;
    return Status::kReply;
}

}  // namespace gatepost::smtp
