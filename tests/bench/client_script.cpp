#include "tests/bench/client_script.h"

#include <algorithm>

#include <openssl/evp.h>

namespace gatepost::bench {
namespace {

constexpr std::string_view kStartTls = "STARTTLS\r\n";
constexpr std::string_view kData = "DATA\r\n";
constexpr std::string_view kQuit = "QUIT\r\n";
constexpr std::string_view kHeader =
    "From: <sender@load.test>\r\nTo: <recipient@load.test>\r\nSubject: load\r\n\r\n";
constexpr std::size_t kLineLength = 76;

ScriptStep send(std::string_view octets) {
    return {.kind = ScriptStep::Kind::kSend, .octets = octets};
}

}  // namespace

void ScriptText::set_credentials(std::string_view user, std::string_view password) {
    std::string plain;
    plain.append(1, '\0').append(user).append(1, '\0').append(password);
    std::string encoded((plain.size() + 2) / 3 * 4 + 1, '\0');
    const int length =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                        reinterpret_cast<const unsigned char*>(plain.data()), static_cast<int>(plain.size()));
    encoded.resize(static_cast<std::size_t>(length));
    auth = "AUTH PLAIN " + encoded + "\r\n";
}

void ScriptText::set_message_size(std::size_t size) {
    message.clear();
    message.reserve(size + 3);
    if (size > kHeader.size() + 2) message = kHeader;
    for (std::size_t n = 0; message.size() + 2 < size; ++n) {
        const std::size_t room = size - message.size() - 2;
        // A last line may not leave 1 octet, which is no line.
        const std::size_t length =
            room > kLineLength + 3 ? kLineLength : std::min<std::size_t>(room, kLineLength + 3);
        for (std::size_t i = 0; i < length; ++i) message += static_cast<char>('A' + (n * 7 + i * i) % 26);
        message += "\r\n";
    }
    message += ".\r\n";
}

void ScriptText::set_pipelined() {
    pipeline = true;
    envelope = mail + rcpt;
    envelope += kData;
}

int ClientScript::expected_code() const {
    switch (awaits_) {
        case Awaits::kGreeting:
        case Awaits::kStartTls: return 220;
        case Awaits::kEhlo:
        case Awaits::kTlsEhlo:
        case Awaits::kMail:
        case Awaits::kRcpt:
        case Awaits::kMessage: return 250;
        case Awaits::kAuth: return 235;
        case Awaits::kData: return 354;
        case Awaits::kQuit: return 221;
        case Awaits::kHandshake:
        case Awaits::kNothing: return 0;
    }
    return 0;
}

ScriptStep ClientScript::on_reply(int code) {
    if (code != expected_code()) return {.kind = ScriptStep::Kind::kFailed};
    switch (awaits_) {
        case Awaits::kGreeting: awaits_ = Awaits::kEhlo; return send(text_->ehlo);
        case Awaits::kEhlo:
            if (!text_->starttls) return after_ehlo();
            awaits_ = Awaits::kStartTls;
            return send(kStartTls);
        case Awaits::kStartTls: awaits_ = Awaits::kHandshake; return {.kind = ScriptStep::Kind::kStartTls};
        case Awaits::kTlsEhlo: return after_ehlo();
        case Awaits::kAuth: return after_auth();
        case Awaits::kMail: {
            awaits_ = Awaits::kRcpt;
            ScriptStep step = text_->pipeline ? ScriptStep{} : send(text_->rcpt);
            step.sender_accepted = true;
            return step;
        }
        case Awaits::kRcpt: awaits_ = Awaits::kData; return text_->pipeline ? ScriptStep{} : send(kData);
        case Awaits::kData: awaits_ = Awaits::kMessage; return send(text_->message);
        case Awaits::kMessage: {
            ScriptStep step = next_message();
            step.message_accepted = true;
            return step;
        }
        case Awaits::kQuit: return {.kind = ScriptStep::Kind::kDone};
        case Awaits::kHandshake:
        case Awaits::kNothing: break;
    }
    return {.kind = ScriptStep::Kind::kFailed};
}

ScriptStep ClientScript::on_tls() {
    awaits_ = Awaits::kTlsEhlo;
    return send(text_->ehlo);
}

ScriptStep ClientScript::leave() {
    awaits_ = Awaits::kQuit;
    return send(kQuit);
}

ScriptStep ClientScript::after_ehlo() {
    if (text_->auth.empty()) return after_auth();
    awaits_ = Awaits::kAuth;
    return send(text_->auth);
}

ScriptStep ClientScript::after_auth() {
    if (!text_->hold) return next_message();
    awaits_ = Awaits::kNothing;
    return {.kind = ScriptStep::Kind::kHeld};
}

ScriptStep ClientScript::next_message() {
    if (left_ == 0) return leave();
    --left_;
    awaits_ = Awaits::kMail;
    ScriptStep step = send(text_->pipeline ? text_->envelope : text_->mail);
    step.message_begins = true;
    return step;
}

}  // namespace gatepost::bench
