// The brain of one connection: both legs, AUTH and the mail transaction between them. Events come in, actions
// go out; deterministic, so that any session can be replayed from its transcript. Pure: no socket, clock,
// thread, log or metric.
//
// Order of replies: a reply of the upstream is passed on as it comes, and a reply of our own is only made
// when none is awaited; until then the command stays unread. So replies cannot be out of order, and no queue
// of them exists. One class, whose parts are in nine files: hence the length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/dialogue/exchange.h"
#include "proxy/policy/peer_address.h"
#include "proxy/session/action.h"
#include "proxy/session/event.h"
#include "proxy/session/limited_step.h"
#include "proxy/session/settings.h"
#include "proxy/smtp/client_leg.h"
#include "proxy/smtp/parameters.h"
#include "proxy/smtp/upstream_leg.h"

namespace gatepost::session {

/// Who is at the other end, as the socket or a believed PROXY header says.
struct ClientFacts {
    std::string address;       ///< "192.0.2.1", without port
    std::string session_id;    ///< for logs and Received:
    policy::PeerAddress peer;  ///< the same address, to the rules against guessing
    bool is_trusted = false;   ///< may send without AUTH; its failures are not counted
};

/// What waits for what. Waiting is a state, never a flag.
enum class State : std::uint8_t {
    kConnecting,            ///< nothing was said yet
    kAwaitingTls,           ///< handshake with the client
    kAwaitingCommand,       ///< the client's turn; replies of the upstream may be outstanding too
    kAwaitingAllowance,     ///< the limits are asked about `limited_`
    kAwaitingRoom,          ///< and one of them lets it wait
    kAwaitingAuthLine,      ///< the client's turn in an AUTH exchange
    kAwaitingLimits,        ///< may this be looked at at all? The failure delay runs
    kAwaitingLateLimits,    ///< the same, and the failure delay is over
    kAwaitingGuessDelay,    ///< it may, but only after a while
    kAwaitingGuessRefusal,  ///< it may not; answered when the failure delay is over
    kAwaitingVerdict,       ///< the verifier's turn; the failure delay runs
    kAwaitingLateVerdict,   ///< the same, and the failure delay is over
    kAwaitingAuthDelay,     ///< refused; answered when the failure delay is over
    kAwaitingUpstream,      ///< MAIL waits for a connection
    kAwaitingReset,         ///< MAIL waits for 250 to RSET, on a used connection without PIPELINING
    kAwaitingGoAhead,       ///< DATA was sent; 354 awaited, for DATA or for a first chunk
    kReceivingData,         ///< message data, to its end mark
    kRefusingData,          ///< the same, dropped; `refusal_` is said at its end
    kReceivingChunk,        ///< octets of a BDAT chunk
    kRefusingChunk,         ///< the same, dropped
    kAwaitingFinal,         ///< the message is complete upstream; its answer awaited
    kClosed,
};

class Conversation {
  public:
    /// `settings` and `actions` must outlive the conversation. Nothing is said before ClientConnected.
    Conversation(const Settings& settings, ClientFacts client, Actions& actions);
    ~Conversation();
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    void on(ClientArrived event);
    void on(const ClientConnected& event);
    void on(const TlsEstablished& event);
    /// Returns how many octets at the front are consumed; the rest is to be shown again with the next octets,
    /// or after Actions::resume_client().
    [[nodiscard]] std::size_t on(const BytesFromClient& event);
    /// Likewise: what is left is the beginning of a line.
    [[nodiscard]] std::size_t on(const BytesFromUpstream& event);
    void on(const UpstreamReady& event);
    void on(UpstreamNotOpened event);
    void on(UpstreamLost event);
    void on(VerdictArrived event);
    void on(const LimitsAnswered& event);
    void on(TimerFired event);
    void on(ClientClosed event);
    void on(DrainRequested event);
    void on(SessionCut event);
    void on(KickRequested event);

    [[nodiscard]] State state() const noexcept { return state_; }
    /// An AUTH exchange is under way, or has just ended with the line before: what the client sent holds
    /// secrets.
    [[nodiscard]] bool is_in_auth() const noexcept { return exchange_ != nullptr || line_is_auth_; }
    /// No transaction would be cut by closing now.
    [[nodiscard]] bool is_between_transactions() const noexcept;

