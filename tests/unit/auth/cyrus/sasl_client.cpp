#include "tests/unit/auth/cyrus/sasl_client.h"

#include <array>
#include <cstring>

#include <sasl/sasl.h>

namespace gatepost::auth {
namespace {

template <typename Function>
int (*proc(Function* function))() {
    return reinterpret_cast<int (*)()>(reinterpret_cast<void (*)()>(function));
}

}  // namespace

struct SaslClient::Callbacks {
    explicit Callbacks(const Facts& of) : facts(of), secret(sizeof(sasl_secret_t) + of.password.size() + 1) {
        auto* const value = reinterpret_cast<sasl_secret_t*>(secret.data());
        value->len = of.password.size();
        std::memcpy(value->data, of.password.data(), of.password.size());
        table = {{{SASL_CB_USER, proc(&name), this},
                  {SASL_CB_AUTHNAME, proc(&name), this},
                  {SASL_CB_PASS, proc(&password), this},
                  {SASL_CB_LIST_END, nullptr, nullptr}}};
    }

    static int name(void* context, int id, const char** result, unsigned* size) {
        const Facts& facts = static_cast<Callbacks*>(context)->facts;
        const std::string& text = id == SASL_CB_USER ? facts.acts_for : facts.user;
        *result = text.c_str();
        if (size != nullptr) *size = static_cast<unsigned>(text.size());
        return SASL_OK;
    }
    static int password(sasl_conn_t*, void* context, int, sasl_secret_t** result) {
        *result = reinterpret_cast<sasl_secret_t*>(static_cast<Callbacks*>(context)->secret.data());
        return SASL_OK;
    }

    const Facts& facts;
    std::vector<char> secret;
    std::array<sasl_callback_t, 4> table{};
    sasl_channel_binding_t binding{};
};

bool SaslClient::init() {
    return sasl_client_init(nullptr) == SASL_OK;
}

void SaslClient::done() {
    sasl_client_done();
}

SaslClient::SaslClient(std::string mechanism, Facts facts)
    : mechanism_(std::move(mechanism)),
      facts_(std::move(facts)),
      callbacks_(std::make_unique<Callbacks>(facts_)) {
    code_ = sasl_client_new("smtp", "mail.example.org", nullptr, nullptr, callbacks_->table.data(), 0,
                            &connection_);
    sasl_security_properties_t properties{};
    properties.max_ssf = 0;
    sasl_setprop(connection_, SASL_SEC_PROPS, &properties);
    if (facts_.binding_type.empty()) return;
    callbacks_->binding = {.name = facts_.binding_type.c_str(),
                           .critical = 1,
                           .len = facts_.binding.size(),
                           .data = reinterpret_cast<const unsigned char*>(facts_.binding.data())};
    sasl_setprop(connection_, SASL_CHANNEL_BINDING, &callbacks_->binding);
}

SaslClient::~SaslClient() {
    sasl_dispose(&connection_);
}

std::optional<std::string> SaslClient::start() {
    const char* out = nullptr;
    unsigned size = 0;
    code_ = sasl_client_start(connection_, mechanism_.c_str(), nullptr, &out, &size, nullptr);
    return out == nullptr ? std::nullopt : std::optional<std::string>(std::in_place, out, size);
}

std::string SaslClient::step(const std::string& challenge) {
    const char* out = nullptr;
    unsigned size = 0;
    code_ = sasl_client_step(connection_, challenge.data(), static_cast<unsigned>(challenge.size()), nullptr,
                             &out, &size);
    return out == nullptr ? std::string() : std::string(out, size);
}

}  // namespace gatepost::auth
