// What an opening sends ("> …") and says to the octets of an upstream, at every split of each answer: an
// upstream that is no fool answers once for each command, and what stands behind an answer is another matter.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/smtp/upstream_opening.h"
#include "tests/unit/proxy/smtp/at_every_split.h"

namespace gatepost::smtp::test {

using gatepost::test::Pending;
using gatepost::test::Pieces;

inline std::string event_name(const UpstreamOpening& opening, UpstreamOpening::Event event) {
    using Event = UpstreamOpening::Event;
    switch (event) {
        case Event::kNone: return "";
        case Event::kReady: return opening.capabilities().esmtp ? "ready esmtp;" : "ready;";
        case Event::kStartTls: return "TLS now;";
        case Event::kNoTls: return "no TLS;";
        case Event::kRefused:
            return "refused " + std::to_string(opening.reply().code) + ' ' + printable(opening.reply().text) +
                   ';';
        case Event::kAuthFailed: return "AUTH failed: " + opening.what() + ';';
        case Event::kNotHonoured: return "not honoured: " + opening.what() + ';';
        case Event::kNonsense: return "nonsense;";
    }
    return "?";
}

inline std::string sent(const std::string& out) {
    std::string told;
    std::size_t begin = 0;
    for (std::size_t end = out.find("\r\n"); end != std::string::npos; end = out.find("\r\n", begin)) {
        told += "> " + out.substr(begin, end - begin) + ';';
        begin = end + 2;
    }
    return begin == out.size() ? told : told + "> " + out.substr(begin) + " without an end;";
}

/// Shows `octets` to `opening`, cut into `pieces`; a handshake ends at once.
inline std::string show(UpstreamOpening& opening, const Pieces& pieces) {
    std::string told;
    Pending pending;
    for (const ByteView piece : pieces) {
        pending.add(piece);
        std::string out;
        const UpstreamOpening::Result result = opening.next(pending.view(), out);
        pending.consume(result.consumed);
        told += sent(out) + event_name(opening, result.event);
        if (result.event == UpstreamOpening::Event::kStartTls) {
            out.clear();
            opening.secured(out);
            told += sent(out);
        }
        if (opening.state() == UpstreamOpening::State::kFailed) break;
    }
    return told;
}

/// Each of `answers` is complete and comes alone; each is cut everywhere. `prepare` makes an opening ready.
inline std::string story(const OpeningSettings& settings, const std::vector<std::string>& answers,
                         const std::function<void(UpstreamOpening&, std::string& out)>& prepare = {}) {
    std::string told;
    for (std::size_t last = 0; last < answers.size(); ++last) {
        told = gatepost::test::story_at_every_split(answers[last], [&](const Pieces& pieces) {
            UpstreamOpening opening(settings);
            std::string out;
            if (prepare) prepare(opening, out);
            std::string before = sent(out);
            for (std::size_t i = 0; i < last; ++i) before += show(opening, {answers[i]});
            return before + show(opening, pieces);
        });
    }
    return told;
}

}  // namespace gatepost::smtp::test
