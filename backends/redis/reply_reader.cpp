#include "backends/redis/reply_reader.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <hiredis/read.h>

namespace gatepost::backends {

std::string_view RedisReply::error_code() const noexcept {
    if (kind != Kind::kError) return {};
    const ByteView word = octets.reveal().substr(0, octets.reveal().find(' '));
    const bool is_code = !word.empty() && word.size() <= 24 && std::ranges::all_of(word, [](char octet) {
        return (octet >= 'A' && octet <= 'Z') || octet == '_';
    });
    return is_code ? word : "error";
}

/// Builds our own reply in place of hiredis': each part is appended to the array that is being read, so a
/// promised size costs nothing until the parts arrive. What only RESP3 has makes no reply of ours, which
/// next() sees.
struct ReplyReader::Builder {
    static RedisReply* begin(const redisReadTask* task, RedisReply::Kind kind) {
        auto& reader = *static_cast<ReplyReader*>(task->privdata);
        RedisReply* reply =
            reader.place(task->parent == nullptr ? nullptr : static_cast<RedisReply*>(task->parent->obj));
        if (reply != nullptr) reply->kind = kind;
        return reply;
    }

    static void* text(const redisReadTask* task, char* octets, std::size_t size) {
        RedisReply::Kind kind = RedisReply::Kind::kText;
        if (task->type == REDIS_REPLY_STATUS)
            kind = RedisReply::Kind::kStatus;
        else if (task->type == REDIS_REPLY_ERROR)
            kind = RedisReply::Kind::kError;
        else if (task->type != REDIS_REPLY_STRING)
            return nullptr;
        RedisReply* reply = begin(task, kind);
        if (reply != nullptr) reply->octets = Secret(ByteView(octets, size));
        return reply;
    }

    /// int in hiredis 0.14, std::size_t later.
    template <typename Count>
    static void* array(const redisReadTask* task, Count /*promised*/) {
        return task->type == REDIS_REPLY_ARRAY ? begin(task, RedisReply::Kind::kArray) : nullptr;
    }

    static void* integer(const redisReadTask* task, long long value) {
        RedisReply* reply = begin(task, RedisReply::Kind::kInteger);
        if (reply != nullptr) reply->integer = value;
        return reply;
    }

    static void* nil(const redisReadTask* task) { return begin(task, RedisReply::Kind::kNil); }

    static void free(void* /*reply*/) {}  // root_ owns them

    static redisReplyObjectFunctions* functions() {
        static redisReplyObjectFunctions made = [] {
            redisReplyObjectFunctions table{};
            table.createString = text;
            table.createArray = array;
            table.createInteger = integer;
            table.createNil = nil;
            table.freeObject = free;
            return table;
        }();
        return &made;
    }
};

void ReplyReader::FreeReader::operator()(redisReader* reader) const noexcept {
    wipe(reader->buf, reader->len);
    redisReaderFree(reader);
}

ReplyReader::ReplyReader(std::size_t most_octets, std::size_t most_items)
    : reader_(redisReaderCreateWithFunctions(Builder::functions())),
      most_octets_(most_octets),
      most_items_(most_items) {
    if (!reader_) std::abort();
    reader_->privdata = this;
}

ReplyReader::~ReplyReader() = default;

RedisReply* ReplyReader::place(const RedisReply* parent) {
    if (++items_ > most_items_) return nullptr;  // hiredis calls it out of memory
    if (parent == nullptr) return &root_;
    // The array belongs to root_. Only the innermost unfinished one grows, so those around it stay where
    // they are.
    return &const_cast<RedisReply*>(parent)->items.emplace_back();
}

void ReplyReader::feed(ByteView octets) {
    if (is_broken_ || octets.empty()) return;
    fed_ += octets.size();
    if (redisReaderFeed(reader_.get(), octets.data(), octets.size()) != REDIS_OK) is_broken_ = true;
}

ReplyReader::Status ReplyReader::next(RedisReply& reply) {
    if (is_broken_) return Status::kBroken;
    const std::size_t length = reader_->len;
    void* found = nullptr;
    const int status = redisReaderGetReply(reader_.get(), &found);
    if (status != REDIS_OK) {
        is_broken_ = true;
        root_ = {};
        return Status::kBroken;
    }
    // Consumed, or left behind when the rest was moved down.
    wipe(reader_->buf, reader_->pos);
    if (reader_->len < length) wipe(reader_->buf + reader_->len, length - reader_->len);

    const std::size_t read = fed_ - (reader_->len - reader_->pos);
    const bool is_large = (found == nullptr ? fed_ : read) - finished_ > most_octets_;
    if (is_large || (found != nullptr && found != &root_)) {
        is_broken_ = true;
        root_ = {};
        return Status::kBroken;
    }
    if (found == nullptr) return Status::kNeedMore;
    finished_ = read;
    items_ = 0;
    reply = std::exchange(root_, {});
    return Status::kReply;
}

}  // namespace gatepost::backends
