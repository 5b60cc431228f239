// A users file's text with some users made or changed: everything else keeps its octets. Pure; for the
// writer.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "auth/dialogue/user_directory.h"
#include "proxy/base/bytes.h"
#include "proxy/base/secret.h"

namespace gatepost::backends {

struct EditedUsers {
    std::vector<ByteView> pieces;  ///< the new text: views into the old one and into `lines`
    std::deque<Secret> lines;      ///< what was made anew
    std::size_t were_there = 0;    ///< users who had a line before
};

/// One pass over `text`, which must outlive the result.
[[nodiscard]] auth::FromDirectory<EditedUsers> edit_users(ByteView text,
                                                          std::span<const auth::UserChange> changes);

}  // namespace gatepost::backends
