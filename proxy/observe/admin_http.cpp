#include "proxy/observe/admin_http.h"

#include <algorithm>
#include <list>
#include <utility>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <event2/util.h>

#include "proxy/base/printable.h"
#include "proxy/net/listener.h"
#include "proxy/net/socket_address.h"

namespace gatepost::observe {
namespace {

constexpr timeval kConnectionDeadline{10, 0};
constexpr timeval kSweepInterval{1, 0};
constexpr std::size_t kConnectionsAtMost = 64;
constexpr ev_ssize_t kHeadersAtMost = 8192;
constexpr ev_ssize_t kBodyAtMost = 1024;
constexpr std::size_t kUnreadAtMost = 2 * kHeadersAtMost;
constexpr int kBacklog = 64;

constexpr const char* kPlainText = "text/plain; charset=utf-8";
constexpr const char* kJson = "application/json; charset=utf-8";
constexpr const char* kPage = "text/html; charset=utf-8";
constexpr const char* kExposition = "text/plain; version=0.0.4; charset=utf-8";

struct Answer {
    int code = 200;
    const char* reason = "OK";
    const char* content_type = kPlainText;
    std::string body;
};

conf::AdminRoute route_of(evhttp_request* request) {
    const evhttp_uri* uri = evhttp_request_get_evhttp_uri(request);
    const char* path = uri == nullptr ? nullptr : evhttp_uri_get_path(uri);
    using enum conf::AdminRoute;
    for (const auto route : {kMetrics, kLivez, kReadyz, kStatus, kStatusJson}) {
        if (path != nullptr && path == to_string(route)) return route;
    }
    return kOther;
}

conf::CodeClass class_of(int code) {
    if (code >= 500) return conf::CodeClass::k5xx;
    return code >= 400 ? conf::CodeClass::k4xx : conf::CodeClass::k2xx;
}

struct FreeEvent {
    void operator()(event* timer) const noexcept { event_free(timer); }
};
using Timer = std::unique_ptr<event, FreeEvent>;

}  // namespace

class AdminHttp::Server {
  public:
    Server(event_base* base, AdminSources sources)
        : base_(base),
          sources_(std::move(sources)),
          sweep_(event_new(base, -1, EV_PERSIST, on_sweep, this)) {}

    ~Server() {
        if (http_ != nullptr) evhttp_free(http_);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] Result<std::uint16_t> listen(std::string_view address) {
        const auto parsed = net::SocketAddress::parse(address);
        if (!net::port_of_every_address(address) && !(parsed && parsed->is_ip())) {
            return fail("'" + printable(address) +
                        "' is no address: expected 127.0.0.1:9587, [::1]:9587 or *:9587");
        }
        auto socket = net::listen_on(address);
        if (!socket) return std::unexpected(std::move(socket.error()));
        http_ = evhttp_new(base_);
        if (http_ == nullptr) return fail("no memory for the admin HTTP server");
        constexpr unsigned kFlags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
        listener_ = evconnlistener_new(base_, nullptr, nullptr, kFlags, kBacklog, socket->get());
        if (listener_ == nullptr) return fail("no memory for the admin HTTP server");
        const std::uint16_t bound = net::local_address(socket->release()).port();
        // Out of descriptors: the socket stays readable, so asking on would only burn the CPU until
        // on_sweep().
        evconnlistener_set_error_cb(
            listener_, [](evconnlistener* listener, void*) { evconnlistener_disable(listener); });
        if (sweep_ != nullptr) evtimer_add(sweep_.get(), &kSweepInterval);
        serve();
        return bound;
    }

    std::uint16_t port = 0;

  private:
    /// One accepted connection. evhttp times out each read and write, but not a client that trickles: this
    /// does.
    struct Connection {
        bufferevent* stream;  ///< one reference is ours
        Timer deadline;
        Server* server;
        std::list<Connection>::iterator self;
        bool was_asked = false;  ///< a whole request came: its answer is on its way
        bool is_cut = false;

        ~Connection() { bufferevent_decref(stream); }

        /// evhttp has taken its callbacks off when it is done with a stream.
        [[nodiscard]] bool is_over() const {
            bufferevent_event_cb on_event = nullptr;
            bufferevent_getcb(stream, nullptr, nullptr, &on_event, nullptr);
            return on_event == nullptr;
        }
    };

    void serve() {
        evhttp_set_gencb(
            http_, [](evhttp_request* request, void* self) { static_cast<Server*>(self)->answer(request); },
            this);
        evhttp_set_bevcb(
            http_, [](event_base*, void* self) { return static_cast<Server*>(self)->accepted(); }, this);
        evhttp_set_allowed_methods(http_, 0xFFFF);  // those that are not served get our 405
        evhttp_set_max_headers_size(http_, kHeadersAtMost);
        evhttp_set_max_body_size(http_, kBodyAtMost);
        evhttp_set_timeout(http_, static_cast<int>(kConnectionDeadline.tv_sec));
        evhttp_bind_listener(http_, listener_);
    }

