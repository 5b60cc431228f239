#include "auth/cyrus/sasl_library.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <utility>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "auth/cyrus/auxprop_store.h"
#include "auth/cyrus/sasl_exchange.h"
#include "proxy/base/printable.h"

namespace gatepost::auth {
namespace {

struct Plugin {
    std::string_view mechanism;
    std::string_view file;  // how the names of its files begin
};

// What is loaded and offered; nothing else of the plugin folder is.
constexpr std::array<Plugin, 2> kPlugins{{{"PLAIN", "libplain.so"}, {"LOGIN", "liblogin.so"}}};

struct Option {
    std::string_view name;
    const char* value;
};

// In place of a configuration file. "auxprop" is our own plugin, which has no passwords: the fall-through
// behind a refusing password check finds nothing (facts.md 0).
constexpr std::array<Option, 5> kOptions{{
    {"mech_list", "PLAIN LOGIN"},
    {"auxprop_plugin", kAuxpropName},
    {"pwcheck_method", "auxprop"},
    {"auto_transition", "no"},
    {"log_level", "1"},
}};

std::function<void(std::string_view)>& log_sink() {
    static std::function<void(std::string_view)>
        sink;  // written on the main thread before workers and after them
    return sink;
}

int get_option(void*, const char*, const char* name, const char** value, unsigned* size) {
    if (name == nullptr || value == nullptr) return SASL_BADPARAM;
    const auto* const found = std::ranges::find(kOptions, std::string_view(name), &Option::name);
    if (found == kOptions.end()) return SASL_FAIL;
    *value = found->value;
    if (size != nullptr) *size = static_cast<unsigned>(std::strlen(found->value));
    return SASL_OK;
}

// Authentication failures are our own facts, and the finer levels hold passwords: only what an operator must
// know passes.
int log_line(void*, int level, const char* message) {
    if ((level != SASL_LOG_ERR && level != SASL_LOG_WARN) || message == nullptr) return SASL_OK;
    try {
        if (log_sink()) log_sink()(printable(message));
    } catch (...) {
        return SASL_OK;  // a line less in the log, nothing thrown through C
    }
    return SASL_OK;
}

int verify_file(void*, const char* path, sasl_verify_type_t type) {
    if (type != SASL_VRFY_PLUGIN || path == nullptr) return SASL_CONTINUE;
    std::string_view file(path);
    file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is the beginning
    const bool is_wanted =
        std::ranges::any_of(kPlugins, [file](const Plugin& plugin) { return file.starts_with(plugin.file); });
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

std::string missing_mechanism() {
    const char** const names = sasl_global_listmech();
    for (const Plugin& plugin : kPlugins) {
        bool is_there = false;
        for (const char** name = names; name != nullptr && *name != nullptr; ++name)
            is_there |= plugin.mechanism == *name;
        if (!is_there) return std::string(plugin.mechanism);
    }
    return {};
}

}  // namespace

SaslLibrary::SaslLibrary(Options options) {
    log_sink() = std::move(options.log);
}

SaslLibrary::~SaslLibrary() {
    sasl_server_done();
    log_sink() = nullptr;
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
        return fail("Cyrus SASL has no plugin for " + missing + ": install libsasl2-modules");
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

CyrusEngine::CyrusEngine(SaslLibrary&, std::string hostname) : hostname_(std::move(hostname)) {}

std::unique_ptr<MechanismExchange> CyrusEngine::begin(std::string_view mechanism) {
    const bool is_known = std::ranges::any_of(
        kPlugins, [mechanism](const Plugin& plugin) { return plugin.mechanism == mechanism; });
    return is_known ? std::make_unique<SaslExchange>(mechanism, hostname_) : nullptr;
}

}  // namespace gatepost::auth
