// The "set" lines of a transcript as the settings of a conversation.
#pragma once

#include <string>
#include <vector>

#include "proxy/session/conversation.h"
#include "proxy/session/settings.h"
#include "proxy/smtp/upstream_opening.h"
#include "tests/runners/transcript.h"

namespace gatepost::test {

struct SessionSettings {
    session::Settings session;
    session::ClientFacts client;
    smtp::Capabilities offer;
    smtp::OpeningSettings opening;  ///< of connections to upstreams
    std::string user_senders;       ///< what the record of whoever is accepted says
    std::vector<std::string> problems;
};

[[nodiscard]] SessionSettings settings_of(const Transcript& transcript);

/// A duration of the settings by its key, or one as it is ("250ms"), as "timer" lines name it.
[[nodiscard]] Duration duration_named(const session::Settings& settings, const std::string& key);

}  // namespace gatepost::test
