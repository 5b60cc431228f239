#include "tests/bench/sink_session.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <strings.h>

namespace gatepost::bench {
namespace {

constexpr std::size_t kMaxLine = 65536;

std::string_view verb_of(std::string_view line) {
    return line.substr(0, line.find(' '));
}

bool is_verb(std::string_view line, std::string_view verb) {
    const std::string_view got = verb_of(line);
    return got.size() == verb.size() && strncasecmp(got.data(), verb.data(), verb.size()) == 0;
}

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return result;
}

/// The number behind "SIZE=" in a MAIL line, or 0.
std::uint64_t declared_size(std::string_view line) {
    const std::string all = upper(line);
    const std::size_t at = all.find(" SIZE=");
    std::uint64_t size = 0;
    if (at != std::string::npos) std::from_chars(all.data() + at + 6, all.data() + all.size(), size);
    return size;
}

}  // namespace

SinkSession::SinkSession(const SinkSettings& settings, MessageTaker* taker, std::uint64_t connection)
    : settings_(settings), taker_(taker) {
    message_.connection = connection;
}

void SinkSession::greet(std::string& out) {
    const bool welcome = say("CONNECT", "", settings_.greeting, out);
    (is_delayed() ? drop_after_delay_ : closing_) |= !welcome && !endless_;
}

void SinkSession::on_bytes(std::string_view bytes, std::string& out) {
    if (!pending_.empty()) {
        pending_.append(bytes);
        std::string all;
        all.swap(pending_);
        pending_ = consume(all, out);
    } else if (const std::string_view rest = consume(bytes, out); !rest.empty()) {
        pending_ = rest;
    }
    if (pending_.size() > kMaxLine && !is_delayed()) {
        out.append("500 5.5.2 Line too long\r\n");
        closing_ = true;
    }
}

void SinkSession::on_tls() {
    tls_ = Tls::kOn;
    pending_.clear();
    ehlo_reply_.clear();
    forget_transaction();
}

void SinkSession::resume(std::string& out) {
    delay_ = std::chrono::milliseconds{0};
    out.append(held_);
    held_.clear();
    closing_ = closing_ || drop_after_delay_;
    std::string all;
    all.swap(pending_);
    pending_ = consume(all, out);
}

/// Consumes what is whole; what it returns is a started line, or what must wait.
std::string_view SinkSession::consume(std::string_view bytes, std::string& out) {
    while (!bytes.empty() && !closing_ && !endless_ && !is_delayed() && !wants_tls()) {
        const std::size_t before = bytes.size();
        switch (mode_) {
            case Mode::kCommands:
            case Mode::kAuthLine: bytes = consume_line(bytes, out); break;
            case Mode::kData: bytes = consume_data(bytes, out); break;
            case Mode::kChunk: bytes = consume_chunk(bytes, out); break;
        }
        if (bytes.size() == before) break;
    }
    return closing_ ? std::string_view{} : bytes;
}

std::string_view SinkSession::consume_line(std::string_view bytes, std::string& out) {
    const void* lf = std::memchr(bytes.data(), '\n', bytes.size());
    if (lf == nullptr) return bytes;
    const auto end = static_cast<std::size_t>(static_cast<const char*>(lf) - bytes.data());
    std::string_view line = bytes.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    on_line(line, out);
    return bytes.substr(end + 1);
}

std::string_view SinkSession::consume_data(std::string_view bytes, std::string& out) {
    const std::size_t end = end_mark_.find(bytes);
    if (!keep(bytes.substr(0, end)) || end == std::string_view::npos) return {};
    mode_ = Mode::kCommands;
    if (message_.body.size() >= 3)
        message_.body = unstuffed(message_.body.substr(0, message_.body.size() - 3));
    finish_message(out);
    return bytes.substr(end);
}

std::string_view SinkSession::consume_chunk(std::string_view bytes, std::string& out) {
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), chunk_left_));
    if (!keep(bytes.substr(0, take))) return {};
    chunk_left_ -= take;
    if (chunk_left_ == 0) on_chunk_end(out);
    return bytes.substr(take);
}

void SinkSession::on_chunk_end(std::string& out) {
    mode_ = Mode::kCommands;
    if (!rcpt_given_) {
        say("BDAT", "", "503 5.5.1 MAIL and RCPT first", out);
        forget_transaction();
    } else if (chunk_is_last_) {
        finish_message(out);
    } else {
        say("BDAT", "", "250 2.0.0 Chunk received", out);
    }
}

