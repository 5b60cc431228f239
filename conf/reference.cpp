// conf/gatepost.yaml: every key once, with its default or an example, and its sentence beside it.
#include "conf/reference.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "conf/canonical.h"
#include "conf/check.h"
#include "conf/keys.h"

namespace gatepost::conf {
namespace {

constexpr std::string_view kHead =
    R"(# Gatepost: the reference configuration, generated from the table of keys (conf/keys.h): change it there.
#
# Values are defaults unless marked (example). Durations: 250ms 30s 5m 1h 1d; sizes: 64KiB 50MiB; rates: 100/1h.
# ${NAME} in a value is replaced from the environment, $$ is a dollar sign; every secret also has a *_file form that is read
# from a file. (not yet) marks a key of which only the default, or a value that switches it off, is accepted so far.
# An unknown key, a wrong type, a missing file or a contradiction stops `gatepost check` and `gatepost serve` with
# file:line:column, what is wrong, and what was expected; all errors are reported at once, not just the first.

)";

constexpr std::size_t kCommentColumn = 46;

std::string spaced_words(std::string_view words) {
    std::string result;
    for (const char octet : words) result += octet == '|' ? std::string(" | ") : std::string(1, octet);
    return result;
}

std::string not_yet_remark(const Key& key) {
    if (key.unbuilt.empty()) return "";
    if (key.unbuilt == "*") return " (not yet)";
    if (key.type == Type::Words) return " (not yet: all but PLAIN and LOGIN)";
    return " (not yet: " + spaced_words(key.unbuilt) + ")";
}

std::string remark(const Key& key, bool is_example) {
    std::string result = is_example ? "(example) " : "";
    if (key.type == Type::Word) result += spaced_words(key.words_list) + "; ";
    return result + std::string(key.sentence) + not_yet_remark(key);
}

class Reference {
  public:
    explicit Reference(std::ostream& out) : out_(out) {}

    void map(std::string_view table_parent, const std::string& path, const std::string& variant,
             const std::string& indent, std::string first, bool only_examples) {
        for (const Key& key : kKeys) {
            const std::string_view leaf = leaf_below(key.path, table_parent);
            if (leaf.empty() || leaf == "*" || (!key.variant.empty() && key.variant != variant)) continue;
            const std::string below = path.empty() ? std::string(leaf) : path + "." + std::string(leaf);
            if (only_examples && example(below) == nullptr) continue;
            const std::string start = (first.empty() ? indent : first) + std::string(leaf) + ":";
            first.clear();
            const bool is_section =
                key.type == Type::Section || key.type == Type::List || key.type == Type::Named;
            if (table_parent.empty() && is_section && key.path != "routes") out_ << '\n';
            entry(key, below, variant, start, indent, only_examples);
        }
    }

  private:
    static const Example* example(const std::string& path) {
        const auto* const found = std::ranges::find(kExamples, path, &Example::path);
        return found == std::end(kExamples) ? nullptr : found;
    }

    static bool has_example_below(const std::string& path) {
        return std::ranges::any_of(kExamples, [&path](const Example& each) {
            return each.path.starts_with(path) &&
                   (each.path.size() == path.size() || each.path[path.size()] == '.');
        });
    }

    static std::string item(const std::string& path, std::size_t index) {
        return path + "[" + std::to_string(index) + "]";
    }

    void line(std::string text, const std::string& comment) {
        if (!comment.empty()) {
            text.resize(std::max(text.size() + 2, kCommentColumn), ' ');
            text += "# " + comment;
        }
        out_ << text << '\n';
    }

    void entry(const Key& key, const std::string& path, const std::string& variant, const std::string& start,
               const std::string& indent, bool is_bare) {
        const auto comment = [&](bool is_example) { return is_bare ? "" : remark(key, is_example); };
        if (key.type == Type::Section) {
            line(start, comment(false));
            map(key.path, path, variant, indent + "  ", "", false);
        } else if (key.type == Type::List) {
            list(key, path, start, indent);
        } else if (key.type == Type::Named) {
            line(start, remark(key, true));
            named(path, indent);
        } else if (const Example* const given = example(path)) {
            line(start + " " + shown(key, std::string(given->text)), comment(true));
        } else if (key.is_optional) {
            line(indent + "# " + start.substr(indent.size()), comment(false));
        } else {
            line(start + " " + shown(key, std::string(key.initial)), comment(false));
        }
    }

    // A list is shown by its examples; one that is empty by default has them in comments, with its keys
    // explained.
    void list(const Key& key, const std::string& path, const std::string& start, const std::string& indent) {
        const std::string parent = std::string(key.path) + "[]";
        if (example(item(path, 0)) != nullptr) {
            line(start + " []", remark(key, false));
            for (std::size_t i = 0; example(item(path, i)) != nullptr; ++i) {
                out_ << "#  - " << example(item(path, i))->text << '\n';
            }
            explain(parent, "");
            return;
        }
        line(start, remark(key, true));
        for (std::size_t i = 0; has_example_below(item(path, i)); ++i) {
            map(parent, item(path, i), "", indent + "    ", indent + "  - ", i != 0);
        }
    }

    void explain(const std::string& table_parent, const std::string& prefix) {
        for (const Key& key : kKeys) {
            const std::string_view leaf = leaf_below(key.path, table_parent);
            if (leaf.empty()) continue;
            std::string initial = key.is_required ? "" : " (default " + yaml_value(key) + ")";
            if (key.is_optional || key.type == Type::Section) initial.clear();
            out_ << "#  " << prefix << leaf << ": " << remark(key, false) << initial << '\n';
            if (key.type == Type::Section) explain(std::string(key.path), prefix + std::string(leaf) + ".");
        }
    }

    static std::string yaml_value(const Key& key) { return shown(key, std::string(key.initial)); }

    // The text as it stands in the file: lists, maps, numbers and words plain, the rest quoted where it must
    // be.
    static std::string shown(const Key& key, const std::string& text) {
        if (is_value_list(key.type) || key.type == Type::TextMap || key.type == Type::RateMap) return text;
        if (key.type == Type::Bool) return text;
        return yaml_scalar(text);
    }

    void named(const std::string& path, const std::string& indent) {
        std::vector<std::string> names;
        for (const Example& each : kExamples) {
            if (!each.path.starts_with(path + ".")) continue;
            std::string name(each.path.substr(path.size() + 1));
            name.resize(name.find('.'));
            if (std::ranges::find(names, name) == names.end()) names.push_back(name);
        }
        for (const std::string& name : names) {
            out_ << indent << "  " << name << ":\n";
            const std::string variant(example(path + "." + name + ".type")->text);
            map(path + ".*", path + "." + name, variant, indent + "    ", "", false);
        }
    }

    std::ostream& out_;
};

}  // namespace

void write_reference(std::ostream& out) {
    out << kHead;
    Reference(out).map("", "", "", "", "", false);
}

}  // namespace gatepost::conf
