#include "auth/cyrus/sasl_exchange.h"

#include <array>
#include <limits>

#include <sasl/sasl.h>

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
struct SaslExchange::Callbacks {
    PasswordCheck* check = nullptr;  // of the step that runs
    bool has_agreed = false;         // the check said yes in this very step
    bool acts_for_another = false;
    std::array<sasl_callback_t, 3> table{};

    Callbacks() {
        table[0] = {SASL_CB_SERVER_USERDB_CHECKPASS, proc(&Callbacks::check_password), this};
        table[1] = {SASL_CB_PROXY_POLICY, proc(&Callbacks::authorize), this};
        table[2] = {SASL_CB_LIST_END, nullptr, nullptr};
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

SaslExchange::SaslExchange(std::string_view mechanism, const std::string& hostname)
    : mechanism_(mechanism), callbacks_(std::make_unique<Callbacks>()) {
    // No realm: an empty one would append "@" to every name.
    if (sasl_server_new("smtp", hostname.c_str(), nullptr, nullptr, nullptr, callbacks_->table.data(), 0,
                        &connection_) != SASL_OK) {
        connection_ = nullptr;
        return;
    }
    sasl_security_properties_t properties{};
    properties.security_flags = SASL_SEC_NOANONYMOUS;
    if (sasl_setprop(connection_, SASL_SEC_PROPS, &properties) != SASL_OK) dispose();
}

SaslExchange::~SaslExchange() {
    dispose();
}

void SaslExchange::dispose() noexcept {
    if (connection_ != nullptr) sasl_dispose(&connection_);
    connection_ = nullptr;
}

Verdict SaslExchange::step(const std::optional<Secret>& message, const Lookup&, PasswordCheck& check) {
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
    const int code = is_started_
                         ? sasl_server_step(connection_, data, size, &out, &out_size)
                         : sasl_server_start(connection_, mechanism_.c_str(), data, size, &out, &out_size);
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
            if (!callbacks_->has_agreed || callbacks_->acts_for_another) return verdict;
            verdict.identity.user = proved_user();
            if (verdict.identity.user.empty()) return verdict;
            verdict.outcome = Outcome::kAccepted;
            verdict.reason = Reason::kNone;
            return verdict;
        case SASL_CONTINUE:
            verdict.outcome = Outcome::kChallenge;
            verdict.reason = Reason::kNone;
            if (out != nullptr) verdict.challenge.assign(out, out_size);
            return verdict;
        case SASL_BADPROT:
        case SASL_BADPARAM:
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
        default: return verdict;  // FAIL, NOMEM, UNAVAIL, NOMECH…: never "wrong password"
    }
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
