#include "auth/cyrus/sasl_exchange.h"

#include <array>
#include <limits>

#include <sasl/sasl.h>

#include "auth/cyrus/auxprop_store.h"

namespace gatepost::auth {
namespace {

using AnyProc = int (*)();

template <typename Function>
AnyProc proc(Function* function) {
    return reinterpret_cast<AnyProc>(
        reinterpret_cast<void (*)()>(function));  // libsasl casts it back by its id
}

}  // namespace

// What libsasl calls back during a step, and what we said to it.
struct SaslExchange::Callbacks final : PropertySource {
    const Plugin& plugin;
    PasswordCheck* check = nullptr;  // of the step that runs
    bool has_agreed = false;         // the check said yes in this very step
    bool has_served = false;         // keys or a password were served to this exchange
    bool acts_for_another = false;
    std::array<sasl_callback_t, 4> table{};

    explicit Callbacks(const Plugin& of) : plugin(of) {
        table[0] = {SASL_CB_SERVER_USERDB_CHECKPASS, proc(&Callbacks::check_password), this};
        table[1] = {SASL_CB_PROXY_POLICY, proc(&Callbacks::authorize), this};
        table[2] = {kPropertyCallback, proc(&Callbacks::nothing), static_cast<PropertySource*>(this)};
        table[3] = {SASL_CB_LIST_END, nullptr, nullptr};
    }

    static int nothing() { return SASL_OK; }

    [[nodiscard]] Secret property(std::string_view name) noexcept override {
        try {
            Secret value;
            if (check == nullptr) return value;
            if (plugin.proof == Proof::kKeys && name == "authPassword")
                value = check->scram_keys(plugin.mechanism);
            if (plugin.proof == Proof::kPlain && name == "userPassword") value = check->plain_password();
            has_served = has_served || !value.empty();
            return value;
        } catch (...) {
            return {};  // nothing may be thrown through C
        }
    }

    static int check_password(sasl_conn_t*, void* context, const char* user, const char* password,
                              unsigned size, propctx*) {
        auto& self = *static_cast<Callbacks*>(context);
        self.has_agreed = false;
        if (self.check == nullptr || user == nullptr || password == nullptr) return SASL_FAIL;
        try {
            self.has_agreed = self.check->matches(user, ByteView(password, size));
        } catch (...) {
            return SASL_FAIL;  // nothing may be thrown through C
        }
        return self.has_agreed ? SASL_OK : SASL_BADAUTH;
    }

    static int authorize(sasl_conn_t*, void* context, const char* requested, unsigned requested_size,
                         const char* proved, unsigned proved_size, const char*, unsigned, propctx*) {
        auto& self = *static_cast<Callbacks*>(context);
        if (requested != nullptr && proved != nullptr &&
            std::string_view(requested, requested_size) == std::string_view(proved, proved_size)) {
            return SASL_OK;
        }
        self.acts_for_another = true;
        return SASL_NOAUTHZ;
    }
};

struct SaslExchange::Binding {
    std::string type;
    std::string octets;
    sasl_channel_binding_t value{};