    /// A mail transaction would be.
    [[nodiscard]] bool has_transaction() const noexcept { return transaction_ != nullptr; }

    // For the line that ends a session.
    [[nodiscard]] const std::string& user() const noexcept { return identity_.user; }
    /// Whose session it is; empty until AUTH has succeeded.
    [[nodiscard]] const auth::Identity& identity() const noexcept { return identity_; }
    [[nodiscard]] const std::string& greeting_name() const noexcept { return client_leg_.greeting_name(); }
    [[nodiscard]] std::uint32_t commands() const noexcept { return commands_; }
    [[nodiscard]] std::uint32_t errors() const noexcept { return errors_; }
    [[nodiscard]] std::uint32_t messages() const noexcept { return messages_; }

  private:
    struct Transaction;
    struct RecipientRefusal {
        smtp::StaticReply reply;
        std::optional<PolicyRefused> policy{};  ///< where it is a policy's; views into RCPT's argument
    };
    struct AuthRefusal {
        smtp::Reply reply;
        AuthEnd end = AuthEnd::kBlocked;
        auth::Reason reason = auth::Reason::kNone;
        bool closes = false;
    };

    // conversation.cpp: octets, lines, deadlines, ends
    [[nodiscard]] bool is_heard() const noexcept;
    void enter(State state);
    void settle();
    void arm_deadline();
    [[nodiscard]] std::size_t take_some(ByteView bytes);
    [[nodiscard]] std::size_t take_line(ByteView bytes);
    void refuse_line(smtp::LineReader::Status status);
    void welcome();
    void say_and_close(const smtp::StaticReply& reply, CloseReason reason);
    void close(CloseReason reason);

    // commands.cpp: what a command does, and the ways to answer
    [[nodiscard]] bool must_wait(const smtp::Command& command) const;
    void obey(const smtp::Command& command, ByteView behind);
    void perform(const smtp::Command& command, ByteView behind);
    void end_out_of_step();
    void greet(const smtp::Command& command);
    void say_capabilities();
    void start_tls(ByteView behind);
    void say(const smtp::StaticReply& reply);
    void say(const smtp::Reply& reply);
    void answer(smtp::Verb verb, const smtp::StaticReply& reply);
    void refuse(smtp::Verb verb, const smtp::StaticReply& reply);
    [[nodiscard]] bool ends_with_this_error();
    void pass_on(smtp::Verb verb, const smtp::Reply& reply);
    [[nodiscard]] const std::vector<std::string>& mechanisms() const noexcept;
    [[nodiscard]] bool offers(std::string_view mechanism) const;
    [[nodiscard]] std::string offered_mechanisms() const;
    [[nodiscard]] smtp::ClientLeg::Standing standing() const noexcept;

    // authentication.cpp: AUTH
    void authenticate(ByteView argument);
    [[nodiscard]] const smtp::StaticReply* refusal_of_mechanism(const std::string& mechanism) const;
    void take_turn(auth::Turn turn, bool was_named);
    void take_verdict(auth::Verdict& verdict);
    void end_auth_delayed(AuthEnd end, auth::Reason reason, bool is_guess);
    void auth_delay_over();
    void answer_refused_credentials();
    [[nodiscard]] bool tells_disabled() const noexcept;
    [[nodiscard]] policy::LimitBatch questions_of_login() const;
    void succeed();
    void finish_auth(AuthEnd end, auth::Reason reason);
    void end_auth(AuthEnd end, auth::Reason reason, const smtp::StaticReply& reply);
    void report_auth(AuthEnd end, auth::Reason reason);
    void abandon_auth(auth::Reason reason);

