#include "proxy/net/tls_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <sys/socket.h>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "proxy/base/secret.h"

namespace gatepost::net {

struct TlsStream::Bio {
    static TlsStream& stream_of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

    static int write(BIO* bio, const char* octets, std::size_t size, std::size_t* written) {
        BIO_clear_retry_flags(bio);
        stream_of(bio).wire_.append({octets, size});
        *written = size;
        return 1;
    }

    static int read(BIO* bio, char* space, std::size_t size, std::size_t* got) {
        TlsStream& stream = stream_of(bio);
        BIO_clear_retry_flags(bio);
        *got = 0;
        if (!stream.received_.empty()) {
            *got = std::min(size, stream.received_.size());
            std::memcpy(space, stream.received_.data(), *got);
            stream.received_.erase(0, *got);
            if (stream.received_.empty()) std::string().swap(stream.received_);
            return 1;
        }
        if (stream.is_drained_) {
            BIO_set_retry_read(bio);
            return 0;
        }
        ssize_t count = -1;
        do {
            count = ::recv(stream.socket_, space, size, 0);
        } while (count < 0 && errno == EINTR);
        if (count > 0) {
            *got = static_cast<std::size_t>(count);
            // One recv() for each time the socket rings: records without data (key updates) never fill a
            // budget, and a peer that sends nothing else would otherwise keep this loop to itself.
            stream.is_drained_ = true;
            return 1;
        }
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            BIO_set_retry_read(bio);
        } else {
            stream.has_ended_ = true;
            stream.socket_error_ = count < 0 ? errno : 0;
        }
        return 0;
    }

    static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
        if (command == BIO_CTRL_FLUSH) return 1;
        if (command == BIO_CTRL_EOF) return stream_of(bio).has_ended_ ? 1 : 0;
        return 0;
    }

    static const BIO_METHOD* method() {
        static const BIO_METHOD* const made = [] {
            BIO_METHOD* table = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatepost");
            if (table == nullptr) return table;
            BIO_meth_set_write_ex(table, write);
            BIO_meth_set_read_ex(table, read);
            BIO_meth_set_ctrl(table, control);
            return table;
        }();
        return made;
    }
};

void TlsStream::FreeSsl::operator()(ssl_st* session) const noexcept {
    SSL_free(session);
}

std::unique_ptr<TlsStream> TlsStream::make(ssl_ctx_st* context, Role role, int socket) {
    std::unique_ptr<TlsStream> made(new TlsStream(socket));
    const BIO_METHOD* method = Bio::method();
    made->ssl_.reset(SSL_new(context));
    BIO* bio = method == nullptr ? nullptr : BIO_new(method);
    if (!made->ssl_ || bio == nullptr) {
        BIO_free(bio);
        ERR_clear_error();
        return nullptr;
    }
    BIO_set_data(bio, made.get());
    BIO_set_init(bio, 1);
    SSL_set_bio(made->ssl_.get(), bio, bio);
    if (role == Role::kServer) {
        SSL_set_accept_state(made->ssl_.get());
        made->wipes_ = true;
    } else {
        SSL_set_connect_state(made->ssl_.get());
        made->is_drained_ = true;  // the client speaks first
    }
    return made;
}

TlsStream::~TlsStream() {
    if (!wipes_ || has_failed_) return;
    is_drained_ = true;  // the socket may be closed already, and its number somebody else's
    received_.clear();
    std::array<char, 1024> space{};
    while (SSL_pending(ssl_.get()) > 0) {  // decrypted, and never read
        std::size_t got = 0;
        if (read_and_wipe(space, got) <= 0) break;
        wipe(space.data(), got);
    }
    ERR_clear_error();
}

TlsStream::Outcome TlsStream::handshake() {
    ERR_clear_error();
    return judge(SSL_do_handshake(ssl_.get()));
}

TlsStream::Read TlsStream::read(std::span<char> space) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result =
        wipes_ ? read_and_wipe(space, got) : SSL_read_ex(ssl_.get(), space.data(), space.size(), &got);
    return {.outcome = judge(result), .octets = got};
}

/// OpenSSL wipes what it hands out, but also, whenever it gives the buffer of its records back, all of that:
/// some microseconds for each line of a session. So it keeps the buffer for the call, and gives it back
/// unwiped when there is nothing in it any more but what was wiped, or encrypted; never within a record
/// (CVE-2024-4741). From 3.2 on the mode cannot be changed for the call, and all of it is wiped as before.
int TlsStream::read_and_wipe(std::span<char> space, std::size_t& got) {
    SSL* const ssl = ssl_.get();
    SSL_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);
    SSL_clear_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    const int result = SSL_read_ex(ssl, space.data(), space.size(), &got);
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_clear_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);
    const bool is_between_records = std::string_view(SSL_rstate_string(ssl)) == "RH";
    if (is_between_records && SSL_has_pending(ssl) == 0) SSL_free_buffers(ssl);
    return result;
}

TlsStream::Outcome TlsStream::write(ByteView octets) {
    if (octets.empty()) return Outcome::kDone;
    ERR_clear_error();
    std::size_t written = 0;
    return judge(SSL_write_ex(ssl_.get(), octets.data(), octets.size(), &written));
}

void TlsStream::close_notify() {
    if (has_failed_ || SSL_in_init(ssl_.get()) != 0) return;
    ERR_clear_error();
    // Less than zero or zero: the peer's close_notify is not awaited.
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

bool TlsStream::is_holding() const noexcept {
    return !is_starved_ && (SSL_has_pending(ssl_.get()) != 0 || !received_.empty());
}

TlsStream::Outcome TlsStream::judge(int result) {
    if (result > 0) return Outcome::kDone;
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        is_starved_ = true;
        return Outcome::kWantsMore;
    }
    if (error == SSL_ERROR_ZERO_RETURN) return Outcome::kEof;
    has_failed_ = true;
    const unsigned long code = ERR_peek_error();
    const char* reason = ERR_reason_error_string(code);
    // "certificate verify failed" alone helps nobody: say why.
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        reason = X509_verify_cert_error_string(SSL_get_verify_result(ssl_.get()));
    ERR_clear_error();
    if (has_ended_) return Outcome::kDropped;
    failure_ = reason == nullptr ? std::string_view("unknown TLS error") : std::string_view(reason);
    return Outcome::kFailed;
}

}  // namespace gatepost::net
