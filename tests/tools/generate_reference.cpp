// Prints what is generated from the tables: `generate_reference reference` is conf/gatepost.yaml,
// `schema` is conf/gatepost.schema.json, `documentation` is docs/configuration.md, `log-events` and
// `log-fields` stand in docs/logs.md. Reads nothing.
#include <iostream>
#include <string_view>

#include "conf/reference.h"

int main(int count, char** words) {
    const std::string_view what = count == 2 ? words[1] : "";
    if (what == "reference") {
        gatepost::conf::write_reference(std::cout);
    } else if (what == "schema") {
        gatepost::conf::write_json_schema(std::cout);
    } else if (what == "documentation") {
        gatepost::conf::write_documentation(std::cout);
    } else if (what == "log-events") {
        gatepost::conf::write_log_events(std::cout);
    } else if (what == "log-fields") {
        gatepost::conf::write_log_fields(std::cout);
    } else {
        std::cerr << "usage: generate_reference reference|schema|documentation|log-events|log-fields\n";
        return 2;
    }
    return std::cout.flush() ? 0 : 1;
}