/// Keeps or only counts message data; false when the connection is to be dropped here.
bool SinkSession::keep(std::string_view data) {
    if (taker_ != nullptr) message_.body.append(data);
    body_size_ += data.size();
    data_seen_ += data.size();
    if (settings_.drop_in_data == 0 || data_seen_ < settings_.drop_in_data) return true;
    closing_ = reset_ = true;
    return false;
}

void SinkSession::on_line(std::string_view line, std::string& out) {
    if (mode_ == Mode::kAuthLine) return on_auth_line(out);
    if (is_verb(line, "MAIL")) return on_mail(line, out);
    if (is_verb(line, "RCPT")) return on_rcpt(line, out);
    if (is_verb(line, "DATA")) return on_data(line, out);
    if (is_verb(line, "BDAT") && settings_.chunking) return on_bdat(line, out);
    if (is_verb(line, "EHLO") || is_verb(line, "HELO")) return on_ehlo(line, out);
    if (is_verb(line, "AUTH")) return on_auth(line, out);
    on_other(upper(verb_of(line)), line, out);
}

void SinkSession::on_other(std::string_view verb, std::string_view line, std::string& out) {
    if (verb == "RSET") {
        forget_transaction();
        say(verb, line, "250 2.0.0 Reset", out);
    } else if (verb == "NOOP") {
        say(verb, line, "250 2.0.0 Fine", out);
    } else if (verb == "VRFY") {
        say(verb, line, "252 2.1.5 Try it", out);
    } else if (verb == "XCLIENT") {
        forget_transaction();
        say(verb, line, settings_.greeting, out);
    } else if (verb == "STARTTLS" && settings_.starttls && tls_ == Tls::kOff) {
        if (say(verb, line, "220 2.0.0 Begin", out)) tls_ = Tls::kWanted;
    } else if (verb == "QUIT") {
        say(verb, line, "221 2.0.0 Bye", out);
        (is_delayed() ? drop_after_delay_ : closing_) = true;
    } else {
        say(verb, line, "502 5.5.1 Not here", out);
    }
}

std::string SinkSession::ehlo_reply() const {
    std::vector<std::string> lines{settings_.hostname};
    if (settings_.pipelining) lines.emplace_back("PIPELINING");
    lines.push_back(settings_.max_size == 0 ? "SIZE" : "SIZE " + std::to_string(settings_.max_size));
    if (settings_.eight_bit_mime) lines.emplace_back("8BITMIME");
    if (settings_.smtputf8) lines.emplace_back("SMTPUTF8");
    if (settings_.dsn) lines.emplace_back("DSN");
    if (settings_.chunking) lines.emplace_back("CHUNKING");
    if (settings_.starttls && tls_ == Tls::kOff) lines.emplace_back("STARTTLS");
    if (settings_.enhanced_codes) lines.emplace_back("ENHANCEDSTATUSCODES");
    lines.insert(lines.end(), settings_.extra_keywords.begin(), settings_.extra_keywords.end());
    std::string reply;
    for (std::size_t i = 0; i < lines.size(); ++i)
        reply += (i + 1 < lines.size() ? "250-" : "250 ") + lines[i] + (i + 1 < lines.size() ? "\r\n" : "");
    return reply;
}

void SinkSession::on_ehlo(std::string_view line, std::string& out) {
    const std::string verb = upper(verb_of(line));
    forget_transaction();
    if (taker_ != nullptr) {
        message_.greeting_verb = verb;
        message_.greeting_name = line.substr(std::min<std::size_t>(line.size(), 5));
    }
    if (verb == "HELO") {
        say(verb, line, "250 " + settings_.hostname, out);
    } else if (settings_.helo_only) {
        say(verb, line, "502 5.5.1 What is that", out);
    } else {
        if (ehlo_reply_.empty()) ehlo_reply_ = ehlo_reply();
        say(verb, line, ehlo_reply_, out);
    }
}

void SinkSession::on_mail(std::string_view line, std::string& out) {
    if (mail_given_) {
        say("MAIL", line, "503 5.5.1 One sender at a time", out);
    } else if (settings_.max_size != 0 && declared_size(line) > settings_.max_size) {
        say("MAIL", line, "552 5.3.4 Too big", out);
    } else if (say("MAIL", line, "250 2.1.0 Sender fine", out)) {
        mail_given_ = true;
        if (taker_ != nullptr) message_.mail_line = line;
    }
}

