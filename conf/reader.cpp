// One walk through the table, with the tree beside it. Long because each kind of value is read by a function
// of its own and all of them share the walk.
#include "conf/reader.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "conf/canonical.h"
#include "conf/files.h"
#include "conf/hints.h"
#include "conf/keys.h"
#include "conf/units.h"
#include "proxy/base/printable.h"

namespace gatepost::conf {
namespace {

constexpr std::string_view kNotYet = "not available yet";

// Where a value belongs: its row, its path, and the type of the backend around it.
struct Place {
    const Key& key;
    std::string path;
    std::string variant;
};

class Reader {
  public:
    Reader(const std::string& file, const Environment& environment, Files files,
           std::vector<Problem>& problems)
        : file_(file), environment_(environment), files_(files), problems_(problems) {}

    Values take() { return std::move(values_); }

    // The keys below `table_parent`, from `node` (null when nothing is written there).
    void read_map(const Node* node, std::string_view table_parent, const std::string& path,
                  const std::string& variant) {
        if (node != nullptr) refuse_unknown(*node, table_parent, path, variant);
        for (const Key& key : kKeys) {
            const std::string_view leaf = leaf_below(key.path, table_parent);
            if (leaf.empty() || leaf == "*" || !belongs(key, variant)) continue;
            const Node* const written = node == nullptr ? nullptr : node->find(leaf);
            const Place place{key, path.empty() ? std::string(leaf) : path + "." + std::string(leaf),
                              variant};
            if (written != nullptr) {
                read_key(place, *written);
            } else if (key.is_required) {
                complain(node == nullptr ? Position{} : node->position, place.path, "missing; " + need(key));
            } else {
                read_default(place);
            }
        }
    }

  private:
    static bool belongs(const Key& key, const std::string& variant) {
        return key.variant.empty() || key.variant == variant;
    }

    static std::string need(const Key& key) {
        if (key.type == Type::List || is_value_list(key.type)) return "at least one is needed";
        return "expected " + expectation(key);
    }

    void complain(Position position, const std::string& path, const std::string& message) {
        problems_.push_back(
            {file_, position.line, position.column, path.empty() ? message : path + ": " + message});
        values_.bad.insert(path);
    }

    void refuse_unknown(const Node& node, std::string_view table_parent, const std::string& path,
                        const std::string& variant) {
        std::vector<std::string_view> known;
        for (const Key& key : kKeys) {
            const std::string_view leaf = leaf_below(key.path, table_parent);
            if (!leaf.empty() && belongs(key, variant)) known.push_back(leaf);
        }
        for (const auto& field : node.fields) {
            if (std::ranges::find(known, field.name) != known.end()) continue;
            const std::string full = (path.empty() ? "" : path + ".") + printable(field.name, 64);
            complain(field.position, full, "unknown key" + hint_about(field.name, known, table_parent));
        }
    }

    void store(const Place& place, Position position, const std::string& text) {
        values_.settings[place.path] = {position.line, position.column, masked(place.key, text)};
        values_.texts[place.path] = text;
    }

    void read_default(const Place& place) {
        constexpr Position kUnwritten{0, 0};
        const Key& key = place.key;
        if (key.is_optional) return;
        if (key.type == Type::Section) {
            read_map(nullptr, key.path, place.path, place.variant);
            return;
        }
        store(place, kUnwritten, "");
        if (key.type == Type::List || key.type == Type::Named || key.type == Type::TextMap ||
            key.type == Type::RateMap)
            return;
        if (is_value_list(key.type)) {
            std::size_t index = 0;
            for (const auto& element : split_list(key.initial))
                store(element_of(place, index++), kUnwritten, element);
            return;
        }
        if (const auto text = canonical(key, key.initial)) store(place, kUnwritten, *text);
    }

    static Place element_of(const Place& place, std::size_t index) {
        return {place.key, place.path + "[" + std::to_string(index) + "]", place.variant};
    }

    void read_key(const Place& place, const Node& node) {
        const Key& key = place.key;
        switch (key.type) {
            case Type::Section:
                if (!is_kind(place, node, Node::Kind::Map)) return;
                store(place, node.position, "");
                read_map(&node, key.path, place.path, place.variant);
                return;
            case Type::List: read_list(place, node); return;
            case Type::Named: read_named(place, node); return;
            case Type::TextMap:
            case Type::RateMap: read_entries(place, node); return;
            default: break;
        }
        if (is_value_list(key.type)) {
            read_values_of(place, node);
        } else {
            read_scalar(place, node, !key.unbuilt.empty());
        }
    }

    // Null passes: a section or list of which everything is commented out.
    bool is_kind(const Place& place, const Node& node, Node::Kind kind) {
        if (node.kind == kind || node.kind == Node::Kind::Null) return true;
        const std::string expected =
            is_value_list(place.key.type) ? "a list, such as [a, b]" : expectation(place.key);
        complain(node.position, place.path, "expected " + expected + ", found " + found(node));
        return false;
    }

    static std::string found(const Node& node) {
        switch (node.kind) {
            case Node::Kind::Null: return "nothing";
            case Node::Kind::Scalar: return "\"" + printable(node.text, 80) + "\"";
            case Node::Kind::List: return "a list";
            case Node::Kind::Map: return "a map";
        }
        return "";
    }

