// Cyrus SASL as a process has it: initialised once on the main thread before any worker, ended once after
// them. No configuration file, no plugin but the wanted ones, no syslog. This folder's .cpp files alone
// include sasl.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/cyrus/auxprop_question.h"
#include "auth/dialogue/mechanism_engine.h"
#include "proxy/base/result.h"

namespace gatepost::auth {

class SaslLibrary {
  public:
    struct Options {
        /// Warnings and errors of the library, one printable line each, never with a secret; called on any
        /// thread. May be empty.
        std::function<void(std::string_view line)> log;
        /// What may be offered, upper case; no other plugin is loaded.
        std::vector<std::string> mechanisms{"PLAIN", "LOGIN"};
        /// Whose users are looked up. sql and ldapdb read their options once a process: each at most once.
        std::vector<AuxpropSettings> auxprops{};
    };

    /// Main thread, before any other; at most one object lives at a time. The error names what to install.
    [[nodiscard]] static Result<std::unique_ptr<SaslLibrary>> start(Options options);

    /// Main thread; every exchange must be gone, and every look-up.
    ~SaslLibrary();
    SaslLibrary(const SaslLibrary&) = delete;
    SaslLibrary& operator=(const SaslLibrary&) = delete;

    /// Instead of destroying it, when a look-up never returns: the library stays as it is until the process
    /// ends, but logs nothing more. Main thread.
    static void abandon(std::unique_ptr<SaslLibrary> library);

    /// "2.1.28", of the library that is loaded. Any thread.
    [[nodiscard]] static std::string version();

    /// Whether `mechanism` is one of Options::mechanisms. Any thread.
    [[nodiscard]] bool has(std::string_view mechanism) const;

  private:
    explicit SaslLibrary(Options options);
};

/// The mechanism engine over the library. Any thread.
class CyrusEngine final : public MechanismEngine {
  public:
    /// `library` must outlive the engine and its exchanges. `hostname`: this server's name, as mechanisms may
    /// show it.
    CyrusEngine(SaslLibrary& library, std::string hostname);

    [[nodiscard]] std::unique_ptr<MechanismExchange> begin(std::string_view mechanism,
                                                           const ExchangeFacts& facts) override;

  private:
    const SaslLibrary& library_;
    const std::string hostname_;
};

}  // namespace gatepost::auth
