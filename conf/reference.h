// The reference file, its schema and the documentation, written from the tables of keys and of log events.
// Nothing else may write them. Any thread.
#pragma once

#include <ostream>

namespace gatepost::conf {

/// conf/gatepost.yaml
void write_reference(std::ostream& out);

/// docs/configuration.md
void write_documentation(std::ostream& out);

/// conf/gatepost.schema.json
void write_json_schema(std::ostream& out);

/// The tables in docs/logs.md.
void write_log_events(std::ostream& out);
void write_log_fields(std::ostream& out);

}  // namespace gatepost::conf
