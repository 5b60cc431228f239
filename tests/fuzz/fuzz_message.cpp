// The grammar of decoded SASL messages: what it calls good has exactly its parts, and one message too many is
// never good.
#include "auth/dialogue/message.h"
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView message = fuzz::octets(data, size);
    plain(message);
    login(message);
    auth::MessageGrammar unknown("FOOBAR");
    fuzz::require(unknown.next(message) != Check::kGood, "an unknown mechanism has no good message");
    return 0;
}
