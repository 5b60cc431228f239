// The tree of a file against the table of keys: unknown, missing, wrongly typed and not yet built values are
// found here, defaults and the environment are put in. Knows nothing that two keys say together. Any thread;
// reads files of secrets.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/environment.h"
#include "conf/loader.h"
#include "conf/problem.h"
#include "conf/yaml_tree.h"

namespace gatepost::conf {

/// Every key that has a value, by concrete path. Containers are there too, with an empty text.
struct Values {
    std::map<std::string, Setting, std::less<>> settings;   ///< as they may be shown
    std::map<std::string, std::string, std::less<>> texts;  ///< as they are, secrets included
    std::map<std::string, SharedSecret, std::less<>>
        secrets;  ///< contents, by the path of the key that names the file
    std::map<std::string, std::vector<std::string>, std::less<>>
        names;                               ///< of maps of names, in the order of the file
    std::set<std::string, std::less<>> bad;  ///< paths that have a problem already
};

[[nodiscard]] Values read_values(const Node& root, const std::string& file, const Environment& environment,
                                 Files files, std::vector<Problem>& problems);

}  // namespace gatepost::conf
