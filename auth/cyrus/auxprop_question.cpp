#include "auth/cyrus/auxprop_question.h"

#include <array>
#include <cstring>
#include <string_view>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

/// The id of the callback whose context is the Call of a connection; none of libsasl's own.
constexpr unsigned long kCallOfConnection = 0x67702;

constexpr char kMechanism[] = "GATEPOST-LOOKUP";

/// What the sql plugin says with each of its engines when a query went well and found nothing. It returns the
/// same code for a query that failed, and most engines tell why to the debugger alone.
constexpr std::string_view kNothingFound = "sql plugin: no result found";

using AnyProc = int (*)();

template <typename Function>
AnyProc proc(Function* function) {
    return reinterpret_cast<AnyProc>(
        reinterpret_cast<void (*)()>(function));  // libsasl casts it back by its id
}

/// What libsasl calls back during one question, and what it came to.
struct Call {
    Call(const AuxpropSettings& of, const std::string& whom, bool wants_keys)
        : settings(of), user(whom), names{"*userPassword", wants_keys ? "*authPassword" : nullptr, nullptr} {
        callbacks = {{{SASL_CB_GETOPT, proc(&Call::option), this},
                      {SASL_CB_LOG, proc(&Call::log), this},
                      {kCallOfConnection, proc(&Call::nothing), this},
                      {SASL_CB_LIST_END, nullptr, nullptr}}};
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    const AuxpropSettings& settings;
    const std::string& user;
    const std::array<const char*, 3> names;
    std::array<sasl_callback_t, 4> callbacks{};
    int code = SASL_NOMECH;  // until the mechanism was there
    Properties answer;
    std::string comment;  // the last of sql's lines below an error: why a query failed is among them

    static int nothing() { return SASL_OK; }

    static int option(void* context, const char*, const char* name, const char** value, unsigned* size) {
        const auto& self = *static_cast<const Call*>(context);
        if (name == nullptr || value == nullptr) return SASL_BADPARAM;
        *value = nullptr;
        if (std::strcmp(name, "auxprop_plugin") == 0) {
            *value = self.settings.plugin.c_str();
        } else if (std::strcmp(name, "mech_list") == 0) {
            *value = kMechanism;
        } else if (const auto found = self.settings.options.find(name);
                   found != self.settings.options.end()) {
            *value = found->second.c_str();
        } else {
            return SASL_FAIL;
        }
        if (size != nullptr) *size = static_cast<unsigned>(std::strlen(*value));
        return SASL_OK;
    }

    static int log(void* context, int level, const char* message) {
        auto& self = *static_cast<Call*>(context);
        if (message == nullptr) return SASL_OK;
        try {
            std::string_view line(message);
            line = line.substr(0, line.find_last_not_of('\n') + 1);
            if (line == kNothingFound) {
                self.answer.was_searched = true;
            } else if (level == SASL_LOG_ERR) {
                self.answer.error = printable(line);
            } else if (line.starts_with("sql plugin: ")) {
                self.comment = printable(line);
            }
        } catch (...) {
            return SASL_OK;  // a line less, nothing thrown through C
        }
        return SASL_OK;
    }

    void take(const sasl_server_params_t& parameters) {
        std::array<propval, 3> values{};
        const sasl_utils_t& utils = *parameters.utils;
        // libsasl has not made its parameters const.
        auto** const wanted = const_cast<const char**>(names.data());
        if (utils.prop_getnames(parameters.propctx, wanted, values.data()) < 0) return;
        copy(values[0], answer.passwords);
        copy(values[1], answer.keys);
        for (const char* const name : names) {
            if (name != nullptr) utils.prop_erase(parameters.propctx, name);
        }
    }

    static void copy(const propval& property, std::vector<Secret>& into) {
        for (const char** value = property.values; value != nullptr && *value != nullptr; ++value)
            into.emplace_back(ByteView(*value));
    }
};

// ---- the mechanism

int begin(void*, sasl_server_params_t*, const char*, unsigned, void** context) {
    *context = nullptr;
    return SASL_OK;
}

/// Its only step. Whatever it finds, it fails: nobody is logged in by it.
int ask(void*, sasl_server_params_t* parameters, const char*, unsigned, const char** out, unsigned* out_size,
        sasl_out_params_t* result) {
    *out = nullptr;
    *out_size = 0;
    sasl_callback_ft ignored = nullptr;
    void* context = nullptr;
    const sasl_utils_t& utils = *parameters->utils;
    // Somebody else's connection knows no such mechanism.
    if (utils.getcallback(utils.conn, kCallOfConnection, &ignored, &context) != SASL_OK) return SASL_NOMECH;
    auto& call = *static_cast<Call*>(context);
    try {
        auto** const wanted = const_cast<const char**>(call.names.data());
        call.code = utils.prop_request(parameters->propctx, wanted);
        if (call.code != SASL_OK) return SASL_FAIL;
        call.code = parameters->canon_user(utils.conn, call.user.data(),
                                           static_cast<unsigned>(call.user.size()), SASL_CU_AUTHID, result);
        call.take(*parameters);
    } catch (...) {
        call.code = SASL_NOMEM;  // nothing may be thrown through C
    }
    return SASL_FAIL;
}

void end(void*, const sasl_utils_t*) {}

int init(const sasl_utils_t*, int max_version, int* out_version, sasl_server_plug_t** plugins, int* count) {
    if (max_version < SASL_SERVER_PLUG_VERSION) return SASL_BADVERS;
    static sasl_server_plug_t plugin{};
    plugin.mech_name = kMechanism;
    plugin.features = SASL_FEAT_WANT_CLIENT_FIRST;
    plugin.mech_new = begin;
    plugin.mech_step = ask;
    plugin.mech_dispose = end;
    *out_version = SASL_SERVER_PLUG_VERSION;
    *plugins = &plugin;
    *count = 1;
    return SASL_OK;
}

Properties::Code meaning(int code) {
    switch (code) {
        case SASL_OK: return Properties::Code::kFound;
        case SASL_NOUSER: return Properties::Code::kNoUser;
        case SASL_BADAUTH:
        case SASL_FAIL: return Properties::Code::kRefused;
        default: return Properties::Code::kFailed;
    }
}

}  // namespace

