// What a record says of its user besides how his password is checked. A value; any thread.
#pragma once

#include <map>
#include <string>

#include "auth/dialogue/identity.h"

namespace gatepost::auth {

struct RecordAttributes {
    std::string upstream;     ///< where his mail goes
    std::string senders;      ///< what he may say in MAIL FROM
    std::string limit_class;  ///< which limits are his

    [[nodiscard]] static RecordAttributes of(const std::map<std::string, std::string>& attributes) {
        const auto named = [&](const char* name) {
            const auto found = attributes.find(name);
            return found == attributes.end() ? std::string() : found->second;
        };
        return {
            .upstream = named("upstream"), .senders = named("senders"), .limit_class = named("limit_class")};
    }

    [[nodiscard]] bool is_empty() const { return upstream.empty() && senders.empty() && limit_class.empty(); }

    void give_to(Identity& identity) const {
        identity.upstream = upstream;
        identity.senders = senders;
        identity.limit_class = limit_class;
    }

    bool operator==(const RecordAttributes&) const = default;
};

}  // namespace gatepost::auth
