#include "backends/redis/redis_credential.h"

#include <array>
#include <utility>

namespace gatepost::backends {

namespace {

using Kind = RedisReply::Kind;
using Status = auth::Lookup::Status;

/// Whatever is not a clear no locks the user out: a misspelt yes must not let anybody in.
bool says_yes(std::string_view value) {
    std::string lowered(value);
    for (char& octet : lowered) {
        if (octet >= 'A' && octet <= 'Z') octet = static_cast<char>(octet - 'A' + 'a');
    }
    return !(lowered.empty() || lowered == "0" || lowered == "no" || lowered == "false" || lowered == "off");
}

/// With or without its scheme.
Secret scram_record(ByteView value) {
    if (value.starts_with('{')) return Secret(value);
    constexpr ByteView kScheme = "{SCRAM-SHA-256}";
    std::string record;
    record.reserve(kScheme.size() + value.size());
    (record += kScheme) += value;
    Secret made(record);
    wipe(record.data(), record.size());
    return made;
}

}  // namespace

std::string redis_key(std::string_view pattern, std::string_view user) {
    constexpr std::string_view kUser = "{user}";
    std::string key;
    while (true) {
        const std::size_t at = pattern.find(kUser);
        key += pattern.substr(0, at);
        if (at == std::string_view::npos) return key;
        key += user;
        pattern.remove_prefix(at + kUser.size());
    }
}

std::string redis_scan_pattern(std::string_view pattern) {
    std::string escaped;
    for (const char octet : pattern) {
        if (std::string_view("*?[]^\\").find(octet) != std::string_view::npos) escaped += '\\';
        escaped += octet;
    }
    return redis_key(escaped, "*");
}

std::optional<std::string> user_of_redis_key(std::string_view pattern, std::string_view key) {
    constexpr std::string_view kUser = "{user}";
    const std::size_t before = pattern.find(kUser);
    if (before == std::string_view::npos) return std::nullopt;
    std::size_t places = 0;
    for (std::size_t at = before; at != std::string_view::npos; at = pattern.find(kUser, at + kUser.size()))
        ++places;
    const std::size_t fixed = pattern.size() - places * kUser.size();
    if (key.size() <= fixed || (key.size() - fixed) % places != 0) return std::nullopt;
    std::string user(key.substr(before, (key.size() - fixed) / places));
    if (redis_key(pattern, user) != key) return std::nullopt;
    return user;
}

auth::Lookup lookup_of(const RedisReply& reply, std::string_view user) {
    constexpr std::array<std::string_view, 3> kAttributes{"senders", "limit_class", "upstream"};
    auth::Lookup lookup;
    if (!reply.is(Kind::kArray) || reply.items.size() % 2 != 0) return lookup;
    for (const RedisReply& item : reply.items) {
        if (!item.is(Kind::kText)) return lookup;
    }
    if (reply.items.empty()) {
        lookup.status = Status::kUnknown;
        return lookup;
    }
    auto credential = std::make_shared<auth::StoredCredential>();
    credential->user = user;
    for (std::size_t at = 0; at < reply.items.size(); at += 2) {
        const ByteView field = reply.items[at].octets.reveal();
        const ByteView value = reply.items[at + 1].octets.reveal();
        if (field == "record") {
            credential->record = Secret(value);
        } else if (field == "scram-sha-256") {
            if (!value.empty()) credential->scram = scram_record(value);
        } else if (field == "disabled") {
            credential->disabled = says_yes(value);
        } else {
            for (const std::string_view attribute : kAttributes) {
                if (field == attribute) credential->attributes.emplace(field, value);
            }
        }
    }
    if (credential->record.empty()) credential->record = credential->scram.clone();
    lookup.status = Status::kFound;
    lookup.credential = std::move(credential);
    return lookup;
}

}  // namespace gatepost::backends