    // True when the value is usable; it is then stored. An unbuilt value is stored too, so that it is refused
    // only once.
    bool read_scalar(const Place& place, const Node& node, bool must_be_built) {
        if (node.kind != Node::Kind::Scalar) {
            complain(node.position, place.path,
                     "expected " + expectation(place.key) + ", found " + found(node));
            return false;
        }
        const auto expanded = expand(node.text, environment_);
        const auto text = expanded ? canonical(place.key, *expanded) : expanded;
        if (!text) {
            complain(node.position, place.path, text.error().message);
            return false;
        }
        store(place, node.position, *text);
        if (must_be_built && !is_built(place.key, *text)) {
            const bool shows = !place.key.is_secret();
            complain(node.position, place.path,
                     (shows ? printable(*text, 80) + ": " : "") + std::string(kNotYet));
        }
        look_at_file(place, node, *text);
        return true;
    }

    void look_at_file(const Place& place, const Node& node, const std::string& path) {
        if (path.empty()) return;
        if (place.key.type == Type::File && files_ == Files::MustExist) {
            if (const auto readable = must_be_readable(path); !readable) {
                complain(node.position, place.path, readable.error().message);
            }
        } else if (place.key.type == Type::SecretFile) {
            auto secret = read_secret_file(path);
            if (!secret) {
                complain(node.position, place.path, secret.error().message);
            } else {
                values_.secrets[place.path] = std::move(*secret);
            }
        }
    }

    void read_values_of(const Place& place, const Node& node) {
        if (!is_kind(place, node, Node::Kind::List)) {
            read_default(place);
            return;
        }
        store(place, node.position, "");
        std::vector<std::string> texts;
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            const Place element = element_of(place, i);
            if (!read_scalar(element, node.items[i], false)) continue;
            const std::string& text = values_.texts[element.path];
            if (std::ranges::find(texts, text) != texts.end()) {
                complain(node.items[i].position, element.path,
                         "\"" + printable(text, 80) + "\" is listed twice");
            }
            texts.push_back(text);
        }
        if (place.key.is_required && node.items.empty()) complain(node.position, place.path, need(place.key));
        if (texts != split_list(place.key.initial)) refuse_unbuilt_elements(place, node);
    }

    void refuse_unbuilt_elements(const Place& place, const Node& node) {
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            const Place element = element_of(place, i);
            const auto text = values_.texts.find(element.path);
            if (text == values_.texts.end() || is_built(place.key, text->second)) continue;
            complain(node.items[i].position, element.path,
                     printable(text->second, 80) + ": " + std::string(kNotYet));
        }
    }

    void read_list(const Place& place, const Node& node) {
        if (!is_kind(place, node, Node::Kind::List)) return;
        store(place, node.position, "");
        if (node.items.empty() && place.key.is_required) complain(node.position, place.path, need(place.key));
        if (!node.items.empty() && !place.key.unbuilt.empty()) {
            complain(node.position, place.path, std::string(kNotYet));
        }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            const Node& item = node.items[i];
            const Place element = element_of(place, i);
            store(element, item.position, "");
            if (item.kind == Node::Kind::Map) {
                read_map(&item, std::string(place.key.path) + "[]", element.path, place.variant);
            } else {
                complain(item.position, element.path, "expected a map (key: value), found " + found(item));
            }
        }
    }

    void read_named(const Place& place, const Node& node) {
        if (!is_kind(place, node, Node::Kind::Map)) return;
        store(place, node.position, "");
        const Key name_key{"", Type::Name};
        for (const auto& field : node.fields) {
            const std::string path = place.path + "." + printable(field.name, 64);
            if (const auto name = canonical(name_key, field.name); !name) {
                complain(field.position, path, name.error().message);
                continue;
            }
            values_.names[place.path].push_back(field.name);
            store({place.key, path, {}}, field.position, "");
            if (field.value.kind != Node::Kind::Map) {
                complain(field.value.position, path,
                         "expected " + expectation(place.key) + ", found " + found(field.value));
                continue;
            }
            read_named_map(place, path, field.value);
        }
    }

    // Which keys a backend may have depends on its type, so that is looked at first; without one only the
    // type is asked for.
    void read_named_map(const Place& place, const std::string& path, const Node& node) {
        const std::string table_parent = std::string(place.key.path) + ".*";
        const Key* const type = find_key(table_parent + ".type");
        const Node* const written = node.find("type");
        if (written == nullptr) {
            complain(node.position, path + ".type", "missing; " + need(*type));
            return;
        }
        if (!read_scalar({*type, path + ".type", {}}, *written, true)) return;
        const std::string variant = values_.texts[path + ".type"];
        read_map(&node, table_parent, path, variant);
    }

    void read_entries(const Place& place, const Node& node) {
        if (!is_kind(place, node, Node::Kind::Map)) return;
        store(place, node.position, "");
        for (const auto& field : node.fields) {
            const std::string path = place.path + "." + printable(field.name, 64);
            const bool is_word =
                !field.name.empty() && std::ranges::all_of(field.name, [](unsigned char octet) {
                    return std::isalnum(octet) != 0 || octet == '_' || octet == '-';
                });
            if (!is_word) {
                complain(field.position, path, "expected a name of letters, digits, - and _");
                continue;
            }
            if (!read_scalar({place.key, path, place.variant}, field.value, true)) continue;
            values_.names[place.path].push_back(field.name);
            if (place.key.type == Type::TextMap) {
                values_.settings[path].text = masked_option(field.name, values_.texts[path]);
            }
        }
    }

    const std::string& file_;
    const Environment& environment_;
    Files files_;
    std::vector<Problem>& problems_;
    Values values_;
};

}  // namespace

Values read_values(const Node& root, const std::string& file, const Environment& environment, Files files,
                   std::vector<Problem>& problems) {
    Reader reader(file, environment, files, problems);
    if (root.kind == Node::Kind::Scalar || root.kind == Node::Kind::List) {
        problems.push_back({file, root.position.line, root.position.column, "expected a map (key: value)"});
        return reader.take();
    }
    reader.read_map(&root, "", "", "");
    return reader.take();
}

}  // namespace gatepost::conf
