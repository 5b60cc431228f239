// One AUTH dialogue, a line of the input each: the verifier is shown nothing that the mechanism's grammar
// does not allow, and nothing at all after the dialogue has ended.
#include "auth/dialogue/exchange.h"
#include "auth/dialogue/mechanisms.h"
#include "proxy/base/base64.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gatepost;

ByteView take_line(ByteView& rest) {
    const std::size_t end = rest.find('\n');
    const ByteView line = rest.substr(0, end);
    rest = end == ByteView::npos ? ByteView() : rest.substr(end + 1);
    return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteView rest = fuzz::octets(data, size);
    const auto arguments = auth::parse_auth_arguments(take_line(rest));
    if (!arguments) return 0;
    fuzz::require(!arguments->mechanism.empty() && arguments->mechanism.size() <= 20,
                  "mechanisms have 1 to 20 octets");

    auth::Exchange exchange(arguments->mechanism);
    const auth::Mechanism* const known = auth::find_mechanism(arguments->mechanism);
    int messages = 0;
    for (auth::Turn turn = exchange.begin(arguments->initial); turn.kind == auth::Turn::Kind::kStep;) {
        if (turn.step.message) ++messages;
        fuzz::require(!turn.step.is_first || !turn.step.message || known == nullptr || !known->server_first,
                      "what begins with a challenge has no initial response");
        fuzz::require(messages == 0 || (known != nullptr && messages <= known->client_messages),
                      "no more messages than the mechanism has");
        const std::string& user = exchange.user();
        fuzz::require(user.empty() || auth::is_acceptable_name(user), "names are acceptable names");
        if (rest.empty()) return 0;
        const ByteView line = take_line(rest);
        turn = exchange.line(line);
        fuzz::require(line != "*" || turn.kind == auth::Turn::Kind::kCancelled, "* cancels");
        if (turn.kind != auth::Turn::Kind::kStep) return 0;
        fuzz::require(base64_encode(turn.step.message->reveal()) == line,
                      "a step is what the line says, no more and no less");
    }
    return 0;
}
