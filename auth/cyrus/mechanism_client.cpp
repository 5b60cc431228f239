#include "auth/cyrus/mechanism_client.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include <sasl/sasl.h>

#include "auth/cyrus/plugins.h"
#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

template <typename Function>
int (*proc(Function* function))() {
    return reinterpret_cast<int (*)()>(reinterpret_cast<void (*)()>(function));
}

/// What libsasl says of its clients may hold what they were given.
int say_nothing(void* /*context*/, int /*level*/, const char* /*message*/) {
    return SASL_OK;
}

/// Only plugins that are known here: libgs2 loses memory when it is only loaded.
int verify_file(void* /*context*/, const char* path, sasl_verify_type_t type) {
    if (type != SASL_VRFY_PLUGIN || path == nullptr) return SASL_OK;
    std::string_view file(path);
    file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is the beginning
    const bool is_known = std::ranges::any_of(known_plugins(), [file](const Plugin& plugin) {
        return !plugin.file.empty() && file.starts_with(plugin.file);
    });
    return is_known ? SASL_OK : SASL_CONTINUE;
}

const std::array<sasl_callback_t, 3>& of_library() {
    static const std::array<sasl_callback_t, 3> table{{{SASL_CB_LOG, proc(&say_nothing), nullptr},
                                                       {SASL_CB_VERIFYFILE, proc(&verify_file), nullptr},
                                                       {SASL_CB_LIST_END, nullptr, nullptr}}};
    return table;
}

}  // namespace

ClientLibrary::ClientLibrary() : is_usable_(sasl_client_init(of_library().data()) == SASL_OK) {}

ClientLibrary::~ClientLibrary() {
    if (is_usable_) sasl_client_done();
}

struct MechanismClient::Callbacks {
    Callbacks(std::string user, const Secret& password, Channel bound)
        : name(std::move(user)),
          channel(std::move(bound)),
          secret(sizeof(sasl_secret_t) + password.size() + 1) {
        auto* const value = reinterpret_cast<sasl_secret_t*>(secret.data());
        value->len = password.size();
        std::ranges::copy(password.reveal(), value->data);
        table = {{{SASL_CB_USER, proc(&acts_for), this},
                  {SASL_CB_AUTHNAME, proc(&user_name), this},
                  {SASL_CB_PASS, proc(&password_of), this},
                  {SASL_CB_LIST_END, nullptr, nullptr}}};
    }
    Callbacks(const Callbacks&) = delete;
    Callbacks& operator=(const Callbacks&) = delete;
    ~Callbacks() { wipe(secret.data(), secret.size()); }

    static int user_name(void* context, int /*id*/, const char** result, unsigned* size) {
        const std::string& name = static_cast<Callbacks*>(context)->name;
        *result = name.c_str();
        if (size != nullptr) *size = static_cast<unsigned>(name.size());
        return SASL_OK;
    }
    /// For himself.
    static int acts_for(void* /*context*/, int /*id*/, const char** result, unsigned* size) {
        *result = "";
        if (size != nullptr) *size = 0;
        return SASL_OK;
    }
    static int password_of(sasl_conn_t* /*connection*/, void* context, int /*id*/, sasl_secret_t** result) {
        *result = reinterpret_cast<sasl_secret_t*>(static_cast<Callbacks*>(context)->secret.data());
        return SASL_OK;
    }

    const std::string name;
    const Channel channel;
    std::vector<char> secret;
    std::array<sasl_callback_t, 4> table{};
    sasl_channel_binding_t binding{};
};

MechanismClient::MechanismClient(std::string mechanism, const std::string& hostname, std::string user,
                                 const Secret& password, const Channel& channel)
    : mechanism_(std::move(mechanism)),
      user_(std::move(user)),
      callbacks_(std::make_unique<Callbacks>(user_, password, channel)) {
    if (sasl_client_new("smtp", hostname.c_str(), nullptr, nullptr, callbacks_->table.data(), 0,
                        &connection_) != SASL_OK)
        return;
    sasl_security_properties_t properties{};
    sasl_setprop(connection_, SASL_SEC_PROPS, &properties);
    if (mechanism_ == "EXTERNAL") sasl_setprop(connection_, SASL_AUTH_EXTERNAL, user_.c_str());
    const std::string& octets = callbacks_->channel.exporter;
    if (!mechanism_.ends_with("-PLUS") || octets.empty()) return;
    callbacks_->binding = {.name = "tls-exporter",
                           .critical = 1,
                           .len = octets.size(),
                           .data = reinterpret_cast<const unsigned char*>(octets.data())};
    sasl_setprop(connection_, SASL_CHANNEL_BINDING, &callbacks_->binding);
}

MechanismClient::~MechanismClient() {
    sasl_dispose(&connection_);
}

std::string MechanismClient::complaint(int code) const {
    return printable(sasl_errstring(code, nullptr, nullptr));
}

Result<std::optional<Secret>> MechanismClient::start() {
    if (connection_ == nullptr) return fail("libsasl makes no client");
    const char* out = nullptr;
    unsigned size = 0;
    const int code = sasl_client_start(connection_, mechanism_.c_str(), nullptr, &out, &size, nullptr);
    if (code != SASL_OK && code != SASL_CONTINUE)
        return fail("libsasl's client of " + printable(mechanism_) + " cannot begin: " + complaint(code));
    if (out == nullptr) return std::nullopt;
    return std::optional<Secret>(ByteView(out, size));
}

Result<Secret> MechanismClient::step(ByteView challenge) {
    const char* out = nullptr;
    unsigned size = 0;
    const int code = sasl_client_step(connection_, challenge.data() == nullptr ? "" : challenge.data(),
                                      static_cast<unsigned>(challenge.size()), nullptr, &out, &size);
    if (code != SASL_OK && code != SASL_CONTINUE)
        return fail("the client does not take this challenge: " + complaint(code));
    return out == nullptr ? Secret() : Secret(ByteView(out, size));
}

}  // namespace gatepost::auth
