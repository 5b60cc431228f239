#include "auth/cyrus/auxprop_store.h"

#include <limits>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

namespace gatepost::auth {
namespace {

PropertySource* source_of(sasl_server_params_t* parameters) {
    sasl_callback_ft ignored = nullptr;
    void* context = nullptr;
    const sasl_utils_t& utils = *parameters->utils;
    if (utils.getcallback(utils.conn, kPropertyCallback, &ignored, &context) != SASL_OK) return nullptr;
    return static_cast<PropertySource*>(context);
}

// "Found", whatever it has: NOUSER would end an exchange before the authorization policy is asked (facts.md
// 1).
int lookup(void*, sasl_server_params_t* parameters, unsigned flags, const char*, unsigned) {
    PropertySource* const source = source_of(parameters);
    if (source == nullptr) return SASL_OK;
    const sasl_utils_t& utils = *parameters->utils;
    for (const propval* wanted = utils.prop_get(parameters->propctx);
         wanted != nullptr && wanted->name != nullptr; ++wanted) {
        // A starred name is of who authenticates, a bare one of who is acted for: they are the same here.
        if (wanted->name[0] != '*' || (flags & SASL_AUXPROP_AUTHZID) != 0 || wanted->values != nullptr)
            continue;
        const Secret value = source->property(wanted->name + 1);
        if (value.empty() || value.reveal().size() > std::numeric_limits<int>::max()) continue;
        if (utils.prop_set(parameters->propctx, wanted->name, value.reveal().data(),
                           static_cast<int>(value.reveal().size())) != SASL_OK)
            return SASL_FAIL;
    }
    return SASL_OK;
}

int init(const sasl_utils_t*, int max_version, int* out_version, sasl_auxprop_plug_t** plug, const char*) {
    if (max_version < SASL_AUXPROP_PLUG_VERSION) return SASL_BADVERS;
    static char name[] = "gatepost";
    static sasl_auxprop_plug_t plugin{.features = 0,
                                      .spare_int1 = 0,
                                      .glob_context = nullptr,
                                      .auxprop_free = nullptr,
                                      .auxprop_lookup = lookup,
                                      .name = name,
                                      .auxprop_store = nullptr};
    *out_version = SASL_AUXPROP_PLUG_VERSION;
    *plug = &plugin;
    return SASL_OK;
}

}  // namespace

bool register_auxprop_store() {
    return sasl_auxprop_add_plugin(kAuxpropName, init) == SASL_OK;
}

}  // namespace gatepost::auth
