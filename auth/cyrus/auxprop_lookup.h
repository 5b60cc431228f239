// Users in a property plugin of Cyrus SASL (sasldb, sql, ldapdb) as credentials. Says "unknown" only when the
// plugin has looked and found nobody: whatever goes wrong is "cannot answer". Blocks as the plugin does. Any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "auth/cyrus/auxprop_question.h"
#include "auth/dialogue/blocking_lookup.h"

namespace gatepost::auth {

/// Whether `ann@elsewhere` is somebody else to the plugin than `ann`. false: an SQL statement without %r, for
/// which sql drops what follows the @. (A directory maps names as its operator says.)
[[nodiscard]] bool tells_realms_apart(const AuxpropSettings& settings);

class AuxpropLookup final : public BlockingLookup {
  public:
    /// A SaslLibrary that was started with the same plugin and options lives until the last look-up has
    /// returned.
    explicit AuxpropLookup(AuxpropSettings settings);

    [[nodiscard]] Answer find(const std::string& user) override;

  private:
    [[nodiscard]] Answer known(const std::string& user, const Properties& properties) const;
    [[nodiscard]] bool can_break_out(std::string_view user) const;
    [[nodiscard]] bool is_about(const std::string& user) const;

    const AuxpropSettings settings_;
};

}  // namespace gatepost::auth
