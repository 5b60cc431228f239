#include "tests/bench/load_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <openssl/err.h>

#include "tests/bench/load_epoll.h"
#include "tests/bench/load_tls.h"

namespace gatepost::bench {
namespace {

constexpr std::size_t kEventsAtOnce = 256;
constexpr std::size_t kLongestReply = 16384;

float milliseconds_since(LoadClock::time_point then) {
    return std::chrono::duration<float, std::milli>(LoadClock::now() - then).count();
}

}  // namespace

struct LoadClient::Slot {
    explicit Slot(const ScriptText& text) : script(text, 1) {}

    int fd = -1;
    SSL* tls = nullptr;
    ClientScript script;
    std::string_view to_send{};  // of the shared text
    std::string line;            // a started reply line
    std::uint32_t watched = 0;
    bool connecting = false;
    bool shaking_hands = false;
    bool held = false;
    unsigned sessions = 0;
    unsigned index = 0;
    LoadClock::time_point session_began{};
    LoadClock::time_point message_began{};
};

LoadClient::LoadClient(const LoadOptions& options, ScriptText text)
    : options_(options), text_(std::move(text)), pacer_(options.rate) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (options_.tls != LoadTls::kNone) tls_context_ = make_load_tls_context();
}

LoadClient::~LoadClient() {
    for (const auto& slot : slots_) {
        if (slot->tls != nullptr) SSL_free(slot->tls);
        if (slot->fd >= 0) ::close(slot->fd);
    }
    SSL_CTX_free(tls_context_);
    if (epoll_ >= 0) ::close(epoll_);
}

void LoadClient::start(unsigned count, bool again) {
    again_ = again;
    pacer_.start(LoadClock::now());
    for (unsigned i = 0; i < count; ++i) {
        slots_.push_back(std::make_unique<Slot>(text_));
        slots_.back()->index = static_cast<unsigned>(slots_.size() - 1);
        open_session(*slots_.back());
    }
}

void LoadClient::run_for(std::chrono::duration<double> limit) {
    const auto end = LoadClock::now() + std::chrono::duration_cast<LoadClock::duration>(limit);
    std::array<epoll_event, kEventsAtOnce> events{};
    while (open_ > 0) {
        begin_due();
        const auto now = LoadClock::now();
        if (now >= end) return;
        const auto wake = idle_.empty() ? end : std::min(end, std::max(now, pacer_.due()));
        const int ready = wait_for_events(epoll_, wake - now, events);
        for (int i = 0; i < ready; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            on_ready(*static_cast<Slot*>(event.data.ptr), event.events);
        }
    }
}

/// Paced messages whose time has come. Their clock runs since they were due, so that waiting for a session
/// counts.
void LoadClient::begin_due() {
    const auto now = LoadClock::now();
    while (!idle_.empty() && pacer_.due() <= now) {
        Slot& slot = *idle_.front();
        idle_.pop_front();
        if (slot.fd < 0) continue;  // failed while it waited
        slot.message_began = pacer_.due();
        pacer_.take();
        write_some(slot);
    }
}

void LoadClient::leave_held() {
    for (const auto& slot : slots_) {
        if (!slot->held) continue;
        slot->held = false;
        --results_.held;
        act(*slot, slot->script.leave());
    }
}

