#include "proxy/server/session_list.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "proxy/base/printable.h"
#include "proxy/net/socket_address.h"
#include "proxy/server/worker.h"

namespace gatepost::server {
namespace {

struct FilterWord {
    std::string_view name;
    std::string SessionFilter::* value;
};
constexpr auto kFilterWords = std::to_array<FilterWord>({{"session", &SessionFilter::id},
                                                         {"user", &SessionFilter::user},
                                                         {"ip", &SessionFilter::client_ip},
                                                         {"listener", &SessionFilter::listener}});

std::string or_dash(std::string_view text) {
    return text.empty() ? "-" : printable(text);
}

std::string line_of(const SessionRow& row) {
    std::string line;
    for (const std::string& text :
         {row.id, row.listener, row.client_ip, row.user, row.helo, row.tls, row.phase, row.upstream})
        line += or_dash(text) + '\t';
    line += std::to_string(std::chrono::floor<std::chrono::seconds>(row.age).count());
    for (const std::uint64_t number : {row.messages, row.received, row.sent})
        line += '\t' + std::to_string(number);
    return line + '\t' + or_dash(row.mechanism) + '\t' + or_dash(row.backend) + '\n';
}

/// What comes in from several workers, until all have answered. On its home's thread.
template <typename Sum>
struct Gathered {
    std::size_t awaited = 0;
    Sum sum{};
    std::function<void(Sum)> told;

    void add(std::vector<SessionRow> rows) {
        sum.insert(sum.end(), std::move_iterator(rows.begin()), std::move_iterator(rows.end()));
    }
    void add(std::size_t count) { sum += count; }
};

/// `ask` is Worker::list_sessions or Worker::kick.
template <typename Sum>
void ask_all(const Workers& workers, Executor& home, const SessionFilter& filter,
             std::function<void(Sum)> told, void (Worker::*ask)(SessionFilter, std::function<void(Sum)>)) {
    const auto gathered = std::make_shared<Gathered<Sum>>();
    gathered->awaited = workers.size();
    gathered->told = std::move(told);
    for (const auto& worker : workers) {
        ((*worker).*ask)(filter, [&home, gathered](Sum part) {
            home.post([gathered, part = std::move(part)]() mutable {
                gathered->add(std::move(part));
                if (--gathered->awaited == 0) gathered->told(std::move(gathered->sum));
            });
        });
    }
}

}  // namespace

Result<SessionFilter> parse_filter(std::span<const std::string> words) {
    SessionFilter filter;
    for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        const auto known = std::ranges::find(kFilterWords, word.substr(0, equals), &FilterWord::name);
        if (known == kFilterWords.end() || equals == std::string::npos || equals + 1 == word.size())
            return fail("no filter: " + printable(word, 64) +
                        "; expected user=NAME, ip=ADDRESS or NETWORK, listener=NAME or session=ID");
        std::string& value = filter.*known->value;
        if (!value.empty()) return fail(std::string(known->name) + "= is given twice");
        value = word.substr(equals + 1);
    }
    if (filter.client_ip.empty()) return filter;
    filter.network = net::Cidr::parse(filter.client_ip);
    if (!filter.network)
        return fail("no address and no network: " + printable(filter.client_ip, 64) +
                    "; expected 192.0.2.1 or 192.0.2.0/24, without bits behind the prefix");
    if (const auto address = net::SocketAddress::from_ip(filter.client_ip, 0))
        filter.client_ip = address->ip_string();
    return filter;
}

std::string filter_text(const SessionFilter& filter) {
    std::string text;
    for (const FilterWord& word : kFilterWords) {
        const std::string& value = filter.*word.value;
        if (value.empty()) continue;
        text.append(text.empty() ? "" : ", ").append(word.name).append(" ").append(printable(value));
    }
    return text.empty() ? "all" : text;
}

bool is_empty(const SessionFilter& filter) {
    return std::ranges::all_of(kFilterWords,
                               [&](const FilterWord& word) { return (filter.*word.value).empty(); });
}

bool fits(const SessionFilter& filter, const SessionRow& row) {
    const auto is_met = [](const std::string& wanted, const std::string& found) {
        return wanted.empty() || wanted == found;
    };
    const auto is_inside = [&] {
        const auto address = net::SocketAddress::from_ip(row.client_ip, 0);
        return filter.network && address && filter.network->contains(*address);
    };
    return is_met(filter.id, row.id) && is_met(filter.user, row.user) &&
           is_met(filter.listener, row.listener) && (filter.client_ip.empty() || is_inside());
}

std::string session_table(std::vector<SessionRow> rows, std::size_t most) {
    std::ranges::sort(rows, [](const SessionRow& one, const SessionRow& other) {
        return std::pair(other.age, std::string_view(one.id)) <
               std::pair(one.age, std::string_view(other.id));
    });
    std::string text = std::string(kSessionColumns) + '\n';
    for (const SessionRow& row : rows) {
        if (text.size() > most) return text + std::string(kMoreSessions) + '\n';
        text += line_of(row);
    }
    return text;
}

void gather_sessions(const Workers& workers, Executor& home, const SessionFilter& filter,
                     std::function<void(std::vector<SessionRow>)> told) {
    ask_all(workers, home, filter, std::move(told), &Worker::list_sessions);
}

void kick_sessions(const Workers& workers, Executor& home, const SessionFilter& filter,
                   std::function<void(std::size_t)> told) {
    ask_all(workers, home, filter, std::move(told), &Worker::kick);
}

}  // namespace gatepost::server
