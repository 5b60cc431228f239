// What a TLS listener shows to clients: certificates chosen by the name they ask for, versions, ciphers,
// ticket keys. Never changes once made: a reload makes another, and live connections keep theirs. One per
// listener and worker thread, because threads that share an SSL_CTX wait for each other.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace gatepost::net {

/// The keys that session tickets are sealed with: the first seals, all open. Shared by all workers and, from
/// a file, by replicas. Immutable; any thread.
class TicketKeys {
  public:
    /// Fresh keys that die with the process.
    [[nodiscard]] static Result<std::shared_ptr<const TicketKeys>> random();
    /// A file of one or more keys of 80 octets (16 name, 32 AES-256, 32 HMAC-SHA-256), newest first. Wiped
    /// when unused.
    [[nodiscard]] static Result<std::shared_ptr<const TicketKeys>> load(const std::string& path);

    struct Ring;
    explicit TicketKeys(std::unique_ptr<Ring> ring);
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;
    [[nodiscard]] const Ring& ring() const noexcept { return *ring_; }

  private:
    std::unique_ptr<Ring> ring_;
};

struct CertificateFiles {
    std::string certificate;  ///< PEM, leaf first, then its chain
    std::string key;          ///< PEM, not encrypted
};

struct TlsSettings {
    std::vector<CertificateFiles> certificates;  ///< at least one; the first is the default
    std::string min_version =
        "1.2";              ///< "1.0", "1.1", "1.2" or "1.3"; below 1.2 weak ciphers are allowed too
    std::string ciphers;    ///< OpenSSL's list, TLS 1.3 suites among them; "" = ours
    std::string client_ca;  ///< PEM bundle; "" = clients are not asked for a certificate
    std::shared_ptr<const TicketKeys> ticket_keys;  ///< nullptr = no tickets
};

struct CertificateFacts {
    std::string path;
    std::vector<std::string> names;  ///< lower case; may begin with "*."
    WallTime not_after;
};

/// Whether OpenSSL knows the list (its own syntax, TLS 1.3 suites among it).
[[nodiscard]] Result<void> check_ciphers(const std::string& list);

/// Whether the file is a PEM bundle with a certificate in it.
[[nodiscard]] Result<void> check_client_ca(const std::string& path);

class TlsContext {
  public:
    /// Reads all files; blocks. The error says which file and what is wrong with it.
    [[nodiscard]] static Result<std::unique_ptr<TlsContext>> make(const TlsSettings& settings);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    /// For metrics, in the order of the settings.
    [[nodiscard]] const std::vector<CertificateFacts>& certificates() const noexcept { return facts_; }

    /// The default certificate's context. Sessions made from it survive this object. A client certificate
    /// that does not verify does not end the handshake: SSL_get_verify_result() tells.
    [[nodiscard]] ssl_ctx_st* get() const noexcept { return context_; }

  private:
    TlsContext(ssl_ctx_st* context, std::vector<CertificateFacts> facts)
        : context_(context), facts_(std::move(facts)) {}

    ssl_ctx_st* context_;
    std::vector<CertificateFacts> facts_;
};

/// Caps the handshakes in progress on one loop. Own thread of the loop; must outlive its slots.
class HandshakeSlots {
  public:
    class [[nodiscard]] Slot {
      public:
        Slot() = default;
        Slot(Slot&& other) noexcept { swap(other); }
        Slot& operator=(Slot&& other) noexcept {
            Slot(std::move(other)).swap(*this);
            return *this;
        }
        ~Slot() {
            if (slots_ != nullptr) --slots_->taken_;
        }
        /// False when the cap was reached.
        [[nodiscard]] explicit operator bool() const noexcept { return slots_ != nullptr; }
        void swap(Slot& other) noexcept { std::swap(slots_, other.slots_); }

      private:
        friend class HandshakeSlots;
        explicit Slot(HandshakeSlots* slots) noexcept : slots_(slots) { ++slots_->taken_; }
        HandshakeSlots* slots_ = nullptr;
    };

    explicit HandshakeSlots(std::size_t cap) noexcept : cap_(cap) {}
    HandshakeSlots(const HandshakeSlots&) = delete;
    HandshakeSlots& operator=(const HandshakeSlots&) = delete;

    /// An empty slot when the cap is reached.
    [[nodiscard]] Slot take() noexcept { return taken_ < cap_ ? Slot(this) : Slot(); }
    [[nodiscard]] std::size_t taken() const noexcept { return taken_; }

  private:
    std::size_t cap_;
    std::size_t taken_ = 0;
};

}  // namespace gatepost::net
