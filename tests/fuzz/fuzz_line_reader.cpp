// A client's octets are cut into the same lines however they arrive.
#include "proxy/smtp/line_reader.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gatepost;
using Status = smtp::LineReader::Status;

std::string lines(ByteView input, std::size_t most) {
    constexpr std::size_t kLimit = 64;
    smtp::LineReader reader;
    std::string story;
    fuzz::feed(input, most, [&](ByteView view) {
        std::size_t consumed = 0;
        for (;;) {
            const auto result = reader.next(view.substr(consumed), kLimit);
            consumed += result.consumed;
            if (result.status == Status::kBadEnding) {
                story += "bad";
                return ByteView::npos;
            }
            if (result.status == Status::kNeedMore) break;
            fuzz::require(result.line.find_first_of("\r\n") == ByteView::npos, "a line holds no line end");
            fuzz::require(result.line.size() + 2 <= kLimit, "a line is within the limit");
            story += result.status == Status::kLine ? '[' + std::string(result.line) + ']' : "long";
        }
        fuzz::require(view.size() - consumed < kLimit, "what is kept is bounded");
        return consumed;
    });
    return story;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = fuzz::octets(data, size);
    const std::string whole = lines(input, size + 1);
    for (const std::size_t most : {1U, 3U, 63U})
        fuzz::require(lines(input, most) == whole, "splits do not matter");
    return 0;
}
