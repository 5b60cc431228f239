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
    return {.kind = ScriptStep::Kind::Send, .octets = octets};
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
        case Awaits::Greeting:
        case Awaits::StartTls: return 220;
        case Awaits::Ehlo:
        case Awaits::TlsEhlo:
        case Awaits::Mail:
        case Awaits::Rcpt:
        case Awaits::Message: return 250;
        case Awaits::Auth: return 235;
        case Awaits::Data: return 354;
        case Awaits::Quit: return 221;
        case Awaits::Handshake:
        case Awaits::Nothing: return 0;
    }
    return 0;
}

ScriptStep ClientScript::on_reply(int code) {
    if (code != expected_code()) return {.kind = ScriptStep::Kind::Failed};
    switch (awaits_) {
        case Awaits::Greeting: awaits_ = Awaits::Ehlo; return send(text_.ehlo);
        case Awaits::Ehlo:
            if (!text_.starttls) return after_ehlo();
            awaits_ = Awaits::StartTls;
            return send(kStartTls);
        case Awaits::StartTls: awaits_ = Awaits::Handshake; return {.kind = ScriptStep::Kind::StartTls};
        case Awaits::TlsEhlo: return after_ehlo();
        case Awaits::Auth: return after_auth();
        case Awaits::Mail: awaits_ = Awaits::Rcpt; return text_.pipeline ? ScriptStep{} : send(text_.rcpt);
        case Awaits::Rcpt: awaits_ = Awaits::Data; return text_.pipeline ? ScriptStep{} : send(kData);
        case Awaits::Data: awaits_ = Awaits::Message; return send(text_.message);
        case Awaits::Message: {
            ScriptStep step = next_message();
            step.message_accepted = true;
            return step;
        }
        case Awaits::Quit: return {.kind = ScriptStep::Kind::Done};
        case Awaits::Handshake:
        case Awaits::Nothing: break;
    }
    return {.kind = ScriptStep::Kind::Failed};
}

ScriptStep ClientScript::on_tls() {
    awaits_ = Awaits::TlsEhlo;
    return send(text_.ehlo);
}

ScriptStep ClientScript::leave() {
    awaits_ = Awaits::Quit;
    return send(kQuit);
}

ScriptStep ClientScript::after_ehlo() {
    if (text_.auth.empty()) return after_auth();
    awaits_ = Awaits::Auth;
    return send(text_.auth);
}

ScriptStep ClientScript::after_auth() {
    if (!text_.hold) return next_message();
    awaits_ = Awaits::Nothing;
    return {.kind = ScriptStep::Kind::Held};
}

ScriptStep ClientScript::next_message() {
    if (left_ == 0) return leave();
    --left_;
    awaits_ = Awaits::Mail;
    ScriptStep step = send(text_.pipeline ? text_.envelope : text_.mail);
    step.message_begins = true;
    return step;
}

}  // namespace gatepost::bench
