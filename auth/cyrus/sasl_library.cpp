#include "auth/cyrus/sasl_library.h"

#include <algorithm>
#include <array>
#include <cstdlib>
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

/// Longer than a look-up may take: its thread is lost until then, and comes back.
constexpr char kLdapSeconds[] = "10";

/// Of the one library; written on the main thread before workers and after them.
struct Shared {
    SaslLibrary::Options options;
    std::string mech_list;
    std::vector<std::string> seen_files;  // of plugins that were loaded or tried
    std::string complaint;                // what was logged last while starting
    bool is_client_too = false;
    std::mutex log_mutex;  // options.log ends while a lost look-up may still have something to say
};

/// Never destroyed: a look-up that never returned may be inside libsasl when the process ends.
Shared& shared() {
    static Shared& one = *new Shared;
    return one;
}

void reset(SaslLibrary::Options options = {}) {
    Shared& all = shared();
    std::string list;
    for (const std::string& mechanism : options.mechanisms) {
        std::string_view name = mechanism;
        if (name.ends_with("-PLUS")) name.remove_suffix(5);  // libsasl adds it by itself
        list.append(list.empty() ? "" : " ").append(name);
    }
    const std::lock_guard lock(all.log_mutex);
    all.options = std::move(options);
    all.mech_list = std::move(list);
    all.seen_files.clear();
    all.complaint.clear();
    all.is_client_too = false;
}

/// Of a plugin of users, which reads it when it is loaded; no secret of ours is among them.
const std::string* option_of_plugins(std::string_view name) {
    for (const AuxpropSettings& auxprop : shared().options.auxprops) {
        const auto found = auxprop.options.find(std::string(name));
        if (found != auxprop.options.end()) return &found->second;
    }
    return nullptr;
}

int get_option(void*, const char*, const char* name, const char** value, unsigned* size) {
    if (name == nullptr || value == nullptr) return SASL_BADPARAM;
    *value = nullptr;  // NTLM looks at it even after a failure, and never set it itself
    if (std::string_view(name) == "mech_list") {
        *value = shared().mech_list.c_str();
    } else if (const auto* const found = std::ranges::find(kOptions, std::string_view(name), &Option::name);
               found != kOptions.end()) {
        *value = found->value;
    } else if (const std::string* const given = option_of_plugins(name)) {
        *value = given->c_str();
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
        const std::lock_guard lock(shared().log_mutex);
        shared().complaint = printable(message);
        if (shared().options.log) shared().options.log(shared().complaint);
    } catch (...) {
        return SASL_OK;  // a line less in the log, nothing thrown through C
    }
    return SASL_OK;
}

/// ldapdb is a client of libsasl itself, and any mechanism of its server may be its own.
bool is_wanted(std::string_view file) {
    const SaslLibrary::Options& options = shared().options;
    const auto is_of = [file](const Plugin& plugin) {
        return !plugin.file.empty() && file.starts_with(plugin.file);
    };
    const bool serves = std::ranges::any_of(options.mechanisms, [&](const std::string& name) {
        const Plugin* const plugin = find_plugin(name);
        return plugin != nullptr && is_of(*plugin);
    });
    return serves || std::ranges::any_of(options.auxprops, [&](const AuxpropSettings& auxprop) {
               return file.starts_with("lib" + auxprop.plugin + ".so") ||
                      (auxprop.plugin == "ldapdb" && std::ranges::any_of(known_plugins(), is_of));
           });
}

int verify_file(void*, const char* path, sasl_verify_type_t type) {
    if (path == nullptr) return SASL_CONTINUE;
    // Asked once by sasldb, which else believes that there is no database, whenever one comes.
    if (type == SASL_VRFY_PASSWD) return SASL_OK;
    if (type != SASL_VRFY_PLUGIN) return SASL_CONTINUE;
    std::string_view file(path);
    file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is the beginning
    try {
        if (!is_wanted(file)) return SASL_CONTINUE;
        shared().seen_files.emplace_back(file);
    } catch (...) {
        return SASL_CONTINUE;  // nothing may be thrown through C
    }
    return SASL_OK;
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

void note_auxprop(sasl_auxprop_plug_t* plugin, sasl_info_callback_stage_t stage, void* names) {
    if (stage == SASL_INFO_LIST_MECH && plugin != nullptr && plugin->name != nullptr)
        static_cast<std::vector<std::string>*>(names)->emplace_back(plugin->name);
}

/// Why the first plugin of users that cannot be had cannot; "" when all can.
std::string missing_auxprop() {
    std::vector<std::string> loaded;
    auxprop_plugin_info(nullptr, note_auxprop, &loaded);
    const Shared& all = shared();
    for (const AuxpropSettings& auxprop : all.options.auxprops) {
        if (std::ranges::find(loaded, auxprop.plugin) != loaded.end()) continue;
        const bool has_file = std::ranges::any_of(all.seen_files, [&auxprop](const std::string& file) {
            return file.starts_with("lib" + auxprop.plugin + ".so");
        });
        if (!has_file)
            return "Cyrus SASL has no plugin " + auxprop.plugin + ": install " +
                   std::string(package_of_auxprop(auxprop.plugin));
        return "the plugin " + auxprop.plugin + " of Cyrus SASL cannot start with these options" +
               (all.complaint.empty() ? "" : ": " + all.complaint);
    }
    return {};
}

/// libldap starts libsasl's client side by itself at the first look-up, with all plugins there are and in the
/// midst of other threads: so it finds it started. It also waits for ever unless it is told not to.
bool start_client() {
    Shared& all = shared();
    const bool has_ldap = std::ranges::any_of(
        all.options.auxprops, [](const AuxpropSettings& auxprop) { return auxprop.plugin == "ldapdb"; });
    if (!has_ldap) return true;
    for (const char* const name : {"LDAPTIMEOUT", "LDAPNETWORK_TIMEOUT"})
        setenv(name, kLdapSeconds, 0);  // what the operator has set stays
    all.is_client_too = sasl_client_init(callbacks().data()) == SASL_OK;
    return all.is_client_too;
}

}  // namespace

SaslLibrary::SaslLibrary(Options options) {
    reset(std::move(options));
}

SaslLibrary::~SaslLibrary() {
    if (shared().is_client_too) sasl_client_done();
    sasl_server_done();
    reset();
}

void SaslLibrary::abandon(std::unique_ptr<SaslLibrary> library) {
    if (library.release() == nullptr) return;
    const std::lock_guard lock(shared().log_mutex);
    shared().options.log = nullptr;
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
    if (const std::string missing = missing_auxprop(); !missing.empty()) return fail(missing);
    if (!register_auxprop_question()) return fail("Cyrus SASL refused Gatepost's own mechanism for look-ups");
    if (!start_client()) return fail("Cyrus SASL cannot start as the client that ldapdb is");
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