void LoadClient::open_session(Slot& slot) {
    // The first session of slot i is as far along as if the slots had begun one after another.
    const unsigned all = options_.messages_per_session;
    const unsigned first =
        slot.sessions++ == 0 ? 1 + slot.index % options_.concurrency * all / options_.concurrency : all;
    slot.script = ClientScript(text_, first);
    slot.line.clear();
    slot.to_send = {};
    slot.session_began = LoadClock::now();
    slot.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ++open_;
    if (slot.fd < 0) return fail(slot, "no more descriptors");
    const int on = 1;
    setsockopt(slot.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr);
    const int connected = connect(slot.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (connected != 0 && errno != EINPROGRESS) return fail(slot, "cannot connect");
    slot.shaking_hands = options_.tls == LoadTls::kImplicit;
    if (options_.tls == LoadTls::kImplicit && connected != 0) {
        slot.connecting = true;
        watch(slot, EPOLLOUT);
    } else {
        watch(slot, EPOLLIN);
        if (slot.shaking_hands) shake_hands(slot);
    }
}

void LoadClient::end_session(Slot& slot) {
    if (slot.tls != nullptr) {
        if (!slot.shaking_hands) SSL_shutdown(slot.tls);  // close_notify, as good clients do
        SSL_free(slot.tls);
        slot.tls = nullptr;
    }
    if (slot.fd >= 0) ::close(slot.fd);
    slot.fd = -1;
    slot.watched = 0;
    slot.connecting = slot.shaking_hands = false;
    --open_;
}

void LoadClient::fail(Slot& slot, const std::string& why) {
    if (results_.first_error.empty()) results_.first_error = why;
    ++results_.errors;
    if (slot.held) --results_.held;
    slot.held = false;
    ERR_clear_error();
    end_session(slot);
    // Not opened again: a slot that failed would only make more noise, and a run with errors does not count.
}

void LoadClient::on_ready(Slot& slot, std::uint32_t events) {
    if (slot.fd < 0) return;
    if (slot.connecting) {
        slot.connecting = false;
        watch(slot, EPOLLIN);
    }
    if (slot.shaking_hands) return shake_hands(slot);
    if ((events & EPOLLOUT) != 0 && !slot.to_send.empty()) return write_some(slot);
    read_replies(slot);
}

void LoadClient::shake_hands(Slot& slot) {
    if (slot.tls == nullptr) {
        slot.tls = SSL_new(tls_context_);
        SSL_set_fd(slot.tls, slot.fd);
        SSL_set_connect_state(slot.tls);
    }
    const int result = SSL_do_handshake(slot.tls);
    if (result != 1) {
        const int error = SSL_get_error(slot.tls, result);
        if (error != SSL_ERROR_WANT_READ) fail(slot, "handshake failed");
        return;
    }
    slot.shaking_hands = false;
    if (results_.tls.empty()) results_.tls = name_of_tls(slot.tls);
    if (text_.starttls) return act(slot, slot.script.on_tls());
    read_replies(slot);  // the greeting may be there already
}

void LoadClient::read_replies(Slot& slot) {
    std::array<char, 4096> buffer;
    do {
        ssize_t got = 0;
        if (slot.tls != nullptr) {
            got = SSL_read(slot.tls, buffer.data(), static_cast<int>(buffer.size()));
            if (got <= 0 && SSL_get_error(slot.tls, static_cast<int>(got)) == SSL_ERROR_WANT_READ) return;
        } else {
            got = recv(slot.fd, buffer.data(), buffer.size(), 0);
            if (got < 0 && errno == EAGAIN) return;
        }
        if (got <= 0)
            return fail(slot, "closed while waiting for " + std::to_string(slot.script.expected_code()));
        slot.line.append(buffer.data(), static_cast<std::size_t>(got));
        if (!take_lines(slot)) return;
    } while (slot.tls != nullptr && SSL_has_pending(slot.tls) == 1);
}

/// Takes whole reply lines; false when this session is over.
bool LoadClient::take_lines(Slot& slot) {
    std::size_t from = 0;
    for (std::size_t end = slot.line.find("\r\n"); end != std::string::npos;
         end = slot.line.find("\r\n", from)) {
        const std::string_view line = std::string_view(slot.line).substr(from, end - from);
        from = end + 2;
        if (line.size() > 3 && line[3] == '-') continue;
        const int code = line.size() < 3 ? 0 : (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
        const ScriptStep step = slot.script.on_reply(code);
        const bool is_last = step.kind != ScriptStep::Kind::kSend && step.kind != ScriptStep::Kind::kWait;
        if (step.kind == ScriptStep::Kind::kFailed) {
            fail(slot,
                 "expected " + std::to_string(slot.script.expected_code()) + ", got: " + std::string(line));
            return false;
        }
        const bool rest = from < slot.line.size();
        if (is_last) slot.line.clear();
        if (is_last && rest) {
            fail(slot, "octets behind the last reply");
            return false;
        }
        act(slot, step);
        if (is_last || slot.fd < 0) return false;
    }
    slot.line.erase(0, from);
    if (slot.line.size() <= kLongestReply) return true;
    fail(slot, "a reply that never ends");
    return false;
}

void LoadClient::act(Slot& slot, const ScriptStep& step) {
    if (step.message_accepted) {
        ++results_.messages;
        if (results_.measuring)
            results_.message_milliseconds.push_back(milliseconds_since(slot.message_began));
    }
    if (step.sender_accepted && results_.measuring)
        results_.mail_milliseconds.push_back(milliseconds_since(slot.message_began));
    if (step.message_begins && pacer_.is_on()) {
        slot.to_send = step.octets;
        return idle_.push_back(&slot);
    }
    if (step.message_begins) slot.message_began = LoadClock::now();
    switch (step.kind) {
        case ScriptStep::Kind::kWait: return;
        case ScriptStep::Kind::kSend: slot.to_send = step.octets; return write_some(slot);
        case ScriptStep::Kind::kStartTls: slot.shaking_hands = true; return shake_hands(slot);
        case ScriptStep::Kind::kHeld:
            slot.held = true;
            ++results_.held;
            if (results_.measuring)
                results_.session_milliseconds.push_back(milliseconds_since(slot.session_began));
            return;
        case ScriptStep::Kind::kDone:
            end_session(slot);
            ++results_.sessions;
            if (results_.measuring)
                results_.session_milliseconds.push_back(milliseconds_since(slot.session_began));
            if (again_) open_session(slot);
            return;
        case ScriptStep::Kind::kFailed: return fail(slot, "the script failed");
    }
}

void LoadClient::write_some(Slot& slot) {
    while (!slot.to_send.empty()) {
        ssize_t sent = 0;
        if (slot.tls != nullptr) {
            sent = SSL_write(slot.tls, slot.to_send.data(), static_cast<int>(slot.to_send.size()));
            if (sent <= 0 && SSL_get_error(slot.tls, static_cast<int>(sent)) == SSL_ERROR_WANT_WRITE)
                return watch(slot, EPOLLIN | EPOLLOUT);
        } else {
            sent = send(slot.fd, slot.to_send.data(), slot.to_send.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) return watch(slot, EPOLLIN | EPOLLOUT);
        }
        if (sent <= 0) return fail(slot, "closed while it was written to");
        slot.to_send.remove_prefix(static_cast<std::size_t>(sent));
    }
    watch(slot, EPOLLIN);
}

void LoadClient::watch(Slot& slot, std::uint32_t events) const {
    if (slot.watched == events) return;
    watch_events(epoll_, slot.fd, &slot, slot.watched, events);
    slot.watched = events;
}

}  // namespace gatepost::bench
