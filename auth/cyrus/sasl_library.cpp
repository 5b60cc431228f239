#include "auth/cyrus/sasl_library.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <utility>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "auth/cyrus/auxprop_store.h"
#include "auth/cyrus/plugins.h"
#include "auth/cyrus/sasl_exchange.h"
#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

struct Option {
    std::string_view name;
    const char* value;
};

// In place of a configuration file. "auxprop" is our own plugin, which has no passwords: the fall-through
// behind a refusing password check finds nothing (facts.md 0).
constexpr std::array<Option, 4> kOptions{{
    {"auxprop_plugin", kAuxpropName},
    {"pwcheck_method", "auxprop"},
    {"auto_transition", "no"},
    {"log_level", "1"},
}};

/// Of the one library; written on the main thread before workers and after them.
struct Shared {
    SaslLibrary::Options options;
    std::string mech_list;
};

Shared& shared() {
    static Shared one;
    return one;
}

int get_option(void*, const char*, const char* name, const char** value, unsigned* size) {
    if (name == nullptr || value == nullptr) return SASL_BADPARAM;
    *value = nullptr;  // NTLM looks at it even after a failure, and never set it itself
    if (std::string_view(name) == "mech_list") {
        *value = shared().mech_list.c_str();
    } else if (const auto* const found = std::ranges::find(kOptions, std::string_view(name), &Option::name);
               found != kOptions.end()) {
        *value = found->value;
    } else {
        return SASL_FAIL;
    }
    if (size != nullptr) *size = static_cast<unsigned>(std::strlen(*value));
    return SASL_OK;
}

// Authentication failures are our own facts, and the finer levels hold passwords: only what an operator must
// know passes.
int log_line(void*, int level, const char* message) {
    if ((level != SASL_LOG_ERR && level != SASL_LOG_WARN) || message == nullptr) return SASL_OK;
    try {
        if (shared().options.log) shared().options.log(printable(message));
    } catch (...) {
        return SASL_OK;  // a line less in the log, nothing thrown through C
    }
    return SASL_OK;
}

int verify_file(void*, const char* path, sasl_verify_type_t type) {
    if (type != SASL_VRFY_PLUGIN || path == nullptr) return SASL_CONTINUE;
    std::string_view file(path);
    file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is the beginning
    const bool is_wanted = std::ranges::any_of(shared().options.mechanisms, [file](const std::string& name) {
        const Plugin* const plugin = find_plugin(name);
        return plugin != nullptr && !plugin->file.empty() && file.starts_with(plugin->file);
    });
    return is_wanted ? SASL_OK : SASL_CONTINUE;
}

using AnyProc = int (*)();

template <typename Function>
AnyProc proc(Function* function) {
    return reinterpret_cast<AnyProc>(reinterpret_cast<void (*)()>(function));
}

const std::array<sasl_callback_t, 4>& callbacks() {
    static const std::array<sasl_callback_t, 4> table{{
        {SASL_CB_GETOPT, proc(&get_option), nullptr},
        {SASL_CB_LOG, proc(&log_line), nullptr},
        {SASL_CB_VERIFYFILE, proc(&verify_file), nullptr},
        {SASL_CB_LIST_END, nullptr, nullptr},
    }};
    return table;
}

void* new_mutex() {
    return new (std::nothrow) std::mutex;
}
int lock_mutex(void* mutex) {
    static_cast<std::mutex*>(mutex)->lock();
    return 0;
}
int unlock_mutex(void* mutex) {
    static_cast<std::mutex*>(mutex)->unlock();
    return 0;
}
void free_mutex(void* mutex) {
    delete static_cast<std::mutex*>(mutex);
}  // sasl_done may pass nullptr

/// Why the first mechanism that cannot be had cannot; "" when all can.
std::string missing_mechanism() {
    const char** const names = sasl_global_listmech();
    for (const std::string& wanted : shared().options.mechanisms) {
        const Plugin* const plugin = find_plugin(wanted);
        if (plugin == nullptr) return "no mechanism of Cyrus SASL is called " + wanted;
        // -PLUS and EXTERNAL are listed only once a session has what they need.
        std::string_view listed = plugin->mechanism;
        if (listed.ends_with("-PLUS")) listed.remove_suffix(5);
        bool is_there = plugin->file.empty();
        for (const char** name = names; name != nullptr && *name != nullptr; ++name)
            is_there |= listed == *name;
        if (!is_there)
            return "Cyrus SASL has no plugin for " + wanted + ": install " + std::string(plugin->package);
    }
    return {};
}

}  // namespace

SaslLibrary::SaslLibrary(Options options) {
    std::string list;
    for (const std::string& mechanism : options.mechanisms) {
        std::string_view name = mechanism;
        if (name.ends_with("-PLUS")) name.remove_suffix(5);  // libsasl adds it by itself
        list.append(list.empty() ? "" : " ").append(name);
    }
    shared() = {.options = std::move(options), .mech_list = std::move(list)};
}

SaslLibrary::~SaslLibrary() {
    sasl_server_done();
    shared() = {};
}

Result<std::unique_ptr<SaslLibrary>> SaslLibrary::start(Options options) {
    sasl_set_mutex(new_mutex, lock_mutex, unlock_mutex, free_mutex);
    std::unique_ptr<SaslLibrary> library(new SaslLibrary(std::move(options)));
    // No application name: the library then looks for no configuration file at all (and leaks no path to
    // one).
    const int code = sasl_server_init(callbacks().data(), nullptr);
    if (code != SASL_OK)
        return fail(std::string("Cyrus SASL cannot start: ") + sasl_errstring(code, nullptr, nullptr));
    if (!register_auxprop_store()) return fail("Cyrus SASL refused Gatepost's own property plugin");
    if (const std::string missing = missing_mechanism(); !missing.empty()) {
        return fail(missing);
    }
    return library;
}

std::string SaslLibrary::version() {
    int number = 0;
    int minor = 0;
    int step = 0;
    sasl_version_info(nullptr, nullptr, &number, &minor, &step, nullptr);
    return std::to_string(number) + "." + std::to_string(minor) + "." + std::to_string(step);
}

bool SaslLibrary::has(std::string_view mechanism) const {
    return std::ranges::find(shared().options.mechanisms, mechanism) != shared().options.mechanisms.end();
}

CyrusEngine::CyrusEngine(SaslLibrary& library, std::string hostname)
    : library_(library), hostname_(std::move(hostname)) {}

std::unique_ptr<MechanismExchange> CyrusEngine::begin(std::string_view mechanism,
                                                      const ExchangeFacts& facts) {
    const Plugin* const plugin = find_plugin(mechanism);
    if (plugin == nullptr || !library_.has(mechanism)) return nullptr;
    return std::make_unique<SaslExchange>(*plugin, hostname_, facts);
}

}  // namespace gatepost::auth
