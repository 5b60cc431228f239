// The grammar of decoded SASL messages: what it calls good has exactly its parts, and one message too many is
// never good.
#include "auth/dialogue/mechanisms.h"
#include "auth/dialogue/message.h"
#include "proxy/base/base64.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gatepost;
using Check = auth::MessageGrammar::Check;

void plain(ByteView message) {
    auth::MessageGrammar grammar("PLAIN");
    if (grammar.next(message) == Check::kGood) {
        const std::string& user = grammar.user();
        const std::size_t begin = message.find('\0') + 1;
        const ByteView password = message.substr(begin + user.size() + 1);
        fuzz::require(auth::is_acceptable_name(user) && auth::is_acceptable_password(password),
                      "its parts are acceptable");
        std::string again(message.substr(0, begin - 1));
        fuzz::require(again.empty() || again == user, "nobody acts for somebody else");
        again += '\0' + user + '\0' + std::string(password);
        fuzz::require(again == message, "it has no other parts");
    }
    fuzz::require(grammar.next(message) != Check::kGood, "PLAIN has one message");
}

void login(ByteView message) {
    const ByteView user = message.substr(0, message.find('\n'));
    const ByteView password = message.substr(std::min(message.size(), user.size() + 1));
    auth::MessageGrammar grammar("LOGIN");
    const Check first = grammar.next(user);
    const Check second = grammar.next(password);
    fuzz::require((first == Check::kGood) == auth::is_acceptable_name(user),
                  "LOGIN's user is an acceptable name");
    if (first != Check::kGood) fuzz::require(second != Check::kGood, "nothing is good after what was not");
    if (second == Check::kGood)
        fuzz::require(auth::is_acceptable_password(password), "LOGIN's password is acceptable");
    fuzz::require(grammar.next(password) != Check::kGood, "LOGIN has two messages");
}

std::string escaped(std::string_view name) {
    std::string text;
    for (const char c : name) text += c == ',' ? "=2C" : c == '=' ? "=3D" : std::string(1, c);
    return text;
}

// client-first, client-final and what follows, a line each.
void scram(ByteView message, const auth::Mechanism& mechanism) {
    const ByteView first = message.substr(0, message.find('\n'));
    const ByteView rest = message.substr(std::min(message.size(), first.size() + 1));
    const ByteView final = rest.substr(0, rest.find('\n'));
    const ByteView last = rest.substr(std::min(rest.size(), final.size() + 1));
    auth::MessageGrammar grammar(mechanism.name);
    if (grammar.next(first) != Check::kGood) {
        fuzz::require(grammar.next(final) != Check::kGood, "nothing is good after what was not");
        return;
    }
    const std::string header = (mechanism.needs_binding ? "p=" + std::string(grammar.binding_type())
                                                        : std::string(first.substr(0, 1))) +
                               (grammar.authzid().empty() ? ",," : ",a=" + escaped(grammar.authzid()) + ",");
    fuzz::require(first.starts_with(header + "n=" + escaped(grammar.user()) + ",r="),
                  "client-first has the parts that were heard");
    fuzz::require(grammar.binding_type().empty() != mechanism.needs_binding, "-PLUS has a binding");
    fuzz::require(mechanism.needs_binding || header.front() == 'n' || header.front() == 'y', "n or y else");
    if (grammar.next(final) != Check::kGood) return;
    const ByteView binding = final.substr(2, final.find(',') - 2);
    const auto decoded = base64_decode(binding);
    fuzz::require(decoded && decoded->reveal().starts_with(header), "client-final repeats the header");
    fuzz::require((decoded->size() > header.size()) == mechanism.needs_binding,
                  "and has a binding for -PLUS");
    const auto proof = base64_decode(final.substr(final.rfind(",p=") + 3));
    fuzz::require(proof && proof->size() == mechanism.proof_size, "the proof ends it");
    fuzz::require((grammar.next(last) == Check::kGood) == last.empty(), "the third is empty");
}

