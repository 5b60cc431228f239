#include "proxy/net/tls_context.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "proxy/net/certificate.h"
#include "proxy/net/client_certificates.h"
#include "proxy/net/secret_file.h"
#include "proxy/net/ticket_ring.h"

namespace gatepost::net {

namespace {

constexpr const char* kTls13Suites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/// AES-128-GCM first: the cheapest where the processor knows AES, and enough.
constexpr const char* kTls12Ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384";
/// What devices of the time before TLS 1.2 have.
constexpr const char* kOldCiphers =
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"
    "AES128-GCM-SHA256:AES128-SHA:AES256-SHA:@SECLEVEL=0";
constexpr const char* kGroups = "X25519:P-256:P-384";
/// Seven full records (RFC 8446 section 5.2: 16384 octets, and 22 of framing each) and the header of the
/// next. A size that cuts a record costs a read and a write of its own for the rest of it.
constexpr std::size_t kReadAhead = 7 * (16384 + 22) + 3;

using ContextPointer = std::unique_ptr<SSL_CTX, Freeing<SSL_CTX, SSL_CTX_free>>;

/// What the callbacks need. Belongs to the default context, which every session of this listener keeps alive.
struct Served {
    std::map<std::string, SSL_CTX*, std::less<>> by_name;  ///< each but the default holds a reference
    SSL_CTX* default_context = nullptr;
    std::shared_ptr<const TicketKeys> ticket_keys;

    Served() = default;
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;
    ~Served() {
        for (const auto& [name, context] : by_name) {
            if (context != default_context) SSL_CTX_free(context);
        }
    }

    void add(const std::string& name, SSL_CTX* context) {
        if (!by_name.emplace(name, context).second) return;  // the first in the file wins
        if (context != default_context) SSL_CTX_up_ref(context);
    }

    [[nodiscard]] SSL_CTX* find(std::string_view name) const {
        if (const auto exact = by_name.find(name); exact != by_name.end()) return exact->second;
        const std::size_t dot = name.find('.');
        if (dot == std::string_view::npos || dot == 0) return nullptr;
        const auto wildcard = by_name.find("*" + std::string(name.substr(dot)));
        return wildcard == by_name.end() ? nullptr : wildcard->second;
    }
};

/// Frees Served with the context that owns it.
void free_served(void* /*parent*/, void* served, CRYPTO_EX_DATA* /*all*/, int /*index*/, long /*number*/,
                 void* /*pointer*/) {
    delete static_cast<Served*>(served);
}

int owner_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_served);
    return index;
}

int view_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

const Served& served_by(SSL* session) {
    return *static_cast<const Served*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), view_index()));
}

/// The host name of a server_name extension (RFC 6066 section 3): one entry of type 0.
std::string requested_name(SSL* session) {
    const unsigned char* octets = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(session, TLSEXT_TYPE_server_name, &octets, &size) != 1 || size < 5)
        return {};
    const std::string_view extension(reinterpret_cast<const char*>(octets), size);
    const std::size_t list_size = static_cast<std::size_t>(octets[0] << 8 | octets[1]);
    const std::size_t name_size = static_cast<std::size_t>(octets[3] << 8 | octets[4]);
    if (list_size != size - 2 || octets[2] != TLSEXT_NAMETYPE_host_name || name_size > size - 5) return {};
    std::string name = lower_case(extension.substr(5, name_size));
    if (name.ends_with('.')) name.pop_back();
    return name;
}

int choose_certificate(SSL* session, int* /*alert*/, void* /*unused*/) {
    const std::string name = requested_name(session);
    if (name.empty()) return SSL_CLIENT_HELLO_SUCCESS;
    SSL_CTX* chosen = served_by(session).find(name);
    if (chosen != nullptr && chosen != SSL_get_SSL_CTX(session)) SSL_set_SSL_CTX(session, chosen);
    return SSL_CLIENT_HELLO_SUCCESS;
}

int seal_or_open_ticket(SSL* session, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                        EVP_MAC_CTX* mac, int is_sealing) {
    const TicketKeys::Ring& ring = served_by(session).ticket_keys->ring();
    if (is_sealing == 1) return ring.seal(name, iv, cipher, mac) ? 1 : -1;
    switch (ring.open(name, iv, cipher, mac)) {
        case TicketKeys::Ring::Opened::kUnknownKey: return 0;
        case TicketKeys::Ring::Opened::kFailed: return -1;
        // 2 sends a new ticket. TLS 1.3 clients use each only once, and with 1 they would never get another.
        case TicketKeys::Ring::Opened::kNewest: return SSL_version(session) == TLS1_3_VERSION ? 2 : 1;
        case TicketKeys::Ring::Opened::kOlder: return 2;
    }
    return -1;
}

std::optional<int> parse_version(std::string_view text) {
    if (text == "1.0") return TLS1_VERSION;
    if (text == "1.1") return TLS1_1_VERSION;
    if (text == "1.2") return TLS1_2_VERSION;
    if (text == "1.3") return TLS1_3_VERSION;
    return std::nullopt;
}

/// The operator writes one list; OpenSSL wants the TLS 1.3 suites apart.
bool set_ciphers(SSL_CTX* context, const std::string& list, bool is_old) {
    std::string suites;
    std::string ciphers;
    for (std::string_view rest = list; !rest.empty();) {
        const std::string_view one = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), one.size() + 1));
        std::string& target = one.starts_with("TLS_") ? suites : ciphers;
        (target += target.empty() ? "" : ":") += one;
    }
    if (suites.empty()) suites = kTls13Suites;
    if (ciphers.empty()) ciphers = std::string(kTls12Ciphers) + (is_old ? kOldCiphers : "");
    return SSL_CTX_set_ciphersuites(context, suites.c_str()) == 1 &&
           SSL_CTX_set_cipher_list(context, ciphers.c_str()) == 1;
}