    explicit Binding(const ExchangeFacts& facts) : type(facts.binding_type), octets(facts.binding) {
        value.name = type.c_str();
        value.critical =
            0;  // 1 would refuse flag "n" (facts.md 1); that a -PLUS has "p" is our own grammar's part
        value.len = octets.size();
        value.data = reinterpret_cast<const unsigned char*>(octets.data());
    }
};

SaslExchange::SaslExchange(const Plugin& plugin, const std::string& hostname, const ExchangeFacts& facts)
    : plugin_(plugin),
      external_name_(facts.external_name),
      callbacks_(std::make_unique<Callbacks>(plugin)),
      binding_(std::make_unique<Binding>(facts)) {
    if (!set_up(hostname, facts)) dispose();
}

bool SaslExchange::set_up(const std::string& hostname, const ExchangeFacts& facts) {
    // No realm: an empty one would append "@" to every name.
    if (sasl_server_new("smtp", hostname.c_str(), nullptr, nullptr, nullptr, callbacks_->table.data(), 0,
                        &connection_) != SASL_OK) {
        connection_ = nullptr;
        return false;
    }
    sasl_security_properties_t properties{};
    properties.security_flags = SASL_SEC_NOANONYMOUS;
    if (sasl_setprop(connection_, SASL_SEC_PROPS, &properties) != SASL_OK) return false;
    if (plugin_.proof == Proof::kCertificate) {
        return !facts.external_name.empty() &&
               sasl_setprop(connection_, SASL_AUTH_EXTERNAL, facts.external_name.c_str()) == SASL_OK;
    }
    return facts.binding_type.empty() ||
           sasl_setprop(connection_, SASL_CHANNEL_BINDING, &binding_->value) == SASL_OK;
}

SaslExchange::~SaslExchange() {
    dispose();
}

void SaslExchange::dispose() noexcept {
    if (connection_ != nullptr) sasl_dispose(&connection_);
    connection_ = nullptr;
}

Verdict SaslExchange::step(const std::optional<Secret>& message, PasswordCheck& check) {
    Verdict verdict;
    const ByteView in = message ? message->reveal() : ByteView();
    if (connection_ == nullptr || in.size() > std::numeric_limits<unsigned>::max()) return verdict;
    callbacks_->check = &check;
    callbacks_->has_agreed = false;
    // An empty response is a response: libsasl knows "none" by the null pointer.
    const char* const data = message ? (in.data() != nullptr ? in.data() : "") : nullptr;
    const char* out = nullptr;
    unsigned out_size = 0;
    const auto size = static_cast<unsigned>(in.size());
    const int code = is_started_ ? sasl_server_step(connection_, data, size, &out, &out_size)
                                 : sasl_server_start(connection_, std::string(plugin_.mechanism).c_str(),
                                                     data, size, &out, &out_size);
    is_started_ = true;
    verdict = verdict_of(code, out, out_size);
    callbacks_->check = nullptr;
    if (verdict.outcome != Outcome::kChallenge) dispose();
    return verdict;
}

Verdict SaslExchange::verdict_of(int code, const char* out, unsigned out_size) {
    Verdict verdict;
    switch (code) {
        case SASL_OK:
            if (!is_vouched_for() || callbacks_->acts_for_another) return verdict;
            if (has_layer()) {
                verdict.outcome = Outcome::kMalformed;
                verdict.reason = Reason::kBadMessage;
                return verdict;
            }
            verdict.identity.user = proved_user();
            if (verdict.identity.user.empty()) return verdict;
            if (plugin_.proof == Proof::kCertificate && verdict.identity.user != external_name_)
                return verdict;
            verdict.outcome = Outcome::kAccepted;
            verdict.reason = Reason::kNone;
            return verdict;
        case SASL_CONTINUE:
            verdict.outcome = Outcome::kChallenge;
            verdict.reason = Reason::kNone;
            if (out != nullptr) verdict.challenge.assign(out, out_size);
            has_challenged_ = true;
            return verdict;
        case SASL_BADPROT:
        case SASL_BADPARAM:
            // The form of each message was checked before. What is wrong with a proof is the channel that it
            // is bound to: somebody sits in between.
            if (plugin_.proof == Proof::kKeys && has_challenged_) {
                verdict.outcome = Outcome::kRejected;
                verdict.reason = Reason::kDowngraded;
                return verdict;
            }
            verdict.outcome = Outcome::kMalformed;
            verdict.reason = Reason::kBadMessage;
            return verdict;
        case SASL_BADAUTH:
        case SASL_NOUSER:
        case SASL_NOVERIFY:
        case SASL_NOAUTHZ:
        case SASL_DISABLED:
        case SASL_EXPIRED:
            verdict.outcome = Outcome::kRejected;
            verdict.reason = callbacks_->acts_for_another ? Reason::kNotAuthorized : Reason::kWrongPassword;
            return verdict;
        case SASL_FAIL:
            // With a keytab that serves, what cannot be unwrapped or asks for a layer is the client's doing.
            if (plugin_.proof == Proof::kItsOwn && has_challenged_) {
                verdict.outcome = Outcome::kMalformed;
                verdict.reason = Reason::kBadMessage;
            }
            return verdict;
        default: return verdict;  // NOMEM, UNAVAIL, NOMECH…: never "wrong password"
    }
}

bool SaslExchange::is_vouched_for() const noexcept {
    switch (plugin_.proof) {
        case Proof::kPassword: return callbacks_->has_agreed;
        case Proof::kKeys:
        case Proof::kPlain: return callbacks_->has_served;
        case Proof::kCertificate: return !external_name_.empty();
        case Proof::kItsOwn: return true;
    }
    return false;
}

// GSS-SPNEGO lets the client turn on a security layer that nobody has offered; SMTP goes on without any.
bool SaslExchange::has_layer() const {
    const void* strength = nullptr;
    return sasl_getprop(connection_, SASL_SSF, &strength) != SASL_OK || strength == nullptr ||
           *static_cast<const sasl_ssf_t*>(strength) != 0;
}

// Who was proved and who is acted for must be one and the same.
std::string SaslExchange::proved_user() const {
    const void* user = nullptr;
    const void* proved = nullptr;
    if (sasl_getprop(connection_, SASL_USERNAME, &user) != SASL_OK || user == nullptr) return {};
    if (sasl_getprop(connection_, SASL_AUTHUSER, &proved) != SASL_OK || proved == nullptr) return {};
    std::string name(static_cast<const char*>(user));
    return name == static_cast<const char*>(proved) ? name : std::string();
}

}  // namespace gatepost::auth
