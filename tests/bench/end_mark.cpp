#include "tests/bench/end_mark.h"

#include <algorithm>
#include <cstring>

namespace gatepost::bench {
namespace {

constexpr std::string_view kEndMark = "\r\n.\r\n";

}  // namespace

void EndMark::start() {
    tail_ = "\r\n";
}

std::size_t EndMark::find(std::string_view bytes) {
    const std::size_t head = std::min<std::size_t>(bytes.size(), 4);
    const std::string seam = tail_ + std::string(bytes.substr(0, head));
    if (const std::size_t at = seam.find(kEndMark); at != std::string::npos)
        return at + kEndMark.size() - tail_.size();
    // A memchr for the dot beats a search for the whole mark: most data has few dots.
    for (const char* from = bytes.data();
         const void* dot = std::memchr(from, '.', static_cast<std::size_t>(bytes.end() - from));) {
        const auto at = static_cast<std::size_t>(static_cast<const char*>(dot) - bytes.data());
        if (at >= 2 && bytes.substr(at - 2, kEndMark.size()) == kEndMark) return at + 3;
        from = bytes.data() + at + 1;
    }
    if (bytes.size() >= 4)
        tail_ = bytes.substr(bytes.size() - 4);
    else
        tail_ = seam.size() > 4 ? seam.substr(seam.size() - 4) : seam;
    return std::string_view::npos;
}

std::string unstuffed(std::string_view raw) {
    std::string result;
    result.reserve(raw.size());
    std::size_t from = raw.starts_with('.') ? 1 : 0;
    for (std::size_t at = raw.find("\r\n."); at != std::string::npos; at = raw.find("\r\n.", at + 3)) {
        result.append(raw, from, at + 2 - from);
        from = at + 3;
    }
    return result.append(raw, from);
}

}  // namespace gatepost::bench