std::string cipher_trouble(const std::string& list) {
    return "TLS ciphers \"" + list + "\": " + openssl_reason();
}

/// Tickets carry what was decided about a client, so they are good only under the same policy.
bool set_session_id_context(SSL_CTX* context, const TlsSettings& settings, ByteView client_ca) {
    std::string policy = settings.min_version + '\n' + settings.ciphers + '\n';
    policy += client_ca;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(policy.data(), policy.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        return false;
    return SSL_CTX_set_session_id_context(context, digest.data(), std::min(size, 32U)) == 1;
}

/// All but the certificates: the same for each context of a listener, since changing the context of a session
/// does not move them.
Result<ContextPointer> make_context(const TlsSettings& settings, int min_version, ByteView client_ca,
                                    Served& served) {
    ContextPointer made(SSL_CTX_new(TLS_server_method()));
    if (!made) return fail("TLS: " + openssl_reason());
    SSL_CTX* context = made.get();
    const bool is_old = min_version < TLS1_2_VERSION;
    if (is_old) SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, min_version);
    SSL_CTX_set_max_proto_version(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, kReadAhead);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_ex_data(context, view_index(), &served);
    SSL_CTX_set_client_hello_cb(context, choose_certificate, nullptr);
    if (served.ticket_keys) {
        SSL_CTX_set_num_tickets(context, 1);
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, seal_or_open_ticket);
        check_certificates_in_tickets(context);
    } else {
        SSL_CTX_set_num_tickets(context, 0);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    }
    if (SSL_CTX_set1_groups_list(context, kGroups) != 1) return fail("TLS groups: " + openssl_reason());
    if (!set_ciphers(context, settings.ciphers, is_old)) return fail(cipher_trouble(settings.ciphers));
    if (!set_session_id_context(context, settings, client_ca)) return fail("TLS: " + openssl_reason());
    if (!settings.client_ca.empty()) {
        if (auto set = set_client_ca(context, settings.client_ca, client_ca); !set)
            return std::unexpected(set.error());
    }
    return made;
}

/// Entries with the same names: one context, which then has a certificate for each type of key.
struct Group {
    ContextPointer context;
    std::vector<std::string> names;
    std::map<int, std::string> path_by_key_type;
};

}  // namespace

Result<void> check_ciphers(const std::string& list) {
    const ContextPointer context(SSL_CTX_new(TLS_server_method()));
    if (!context || !set_ciphers(context.get(), list, true)) return fail(cipher_trouble(list));
    return {};
}

Result<void> check_client_ca(const std::string& path) {
    const auto bundle = read_secret_file(path);
    if (!bundle) return fail("client_ca " + path + ": " + bundle.error().message);
    const ContextPointer context(SSL_CTX_new(TLS_server_method()));
    if (!context) return fail("TLS: " + openssl_reason());
    return set_client_ca(context.get(), path, bundle->reveal());
}

Result<std::unique_ptr<TlsContext>> TlsContext::make(const TlsSettings& settings) {
    const auto min_version = parse_version(settings.min_version);
    if (!min_version)
        return fail("min_version \"" + settings.min_version + "\": not one of 1.0, 1.1, 1.2, 1.3");
    if (settings.certificates.empty()) return fail("TLS: no certificate");
    Secret client_ca;
    if (!settings.client_ca.empty()) {
        auto text = read_secret_file(settings.client_ca);
        if (!text) return fail("client_ca " + settings.client_ca + ": " + text.error().message);
        client_ca = std::move(*text);
    }
    auto served = std::make_unique<Served>();
    served->ticket_keys = settings.ticket_keys;
    std::vector<Group> groups;
    std::vector<CertificateFacts> facts;
    for (const CertificateFiles& files : settings.certificates) {
        auto loaded = load_certificate(files);
        if (!loaded) return std::unexpected(loaded.error());
        auto group = std::ranges::find(groups, loaded->facts.names, &Group::names);
        if (group == groups.end()) {
            auto context = make_context(settings, *min_version, client_ca.reveal(), *served);
            if (!context) return std::unexpected(context.error());
            groups.push_back(
                {.context = std::move(*context), .names = loaded->facts.names, .path_by_key_type = {}});
            group = std::prev(groups.end());
        }
        const auto [other, is_new] =
            group->path_by_key_type.emplace(EVP_PKEY_get_base_id(loaded->key.get()), files.certificate);
        if (!is_new) {
            return fail("certificate " + files.certificate + ": has the same names and type of key as " +
                        other->second + ", so one of them would never be used");
        }
        if (!use_certificate(group->context.get(), *loaded))
            return fail("certificate " + files.certificate + ": " + openssl_reason());
        facts.push_back(std::move(loaded->facts));
    }
    SSL_CTX* default_context = groups.front().context.get();
    served->default_context = default_context;
    for (const Group& group : groups) {
        for (const std::string& name : group.names) served->add(name, group.context.get());
    }
    if (SSL_CTX_set_ex_data(default_context, owner_index(), served.get()) != 1)
        return fail("TLS: " + openssl_reason());
    static_cast<void>(served.release());  // free_served() does it
    return std::unique_ptr<TlsContext>(new TlsContext(groups.front().context.release(), std::move(facts)));
}

TlsContext::~TlsContext() {
    SSL_CTX_free(context_);
}

}  // namespace gatepost::net
