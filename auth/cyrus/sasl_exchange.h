// One AUTH inside libsasl: one fresh connection object, never reused, whatever the outcome (facts.md 1).
// Believes no OK of libsasl that our own record does not share. One thread at a time, any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "auth/cyrus/plugins.h"
#include "auth/dialogue/mechanism_engine.h"

struct sasl_conn;

namespace gatepost::auth {

class SaslExchange final : public MechanismExchange {
  public:
    SaslExchange(const Plugin& plugin, const std::string& hostname, const ExchangeFacts& facts);
    ~SaslExchange() override;
    SaslExchange(const SaslExchange&) = delete;
    SaslExchange& operator=(const SaslExchange&) = delete;

    [[nodiscard]] Verdict step(const std::optional<Secret>& message, PasswordCheck& check) override;

  private:
    struct Callbacks;
    struct Binding;

    [[nodiscard]] bool set_up(const std::string& hostname, const ExchangeFacts& facts);
    [[nodiscard]] Verdict verdict_of(int code, const char* out, unsigned out_size);
    [[nodiscard]] bool is_vouched_for() const noexcept;
    [[nodiscard]] bool has_layer() const;
    [[nodiscard]] std::string proved_user() const;
    void dispose() noexcept;

    const Plugin& plugin_;
    const std::string external_name_;
    std::unique_ptr<Callbacks> callbacks_;  // libsasl keeps pointers into it
    std::unique_ptr<Binding> binding_;      // and into this
    sasl_conn* connection_ = nullptr;
    bool is_started_ = false;
    bool has_challenged_ = false;
};

}  // namespace gatepost::auth
