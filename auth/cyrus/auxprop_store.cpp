#include "auth/cyrus/auxprop_store.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

namespace gatepost::auth {
namespace {

// "Found, with no properties": NOUSER here would end an exchange before the authorization policy is asked
// (facts.md 1).
int lookup(void*, sasl_server_params_t*, unsigned, const char*, unsigned) {
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
