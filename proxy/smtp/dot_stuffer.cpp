#include "proxy/smtp/dot_stuffer.h"

namespace gatepost::smtp {

DotStuffer::Result DotStuffer::next(ByteView bytes) {
    if (bytes.empty()) return {};
    if (at_line_start_ && bytes.front() == '.' && !stuffed_) {
        stuffed_ = true;
        return {0, true};
    }
    stuffed_ = false;
    const std::size_t newline = bytes.find("\n.");
    const std::size_t pass = newline == ByteView::npos ? bytes.size() : newline + 1;
    at_line_start_ = bytes[pass - 1] == '\n';
    return {pass, false};
}

}  // namespace gatepost::smtp