    bufferevent* accepted() {
        let_go();
        // The stream must own its socket. If evhttp closed it, our reference would keep the stream's events
        // in libevent's table, and whoever got the same descriptor next would never be told that it is
        // readable.
        bufferevent* stream = bufferevent_socket_new(base_, -1, BEV_OPT_CLOSE_ON_FREE);
        if (stream == nullptr) return nullptr;  // evhttp tries again by itself
        bufferevent_incref(stream);
        bufferevent_setwatermark(stream, EV_READ, 0, kUnreadAtMost);
        Connection& connection = connections_.emplace_back(stream, nullptr, this);
        connection.self = std::prev(connections_.end());
        connection.deadline.reset(evtimer_new(base_, on_deadline, &connection));
        if (connection.deadline != nullptr) evtimer_add(connection.deadline.get(), &kConnectionDeadline);
        if (connections_.size() > kConnectionsAtMost) make_room();
        return stream;
    }

    /// Whoever holds connections without asking anything must not keep a probe out: the oldest of those that
    /// did not ask yet goes, which is the new one when all others have asked.
    void make_room() {
        const auto oldest = std::ranges::find_if(
            connections_, [](const Connection& one) { return !one.was_asked && !one.is_cut; });
        if (oldest == connections_.end() || oldest->deadline == nullptr) return;
        constexpr timeval kAtOnce{};
        oldest->is_cut = true;
        evtimer_add(oldest->deadline.get(), &kAtOnce);
    }

    void note_asked(evhttp_request* request) {
        const bufferevent* stream = evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
        const auto asking = std::ranges::find(connections_, stream, &Connection::stream);
        if (asking != connections_.end()) asking->was_asked = true;
    }

    /// Closes what evhttp is done with.
    void let_go() {
        connections_.remove_if([](const Connection& connection) { return connection.is_over(); });
    }

    static void on_deadline(int, short, void* argument) {
        auto* connection = static_cast<Connection*>(argument);
        bufferevent_trigger_event(connection->stream, BEV_EVENT_TIMEOUT | BEV_EVENT_READING, 0);
        connection->server->connections_.erase(connection->self);
    }

    static void on_sweep(int, short, void* self) {
        static_cast<Server*>(self)->let_go();
        evconnlistener_enable(static_cast<Server*>(self)->listener_);
    }

    void answer(evhttp_request* request) {
        note_asked(request);
        const conf::AdminRoute route = route_of(request);
        const evhttp_cmd_type method = evhttp_request_get_command(request);
        Answer answer;
        if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
            answer = answer_for(route);
        } else {
            answer = {405, "Method Not Allowed", kPlainText, "only GET and HEAD\n"};
        }
        sources_.answered(route, class_of(answer.code));
        send(request, answer);
    }

    [[nodiscard]] Answer answer_for(conf::AdminRoute route) const {
        switch (route) {
            case conf::AdminRoute::kMetrics: return {200, "OK", kExposition, sources_.metrics()};
            case conf::AdminRoute::kLivez: return {200, "OK", kPlainText, "ok\n"};
            case conf::AdminRoute::kReadyz: return readiness();
            case conf::AdminRoute::kStatus: return {200, "OK", kPage, sources_.status_page()};
            case conf::AdminRoute::kStatusJson: return {200, "OK", kJson, sources_.status_json()};
            case conf::AdminRoute::kOther: break;
        }
        return {404, "Not Found", kPlainText, "try /metrics /livez /readyz /status /status.json\n"};
    }

    [[nodiscard]] Answer readiness() const {
        const std::vector<std::string> reasons = sources_.unready_because();
        if (reasons.empty()) return {200, "OK", kPlainText, "ok\n"};
        Answer answer{503, "Service Unavailable", kPlainText, {}};
        for (const std::string& reason : reasons) answer.body.append(reason).append("\n");
        return answer;
    }

    static void send(evhttp_request* request, const Answer& answer) {
        evkeyvalq* headers = evhttp_request_get_output_headers(request);
        evhttp_add_header(headers, "Content-Type", answer.content_type);
        evhttp_add_header(headers, "Content-Length", std::to_string(answer.body.size()).c_str());
        evhttp_add_header(headers, "Cache-Control", "no-store");
        evhttp_add_header(headers, "Connection", "close");
        if (answer.code == 405) evhttp_add_header(headers, "Allow", "GET, HEAD");
        if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD) {
            evbuffer_add(evhttp_request_get_output_buffer(request), answer.body.data(), answer.body.size());
        }
        evhttp_send_reply(request, answer.code, answer.reason, nullptr);
    }

    event_base* const base_;
    const AdminSources sources_;
    Timer sweep_;  ///< lets go of finished connections, and accepts again after a pause
    std::list<Connection> connections_;
    evconnlistener* listener_ = nullptr;  // owned by http_
    evhttp* http_ = nullptr;
};

AdminHttp::AdminHttp(std::unique_ptr<Server> server) : server_(std::move(server)) {}
AdminHttp::~AdminHttp() = default;

Result<std::unique_ptr<AdminHttp>> AdminHttp::listen(event_base* base, std::string_view address,
                                                     AdminSources sources) {
    auto server = std::make_unique<Server>(base, std::move(sources));
    const auto port = server->listen(address);
    if (!port) return std::unexpected(port.error());
    server->port = *port;
    return std::unique_ptr<AdminHttp>(new AdminHttp(std::move(server)));
}

std::uint16_t AdminHttp::port() const noexcept {
    return server_->port;
}

}  // namespace gatepost::observe