void cram(ByteView message) {
    auth::MessageGrammar grammar("CRAM-MD5");
    if (grammar.next(message) == Check::kGood) {
        fuzz::require(
            message.size() == grammar.user().size() + 33 && message.starts_with(grammar.user() + ' '),
            "a name, a blank and a digest");
    }
    fuzz::require(grammar.next(message) != Check::kGood, "CRAM-MD5 has one message");
}

void digest(ByteView message) {
    auth::MessageGrammar grammar("DIGEST-MD5");
    if (grammar.next(message) != Check::kGood) return;
    fuzz::require(message.size() <= 2048 && message.find('\0') == ByteView::npos, "short, and text to C");
    fuzz::require(grammar.authzid().empty() || grammar.authzid() == grammar.user(),
                  "nobody acts for somebody else");
    fuzz::require(grammar.next("") == Check::kGood && grammar.next("") != Check::kGood, "then an empty one");
}

// The second message behind a first one of either kind.
void ntlm(ByteView message) {
    for (const char flags : {'\x01', '\x02'}) {
        const std::string first = std::string("NTLMSSP\0\1\0\0\0", 12) + flags + std::string(3, '\0');
        auth::MessageGrammar grammar("NTLM");
        fuzz::require(grammar.next(first) == Check::kGood, "a first message is good");
        if (grammar.next(message) != Check::kGood) continue;
        std::string sent;
        for (const char c : grammar.user())
            sent += flags == '\x01' ? std::string{c, '\0'} : std::string(1, c);
        fuzz::require(message.substr(52).find(sent) != ByteView::npos, "the name stands behind the fields");
        fuzz::require(message.size() >= 52 + 24 + sent.size(), "and so does a response");
        fuzz::require(grammar.next(message) != Check::kGood, "NTLM has two messages");
    }
}

void gss(ByteView message) {
    for (const std::string_view name : {"GSSAPI", "GSS-SPNEGO"}) {
        auth::MessageGrammar grammar(name);
        if (grammar.next(message) != Check::kGood) continue;
        const std::string_view object_id =
            name == "GSSAPI" ? "\x2A\x86\x48\x86\xF7\x12\x01\x02\x02" : "\x2B\x06\x01\x05\x05\x02";
        fuzz::require(message.front() == '\x60' && message.substr(0, 20).find(object_id) != ByteView::npos,
                      "the first token is framed and of its mechanism");
        fuzz::require(grammar.user().empty() && !grammar.needs_record(), "a token names nobody");
    }
}

void names(ByteView message, const auth::Mechanism& mechanism) {
    auth::MessageGrammar grammar(mechanism.name);
    for (int i = 0; i < mechanism.client_messages; ++i) {
        const Check check = grammar.next(message);
        fuzz::require(grammar.user().empty() || auth::is_acceptable_name(grammar.user()), "users are names");
        fuzz::require(grammar.authzid().empty() || auth::is_acceptable_name(grammar.authzid()),
                      "authzids are names");
        fuzz::require(check == Check::kGood || !grammar.needs_record(), "no record for what is not good");
        fuzz::require(!grammar.needs_record() || !grammar.user().empty(), "a record is somebody's");
        fuzz::require(!grammar.has_password() || mechanism.is_plaintext, "passwords are plaintext");
    }
    fuzz::require(grammar.next(message) != Check::kGood, "no more messages than the mechanism has");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView message = fuzz::octets(data, size);
    plain(message);
    login(message);
    cram(message);
    digest(message);
    ntlm(message);
    gss(message);
    for (const auth::Mechanism& mechanism : auth::known_mechanisms()) {
        names(message, mechanism);
        if (mechanism.proof_size != 0) scram(message, mechanism);
    }
    auth::MessageGrammar unknown("FOOBAR");
    fuzz::require(unknown.next(message) != Check::kGood, "an unknown mechanism has no good message");
    return 0;
}
