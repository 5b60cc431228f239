// Prints what is generated from the table of keys: `generate_reference reference` is conf/gatepost.yaml,
// `generate_reference documentation` is docs/configuration.md. Reads nothing.
#include <iostream>
#include <string_view>

#include "conf/reference.h"

int main(int count, char** words) {
    const std::string_view what = count == 2 ? words[1] : "";
    if (what == "reference") {
        gatepost::conf::write_reference(std::cout);
    } else if (what == "documentation") {
        gatepost::conf::write_documentation(std::cout);
    } else {
        std::cerr << "usage: generate_reference reference|documentation\n";
        return 2;
    }
    return std::cout.flush() ? 0 : 1;
}