bool register_auxprop_question() {
    return sasl_server_add_plugin(kMechanism, init) == SASL_OK;
}

Properties ask_properties(const AuxpropSettings& settings, const std::string& user, bool wants_keys) {
    Call call(settings, user, wants_keys);
    sasl_conn_t* connection = nullptr;
    // An empty realm would append "@" to every name.
    if (sasl_server_new("smtp", settings.hostname.c_str(),
                        settings.realm.empty() ? nullptr : settings.realm.c_str(), nullptr, nullptr,
                        call.callbacks.data(), 0, &connection) != SASL_OK) {
        call.answer.error = "libsasl makes no connection";
        return std::move(call.answer);
    }
    const char* out = nullptr;
    unsigned size = 0;
    if (sasl_server_start(connection, kMechanism, "", 0, &out, &size) != SASL_OK)
        call.answer.code = meaning(call.code);  // SASL_OK cannot be, and would mean nothing
    // In 2.1.28 its file missing is "no such user" to sasldb as well.
    if (settings.plugin == "sasldb")
        call.answer.was_searched =
            std::string_view(sasl_errdetail(connection)).contains("not found in sasldb");
    sasl_dispose(&connection);
    if (call.answer.error.empty() && call.answer.code >= Properties::Code::kRefused)
        call.answer.error = printable(sasl_errstring(call.code, nullptr, nullptr));
    if (call.answer.error.empty() && !call.answer.was_searched) call.answer.error = call.comment;
    return std::move(call.answer);
}

}  // namespace gatepost::auth