    // guessing.cpp: whether a password may be looked at, and what a wrong one costs
    [[nodiscard]] bool asks_limits_first(auth::Step& step, bool was_named);
    void ask_before_step();
    void take_limits(const policy::LimitAnswers& answers);
    void add_questions(policy::LimitBatch& batch, policy::LimitMoment moment) const;
    void limit_auth(LimitedStep asked, const policy::LimitRefusal& refusal);
    void refuse_unknown_auth();
    void refuse_guess(const policy::RefuseGuess& refusal);
    void refuse_auth_later(AuthRefusal refusal);
    void delay_guess(Duration delay);
    void guess_delay_over();
    void judge_waiting_step();
    void limits_too_late();
    void answer_auth_refusal();
    void charge_failure();
    void record_attempt();

    // limits.cpp: what the rules under `limits:` say of a step, and what is given back
    [[nodiscard]] policy::LimitSubject subject() const;
    [[nodiscard]] bool asks_allowance(LimitedStep::What what, policy::LimitBatch batch,
                                      std::uint64_t message_size = 0);
    void ask_for_allowance();
    void take_allowance(const LimitsAnswered& event);
    void take_refusal(policy::LimitRefusal refusal);
    void allowance_unknown();
    void allowance_too_late();
    void report_decisions(const LimitedStep& step, std::span<const policy::LimitAnswer> answers);
    [[nodiscard]] static bool waits_for_room(LimitedStep& step, const policy::LimitRefusal& refusal);
    void keep_charges(const LimitsAnswered& event);
    [[nodiscard]] bool counts_recipients(std::uint32_t rule) const;
    [[nodiscard]] std::vector<LimitCharge*> charges_of_bytes() const;
    void proceed();
    void refuse_step(const smtp::Reply& reply, Origin origin, bool closes);
    void refuse_connection(const smtp::Reply& reply, bool closes);
    void admit();
    [[nodiscard]] policy::LimitBatch more_bytes(std::uint64_t size) const;
    [[nodiscard]] policy::LimitBatch questions_of_recipient(ByteView recipient) const;
    void give_back_recipient();
    void give_back_message(bool is_accepted);
    void give_back(std::size_t first, bool (*is_meant)(const policy::LimitRule&));
    void leave_login();
    void leave_limits();

    // policy.cpp: what MAIL and RCPT may say, and how much
    [[nodiscard]] bool refuses_sender(const smtp::MailArguments& mail);
    [[nodiscard]] std::optional<RecipientRefusal> policy_on_recipient(ByteView recipient) const;
    void refuse_size();

    // transaction.cpp: MAIL, RCPT, and the upstream's answers
    void begin_transaction(ByteView argument);
    void use_upstream();
    void send_mail();
    [[nodiscard]] std::optional<RecipientRefusal> refusal_of_recipient(ByteView argument) const;
    void add_recipient(ByteView argument);
    void send_recipient();
    void note_refused_recipient(const smtp::Reply& reply, Origin origin);
    void refuse_recipient_for_lost_upstream();
    void take_upstream_answer();
    void take_mail_answer();
    void take_recipient_answer();
    void reset_transaction();
    void give_up_message(Origin origin);
    [[nodiscard]] bool ended_without_recipients();
    void end_message(Result result, Origin origin, int code, std::string_view reply);
    void end_message(Origin origin, int code, std::string_view reply);
    [[nodiscard]] std::string received_field() const;

    // upstream.cpp: which upstream, how it is had, what goes wrong with it, how it is left
    [[nodiscard]] std::optional<std::size_t> upstream_for(std::string_view sender) const;
    void open_upstream(bool is_new);
    void take_upstream_event(smtp::UpstreamLeg::Event event);
    [[nodiscard]] bool upstream_owes() const noexcept;
    [[nodiscard]] bool is_on_trial() const noexcept;
    [[nodiscard]] const UpstreamSettings& upstream_settings() const {
        return settings_.upstreams[upstream_index_];
    }
    void upstream_not_opened(UpstreamOutcome how, const smtp::StaticReply& reply, std::string_view what = {});
    void upstream_broke(const smtp::StaticReply& reply, std::string_view what);
    void upstream_failed(const smtp::StaticReply& reply, std::string_view what);
    void answer_owed(const smtp::StaticReply& reply);
    void await(smtp::Awaited awaited);
    void reset_upstream();
    void drop_upstream();
    void release_upstream();
    void return_upstream();