void SinkSession::on_rcpt(std::string_view line, std::string& out) {
    if (!mail_given_) {
        say("RCPT", line, "503 5.5.1 MAIL first", out);
    } else if (say("RCPT", line, "250 2.1.5 Recipient fine", out)) {
        rcpt_given_ = true;
        if (taker_ != nullptr) message_.rcpt_lines.emplace_back(line);
    }
}

void SinkSession::on_data(std::string_view line, std::string& out) {
    if (!rcpt_given_ || in_bdat_) {
        say("DATA", line, rcpt_given_ ? "503 5.5.1 BDAT has begun" : "503 5.5.1 No recipient", out);
    } else if (say("DATA", line, "354 Go on", out)) {
        mode_ = Mode::kData;
        end_mark_.start();
    }
}

void SinkSession::on_bdat(std::string_view line, std::string& out) {
    const std::string all = upper(line);
    const char* from = all.data() + std::min<std::size_t>(all.size(), 5);
    const auto [end, error] = std::from_chars(from, all.data() + all.size(), chunk_left_);
    if (error != std::errc{}) {
        say("BDAT", line, "501 5.5.4 BDAT wants a size", out);
        return;
    }
    in_bdat_ = true;
    message_.by_bdat = true;
    chunk_is_last_ = std::string_view(end, all.data() + all.size()) == " LAST";
    mode_ = Mode::kChunk;
    if (chunk_left_ == 0) on_chunk_end(out);
}

void SinkSession::on_auth(std::string_view line, std::string& out) {
    const std::string all = upper(line);
    const bool login = all.starts_with("AUTH LOGIN");
    const bool initial = all.find(' ', 5) != std::string::npos;
    auth_lines_left_ = (login ? 2U : 1U) - (initial ? 1U : 0U);
    if (auth_lines_left_ == 0) {
        say("AUTH", line, "235 2.7.0 Welcome", out);
    } else if (say("AUTH", line,
                   login && !initial ? "334 VXNlcm5hbWU6"
                   : login           ? "334 UGFzc3dvcmQ6"
                                     : "334 ",
                   out)) {
        mode_ = Mode::kAuthLine;
    }
}

void SinkSession::on_auth_line(std::string& out) {
    if (--auth_lines_left_ > 0) {
        out.append("334 UGFzc3dvcmQ6\r\n");
        return;
    }
    mode_ = Mode::kCommands;
    out.append("235 2.7.0 Welcome\r\n");
}

void SinkSession::finish_message(std::string& out) {
    mode_ = Mode::kCommands;
    if (settings_.max_size != 0 && body_size_ > settings_.max_size) {
        say("EOD", "", "552 5.3.4 Too big", out);
    } else if (say("EOD", "", "250 2.0.0 Message taken", out)) {
        ++messages_;
        if (taker_ != nullptr) taker_->take(message_);
    }
    forget_transaction();
}

void SinkSession::forget_transaction() {
    mail_given_ = rcpt_given_ = in_bdat_ = chunk_is_last_ = false;
    body_size_ = data_seen_ = 0;
    message_.by_bdat = false;
    if (taker_ == nullptr) return;
    message_.mail_line.clear();
    message_.rcpt_lines.clear();
    message_.body.clear();
}

bool SinkSession::say(std::string_view verb, std::string_view line, std::string_view usual,
                      std::string& out) {
    if (!settings_.rules.empty()) {
        const unsigned nth = ++counts_[std::string(verb)];
        for (const SinkRule& rule : settings_.rules) {
            if (rule.verb == verb && (rule.nth == 0 || rule.nth == nth) &&
                line.find(rule.contains) != std::string_view::npos)
                return obey(rule, usual, out);
        }
    }
    out.append(usual).append("\r\n");
    return usual.starts_with('2') || usual.starts_with('3');
}

bool SinkSession::obey(const SinkRule& rule, std::string_view usual, std::string& out) {
    reset_ = rule.reset;
    endless_ = rule.endless;
    std::string reply = rule.reply ? *rule.reply + "\r\n" : std::string(usual) + "\r\n";
    if (rule.garbage) reply = std::string("\x00\x80\xff 2\r\r\n\n5x0-\x07garbage\r\n", 23);
    if (rule.drop_before || endless_) reply.clear();
    const bool drops = rule.drop_before || rule.drop_after;
    if (rule.delay.count() > 0) {
        delay_ = rule.delay;
        held_ = reply;
        drop_after_delay_ = drops;
    } else {
        out.append(reply);
        closing_ = drops;
    }
    return reply.starts_with('2') || reply.starts_with('3');
}

}  // namespace gatepost::bench
