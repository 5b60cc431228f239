#include "tests/unit/proxy/net/net_fixture.h"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "proxy/net/dialer.h"
#include "proxy/net/listener.h"
#include "proxy/net/timer.h"

namespace gatepost::net::testing {

namespace {

constexpr std::chrono::seconds kLimit{10};

void set_blocking(int fd) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    const timeval limit{.tv_sec = kLimit.count(), .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gatepost-net-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, std::string_view octets) const {
    std::ofstream(path(name), std::ios::binary) << octets;
    return path(name);
}

CertificateFiles make_certificate(const TemporaryFolder& folder, const std::string& file,
                                  const std::string& common_name, const std::vector<std::string>& names,
                                  KeyKind kind, std::chrono::seconds lifetime) {
    EVP_PKEY* key = kind == KeyKind::kEc ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime.count());
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    if (!names.empty()) {
        std::string list;
        for (const std::string& name : names) (list += list.empty() ? "DNS:" : ",DNS:") += name;
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, list.c_str());
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
    CertificateFiles files{.certificate = folder.path(file + ".crt"), .key = folder.path(file + ".key")};
    FILE* out = std::fopen(files.certificate.c_str(), "w");
    PEM_write_X509(out, certificate);
    std::fclose(out);
    out = std::fopen(files.key.c_str(), "w");
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return files;
}

bool run_until(EventLoop& loop, const std::function<bool()>& done) {
    if (done()) return true;
    bool is_done = false;
    const TimePoint limit = Clock::now() + kLimit;
    std::optional<Timer> tick;
    tick.emplace(loop, [&] {
        is_done = done();
        if (is_done || Clock::now() > limit) return loop.stop();
        tick->start(std::chrono::milliseconds(1));
    });
    tick->start(std::chrono::milliseconds(1));
    loop.run();
    return is_done;
}

std::size_t RecordingHandler::on_bytes(Transport& transport, ByteView bytes) {
    if (closed) ++calls_after_close;
    shown.emplace_back(bytes);
    const std::size_t consumed = consume ? consume(transport, bytes) : bytes.size();
    received += bytes.substr(0, consumed);
    return consumed;
}

void RecordingHandler::on_tls_established(Transport& transport) {
    if (closed) ++calls_after_close;
    ++established;
    if (when_established) when_established(transport);
}

void RecordingHandler::on_drained(Transport& transport) {
    if (closed) ++calls_after_close;
    ++drained;
    if (when_drained) when_drained(transport);
}

void RecordingHandler::on_closed(Transport& /*transport*/, CloseCause cause) {
    if (closed) ++calls_after_close;
    closed = cause;
    if (when_closed) when_closed();
}

std::pair<UniqueFd, UniqueFd> socket_pair() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0) std::abort();
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::pair<UniqueFd, UniqueFd> tcp_pair() {
    auto listening = listen_on("127.0.0.1:0");
    if (!listening) std::abort();
    auto dialed = dial(local_address(listening->get()));
    if (!dialed) std::abort();
    set_blocking(listening->get());
    UniqueFd accepted(::accept4(listening->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) std::abort();
    return {std::move(accepted), std::move(*dialed)};
}

Peer::Peer(UniqueFd socket) : socket_(std::move(socket)) {
    set_blocking(socket_.get());
}
Peer::~Peer() = default;

bool Peer::handshake(const Tls& wish) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), wish.version);
    SSL_CTX_set_max_proto_version(context_.get(), wish.version);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (!wish.ciphers.empty()) SSL_CTX_set_cipher_list(context_.get(), wish.ciphers.c_str());
    if (!wish.signatures.empty()) SSL_CTX_set1_sigalgs_list(context_.get(), wish.signatures.c_str());
    if (!wish.certificate.certificate.empty()) {
        SSL_CTX_use_certificate_file(context_.get(), wish.certificate.certificate.c_str(), SSL_FILETYPE_PEM);
        SSL_CTX_use_PrivateKey_file(context_.get(), wish.certificate.key.c_str(), SSL_FILETYPE_PEM);
    }
    ssl_.reset(SSL_new(context_.get()));
    if (!wish.name.empty()) SSL_set_tlsext_host_name(ssl_.get(), wish.name.c_str());
    if (wish.resume != nullptr) SSL_set_session(ssl_.get(), wish.resume);
    SSL_set_fd(ssl_.get(), socket_.get());
    ERR_clear_error();
    return SSL_connect(ssl_.get()) == 1;
}

bool Peer::send(std::string_view octets) {
    while (!octets.empty()) {
        ERR_clear_error();
        const long count = ssl_ ? SSL_write(ssl_.get(), octets.data(), static_cast<int>(octets.size()))
                                : ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
        if (count <= 0) return false;
        octets.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string Peer::receive_some() {
    std::array<char, 65536> space;
    ERR_clear_error();
    const long count = ssl_ ? SSL_read(ssl_.get(), space.data(), static_cast<int>(space.size()))
                            : ::recv(socket_.get(), space.data(), space.size(), 0);
    if (count > 0) return {space.data(), static_cast<std::size_t>(count)};
    if (ssl_) saw_close_notify_ = SSL_get_error(ssl_.get(), static_cast<int>(count)) == SSL_ERROR_ZERO_RETURN;
    return {};
}

std::string Peer::receive(std::size_t count) {
    std::string all;
    while (all.size() < count) {
        const std::string some = receive_some();
        if (some.empty()) break;
        all += some;
    }
    return all;
}

std::string Peer::receive_all() {
    return receive(static_cast<std::size_t>(-1));
}

void Peer::reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
}

void Peer::shutdown_tls() {
    SSL_shutdown(ssl_.get());
}

std::string Peer::server_name() const {
    X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    std::array<char, 256> name{};
    if (certificate == nullptr) return {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                              static_cast<int>(name.size()));
    return name.data();
}

SSL_SESSION* Peer::session() const {
    return SSL_get1_session(ssl_.get());
}

}  // namespace gatepost::net::testing