    // message_data.cpp: DATA and the end of data
    void begin_data();
    void take_go_ahead();
    void begin_data_phase();
    void await_final_answer();
    [[nodiscard]] std::size_t take_data(ByteView bytes);
    void end_data();
    void refuse_whole_message(const smtp::Reply& reply, Origin origin);
    [[nodiscard]] std::size_t take_refused_data(ByteView bytes);
    void pass_data(ByteView safe);
    void pass_stuffed(ByteView safe);
    void pass_trace();
    void refuse_data(const smtp::Reply& reply, Origin origin);
    void refuse_data(const smtp::StaticReply& reply, Origin origin);
    void say_refusal();
    void take_final_answer();

    // chunks.cpp: BDAT
    void begin_chunk(const smtp::Command& command);
    void take_chunk_up();
    void send_chunk();
    void end_chunk();
    [[nodiscard]] std::size_t take_chunk(ByteView bytes);
    [[nodiscard]] std::size_t take_refused_chunk(ByteView bytes);
    void drop_chunk(const smtp::StaticReply& reply);
    void take_chunk_answer(bool was_last);

    const Settings& settings_;
    Actions& actions_;
    const ClientFacts client_;

    State state_ = State::kConnecting;
    bool tls_ = false;
    bool arrived_before_tls_ = false;  ///< and the limits have been asked about its connection
    bool authenticated_ = false;
    bool draining_ = false;
    bool kicked_ = false;
    bool client_gone_ = false;
    bool has_unread_ = false;    ///< the client has sent octets that are not consumed
    bool line_is_auth_ = false;  ///< the line being read is an AUTH command or response
    bool progressed_ = false;    ///< since the deadline was set: the next wait gets a new one
    std::uint32_t commands_ = 0;
    std::uint32_t errors_ = 0;
    std::uint32_t messages_ = 0;
    std::uint32_t owed_ = 0;  ///< answers of the upstream that the client waits for
    int failed_attempts_ = 0;
    WallTime now_;

    smtp::ClientLeg client_leg_;
    smtp::Capabilities offer_;
    AuthOffer auth_offer_;
    auth::Identity identity_;
    AuthEnd auth_end_ = AuthEnd::kRefusedCredentials;  ///< what the client hears after the failure delay …
    auth::Reason auth_reason_ = auth::Reason::kNone;   ///< … and why
    std::string auth_backend_;                         ///< who said so
    std::string auth_user_;                            ///< about whom
    std::unique_ptr<auth::Exchange> exchange_;         ///< while an AUTH is under way
    std::unique_ptr<auth::Step> waiting_step_;         ///< not judged before the limits have answered
    Duration guess_delay_{};
    bool attempt_is_counted_ = false;       ///< the limits have been asked about this AUTH
    std::unique_ptr<LimitedStep> limited_;  ///< while the limits are asked, and while one lets it wait
    std::unique_ptr<smtp::Reply> greeting_refusal_;     ///< said after the handshake, where it could be heard
    std::unique_ptr<AuthRefusal> auth_refusal_;         ///< said when the failure delay is over
    std::vector<policy::LimitQuestion> entered_;        ///< what leaves with the session …
    std::vector<policy::LimitQuestion> login_entered_;  ///< … and what with its login
    std::unique_ptr<smtp::UpstreamLeg> upstream_;       ///< from UpstreamReady to leave_upstream()
    std::size_t upstream_index_ = 0;                    ///< whose it is: index in Settings::upstreams
    bool upstream_was_used_ = false;                    ///< for another transaction
    bool upstream_is_proven_ = false;           ///< it has answered MAIL; a used one may be stale until then
    std::unique_ptr<Transaction> transaction_;  ///< from MAIL to its end

    // A chunk or the data being dropped may belong to no transaction at all.
    std::uint64_t chunk_left_ = 0;
    bool chunk_is_last_ = false;
    bool chunks_are_refused_ = false;  ///< those that follow belong to a message that was refused
    Origin refusal_origin_ = Origin::kGateway;
    bool refusal_ends_message_ = true;
    std::unique_ptr<smtp::Reply> refusal_;  ///< what is said once the refused data has ended
};

}  // namespace gatepost::session
