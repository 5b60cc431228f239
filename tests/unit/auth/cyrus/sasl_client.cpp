#include "tests/unit/auth/cyrus/sasl_client.h"

#include <array>
#include <cstring>
#include <string_view>

#include <sasl/sasl.h>

namespace gatepost::auth {
namespace {

template <typename Function>
int (*proc(Function* function))() {
    return reinterpret_cast<int (*)()>(reinterpret_cast<void (*)()>(function));
}

// Kerberos' plugins are left out: no test here has a ticket, and libgs2 leaks when it is only loaded.
int verify_file(void*, const char* path, sasl_verify_type_t type) {
    const std::string_view file = path == nullptr ? "" : path;
    return type == SASL_VRFY_PLUGIN && file.find("libgs") != std::string_view::npos ? SASL_CONTINUE : SASL_OK;
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
    static const std::array<sasl_callback_t, 2> callbacks{
        {{SASL_CB_VERIFYFILE, proc(&verify_file), nullptr}, {SASL_CB_LIST_END, nullptr, nullptr}}};
    return sasl_client_init(callbacks.data()) == SASL_OK;
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
