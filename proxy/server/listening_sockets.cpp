#include "proxy/server/listening_sockets.h"

#include <utility>

#include "proxy/net/listener.h"

namespace gatepost::server {
namespace {

using conf::LogEvent;
using conf::LogField;

std::string_view mode_of(conf::ListenerTls tls) {
    switch (tls) {
        case conf::ListenerTls::None: return "none";
        case conf::ListenerTls::StartTls: return "starttls";
        case conf::ListenerTls::Implicit: return "implicit";
    }
    return "";
}

}  // namespace

Result<std::vector<Acceptors::Door>> ListeningSockets::open(const Plan& plan) {
    for (const std::string& problem : inherited_.problems()) {
        log_.log(LogEvent::listener_failed, {{LogField::what, problem}});
        return fail(problem);
    }
    std::vector<Acceptors::Door> doors;
    std::multiset<std::string> here = served_;
    for (const ListenerPlan& listener : plan.listeners) {
        doors.push_back({.address = listener.address, .socket = {}});
        if (const auto found = here.find(listener.address); found != here.end()) {
            here.erase(found);
            continue;
        }
        Result<net::UniqueFd> socket = inherited_.listen(listener.name, listener.address);
        if (!socket) {
            log_.log(LogEvent::listener_failed, {{LogField::listener, listener.name},
                                                 {LogField::address, listener.address},
                                                 {LogField::what, socket.error().message}});
            return std::unexpected(std::move(socket.error()));
        }
        log_.log(LogEvent::listener, {{LogField::listener, listener.name},
                                      {LogField::address, net::listening_address(socket->get())},
                                      {LogField::mode, mode_of(listener.tls)}});
        doors.back().socket = std::move(*socket);
    }
    for (const std::string& warning : inherited_.warnings())
        log_.log(LogEvent::config_note, {{LogField::file, plan.config->file}, {LogField::what, warning}});
    return doors;
}

void ListeningSockets::served(const std::vector<Acceptors::Door>& doors) {
    served_.clear();
    for (const Acceptors::Door& door : doors) served_.insert(door.address);
}

}  // namespace gatepost::server
