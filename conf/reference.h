// The reference file and the documentation page, written from the table of keys. Nothing else may write them.
// Any thread.
#pragma once

#include <ostream>

namespace gatepost::conf {

/// conf/gatepost.yaml
void write_reference(std::ostream& out);

/// docs/configuration.md
void write_documentation(std::ostream& out);

}  // namespace gatepost::conf
