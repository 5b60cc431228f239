// Opens the upstream that a conversation wants as the pool's opener would, from what a story's upstream says:
// without a socket, and without a pool behind it.
#pragma once

#include <optional>
#include <string>

#include "proxy/session/conversation.h"
#include "proxy/smtp/upstream_opening.h"
#include "tests/fakes/fake_actions.h"

namespace gatepost::test {

class FakeOpener {
  public:
    FakeOpener(session::Conversation& conversation, FakeActions& actions,
               const smtp::OpeningSettings& settings)
        : conversation_(conversation), actions_(actions), settings_(settings) {}

    /// To be called before each use: a conversation may have wanted one, or given it up.
    [[nodiscard]] bool is_opening() {
        if (seen_ != actions_.opens) {
            seen_ = actions_.opens;
            opening_.emplace(settings_);
        }
        if (!actions_.upstream_open) opening_.reset();
        return opening_.has_value();
    }
    [[nodiscard]] bool is_securing() {
        return is_opening() && opening_->state() == smtp::UpstreamOpening::State::kHandshake;
    }

    /// Requires is_opening(). Returns how many octets are consumed.
    [[nodiscard]] std::size_t take(ByteView bytes) {
        std::size_t consumed = 0;
        while (is_opening()) {
            std::string out;
            const smtp::UpstreamOpening::Result result = opening_->next(bytes.substr(consumed), out);
            consumed += result.consumed;
            if (result.event == smtp::UpstreamOpening::Event::kNone) actions_.to_upstream += out;
            take_event(result.event);
            if (result.consumed == 0) break;
        }
        return actions_.upstream_open ? consumed : bytes.size();
    }

    /// Requires is_securing().
    void secured() {
        std::string out;
        opening_->secured(out);
        actions_.to_upstream += out;
    }

    /// Requires is_opening().
    void fail(session::UpstreamOutcome how) {
        opening_.reset();
        conversation_.on(session::UpstreamNotOpened{.how = how});
    }

    /// Requires is_opening(): the pool had one that was used before.
    void reuse() {
        opening_.reset();
        conversation_.on(session::UpstreamReady{.capabilities = last_, .was_used = true});
    }

  private:
    void take_event(smtp::UpstreamOpening::Event event) {
        using Event = smtp::UpstreamOpening::Event;
        using session::UpstreamOutcome;
        switch (event) {
            case Event::kNone:
            case Event::kStartTls: return;
            case Event::kReady:
                last_ = opening_->capabilities();
                opening_.reset();
                return conversation_.on(session::UpstreamReady{.capabilities = last_, .was_used = false});
            case Event::kNoTls: return fail(UpstreamOutcome::kTlsFailed);
            case Event::kRefused:
                return fail(opening_->reply().is_permanent() ? UpstreamOutcome::kRefused
                                                             : UpstreamOutcome::kRefusedNow);
            case Event::kAuthFailed: return fail(UpstreamOutcome::kAuthFailed);
            case Event::kNotHonoured: return fail(UpstreamOutcome::kNotHonoured);
            case Event::kNonsense: return fail(UpstreamOutcome::kNonsense);
        }
    }

    session::Conversation& conversation_;
    FakeActions& actions_;
    const smtp::OpeningSettings& settings_;
    std::optional<smtp::UpstreamOpening> opening_;
    smtp::Capabilities last_;
    int seen_ = 0;
};

}  // namespace gatepost::test
