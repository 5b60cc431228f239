// One AUTH inside libsasl: one fresh connection object, never reused, whatever the outcome (facts.md 1).
// Believes no code of libsasl that our own password check does not share. One thread at a time, any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "auth/dialogue/mechanism_engine.h"

struct sasl_conn;

namespace gatepost::auth {

class SaslExchange final : public MechanismExchange {
  public:
    SaslExchange(std::string_view mechanism, const std::string& hostname);
    ~SaslExchange() override;
    SaslExchange(const SaslExchange&) = delete;
    SaslExchange& operator=(const SaslExchange&) = delete;

    [[nodiscard]] Verdict step(const std::optional<Secret>& message, const Lookup& lookup,
                               PasswordCheck& check) override;

  private:
    struct Callbacks;

    [[nodiscard]] Verdict verdict_of(int code, const char* out, unsigned out_size);
    [[nodiscard]] std::string proved_user() const;
    void dispose() noexcept;

    const std::string mechanism_;
    std::unique_ptr<Callbacks> callbacks_;  // libsasl keeps pointers into it
    sasl_conn* connection_ = nullptr;
    bool is_started_ = false;
};

}  // namespace gatepost::auth
