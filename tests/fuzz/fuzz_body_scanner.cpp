// Message data means what the slow model says, at every split, and nothing that passes can end a message
// early.
#include "proxy/smtp/body_scanner.h"
#include "proxy/smtp/dot_stuffer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proxy/smtp/body_drive.h"

namespace {

using namespace gatepost;
using End = test::BodyStory::End;

/// The data of one chunk as an upstream without CHUNKING is sent it.
std::string as_marked_data(ByteView chunk) {
    smtp::DotStuffer stuffer;
    std::string out;
    while (!chunk.empty()) {
        const auto result = stuffer.next(chunk);
        out += chunk.substr(0, result.pass);
        if (result.then_dot) out += '.';
        chunk.remove_prefix(result.pass);
    }
    return out + std::string(stuffer.end_mark());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = fuzz::octets(data, size);
    const test::BodyStory truth = test::data_story(input);
    const test::BodyStory chunk = test::chunk_story(input);
    for (const std::size_t most :
         {size + 1, std::size_t{1}, std::size_t{2}, std::size_t{255}, std::size_t{257}}) {
        fuzz::require(test::drive_data(input, fuzz::cut_every(most, size)) == truth,
                      "DATA is as the model says");
        fuzz::require(test::drive_chunk(input, fuzz::cut_every(most, size)) == chunk,
                      "BDAT is as the model says");
    }
    const ByteView passed = input.substr(0, truth.passed);
    fuzz::require(test::bare_newline_in(passed) == passed.size(), "no bare CR or LF passes");
    if (test::bare_newline_in(input) == size && !input.ends_with('\r')) {
        const std::string marked = as_marked_data(input);
        const test::BodyStory again = test::data_story(marked);
        fuzz::require(again.end == End::kEndMark && again.taken == marked.size(),
                      "chunks as DATA end once, at their end");
    }
    return 0;
}
