// A Redis's octets are the same replies however they arrive, what is kept of an unfinished one is bounded,
// and only a hash of texts is ever taken for a credential.
#include <string>

#include "backends/redis/redis_credential.h"
#include "backends/redis/reply_reader.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gatepost;
using backends::RedisReply;
using backends::ReplyReader;
using Kind = RedisReply::Kind;

constexpr std::size_t kMostOctets = 2048;
constexpr std::size_t kMostItems = 256;

std::size_t tell(const RedisReply& reply, std::string& story) {
    std::size_t items = 1;
    story += std::to_string(static_cast<int>(reply.kind)) + ":" + std::to_string(reply.integer) + ":";
    story += reply.octets.reveal();
    fuzz::require(reply.items.empty() || reply.is(Kind::kArray), "only arrays have parts");
    fuzz::require(reply.error_code().empty() != reply.is(Kind::kError),
                  "every error has a code, and nothing else");
    for (const RedisReply& item : reply.items) items += tell(item, story);
    story += ";";
    return items;
}

std::string replies(ByteView input, std::size_t most) {
    ReplyReader reader(kMostOctets, kMostItems);
    std::string story;
    fuzz::feed(input, most, [&](ByteView view) {
        reader.feed(view);
        RedisReply reply;
        ReplyReader::Status status;
        while ((status = reader.next(reply)) == ReplyReader::Status::kReply) {
            fuzz::require(tell(reply, story) <= kMostItems, "a reply has a bounded number of parts");
            const auth::Lookup lookup = backends::lookup_of(reply, "user");
            const bool is_hash = reply.is(Kind::kArray) && reply.items.size() % 2 == 0;
            fuzz::require(is_hash || lookup.status == auth::Lookup::Status::kUnavailable, "a user is a hash");
            fuzz::require(
                (lookup.status == auth::Lookup::Status::kUnknown) == (is_hash && reply.items.empty()),
                "only an empty hash is nobody");
            fuzz::require((lookup.status == auth::Lookup::Status::kFound) == (lookup.credential != nullptr),
                          "who is found has a credential");
        }
        if (status == ReplyReader::Status::kBroken) {
            story += "broken";
            return ByteView::npos;
        }
        fuzz::require(reader.unfinished() <= kMostOctets, "what is kept is bounded");
        return view.size();
    });
    return story;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input = fuzz::octets(data, size);
    const std::string whole = replies(input, size + 1);
    for (const std::size_t most : {1U, 5U, 97U})
        fuzz::require(replies(input, most) == whole, "splits do not matter");
    return 0;
}
