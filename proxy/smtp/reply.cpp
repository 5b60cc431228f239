#include "proxy/smtp/reply.h"

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

}  // namespace

Reply to_reply(const StaticReply& reply) {
    std::string text(reply.enhanced);
    if (!text.empty()) text += ' ';
    text += reply.text;
    return {reply.code, std::move(text)};
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
