// A YAML document as a plain tree that remembers where everything stood. Knows no key and no environment;
// refuses what a configuration has no use for (anchors, tags, several documents, keys written twice). Any
// thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "conf/problem.h"

namespace gatepost::conf {

/// Line and column count from 1.
struct Position {
    std::size_t line = 1;
    std::size_t column = 1;
};

/// A value of the file: nothing, a text, a list or a map.
struct Node {
    enum class Kind { Null, Scalar, List, Map };
    struct Field;

    Kind kind = Kind::Null;
    Position position;
    std::string text;           ///< of a scalar, as written
    std::vector<Node> items;    ///< of a list
    std::vector<Field> fields;  ///< of a map, in the order of the file, each name once

    [[nodiscard]] const Node* find(std::string_view name) const;
};

struct Node::Field {
    std::string name;
    Position position;
    Node value;
};

/// The tree of `text`; an empty document is an empty tree. Appends to `problems` what is wrong with it.
/// `is_yaml` becomes false when nothing more can be said because it cannot be read at all.
[[nodiscard]] Node read_yaml(const std::string& text, const std::string& file, std::vector<Problem>& problems,
                             bool& is_yaml);

}  // namespace gatepost::conf
