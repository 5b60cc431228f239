#include "proxy/smtp/reply.h"

#include <algorithm>
#include <utility>

#include "proxy/base/printable.h"

namespace gatepost::smtp {
namespace {

void append_code(std::string& out, int code) {
    out += static_cast<char>('0' + code / 100 % 10);
    out += static_cast<char>('0' + code / 10 % 10);
    out += static_cast<char>('0' + code % 10);
}

void append_text(std::string& out, std::string_view text) {
    if (!has_controls(text)) {
        out += text;
        return;
    }
    for (const char c : text) out += has_controls({&c, 1}) && c != '\t' ? '?' : c;
}

/// In the last line of the reply that begins there.
void name_session(std::string& out, std::size_t begin, std::string_view session_id) {
    if (session_id.empty()) return;
    out.resize(out.size() - kCrlf.size());
    const std::size_t before_line = out.rfind(kCrlf);
    if (before_line != std::string::npos) begin = std::max(begin, before_line + kCrlf.size());
    const std::size_t added = session_id.size() + std::string_view(" []").size() + kCrlf.size();
    out.resize(std::min(out.size(), begin + kLongestReplyLine - added));
    out.append(" [").append(session_id).append("]").append(kCrlf);
}

}  // namespace

Reply to_reply(const StaticReply& reply) {
    std::string text(reply.enhanced);
    if (!text.empty()) text += ' ';
    text += reply.text;
    return {.code = reply.code, .text = std::move(text), .is_own = true};
}

void append_lines(std::string& out, int code, std::string_view lines) {
    for (;;) {
        const std::size_t end = lines.find('\n');
        append_code(out, code);
        out += end == std::string_view::npos ? ' ' : '-';
        append_text(out, lines.substr(0, end));
        out += kCrlf;
        if (end == std::string_view::npos) return;
        lines.remove_prefix(end + 1);
    }
}

void append(std::string& out, const StaticReply& reply, std::string_view session_id) {
    const std::size_t begin = out.size();
    append(out, reply);
    if (reply.code >= 400) name_session(out, begin, session_id);
}

void append(std::string& out, const Reply& reply, std::string_view session_id) {
    const std::size_t begin = out.size();
    append(out, reply);
    if (reply.is_own && reply.code >= 400) name_session(out, begin, session_id);
}

void append(std::string& out, const StaticReply& reply) {
    append_code(out, reply.code);
    out += ' ';
    if (!reply.enhanced.empty()) {
        out += reply.enhanced;
        out += ' ';
    }
    append_text(out, reply.text);
    out += kCrlf;
}

void append(std::string& out, const Reply& reply) {
    append_lines(out, reply.code, reply.text);
}

}  // namespace gatepost::smtp
