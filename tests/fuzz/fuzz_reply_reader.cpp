// An upstream's octets are the same replies however they arrive, and what a client is sent of them reads the
// same again.
#include "proxy/smtp/reply_reader.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gatepost;
using Status = smtp::ReplyReader::Status;

struct PassedOn {
    std::string replies;  ///< as clients are sent them
    bool nonsense = false;
    bool operator==(const PassedOn&) const = default;
};

PassedOn passed_on(ByteView input, std::size_t most) {
    smtp::ReplyReader reader;
    PassedOn sent;
    auto& [story, nonsense] = sent;
    fuzz::feed(input, most, [&](ByteView view) {
        std::size_t consumed = 0;
        for (;;) {
            const auto result = reader.next(view.substr(consumed));
            consumed += result.consumed;
            if (result.status == Status::kNonsense) {
                nonsense = true;
                return ByteView::npos;
            }
            if (result.status == Status::kNeedMore) break;
            fuzz::require(reader.reply().code >= 200 && reader.reply().code < 600, "codes are codes");
            smtp::append(story, reader.reply());
        }
        fuzz::require(view.size() - consumed <= smtp::ReplyReader::kMaxLine + 1, "what is kept is bounded");
        return consumed;
    });
    return sent;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = fuzz::octets(data, size);
    const PassedOn whole = passed_on(input, size + 1);
    for (const std::size_t most : {1U, 5U})
        fuzz::require(passed_on(input, most) == whole, "splits do not matter");
    fuzz::require(passed_on(whole.replies, whole.replies.size() + 1) == PassedOn{whole.replies, false},
                  "what is sent on reads the same again");
    return 0;
}
