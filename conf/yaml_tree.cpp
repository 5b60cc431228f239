// yaml-cpp's events into our tree: only the events tell about keys written twice, and nothing is expanded or
// merged.
#include "conf/yaml_tree.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "proxy/base/printable.h"

namespace gatepost::conf {
namespace {

Position position_of(const YAML::Mark& mark) {
    if (mark.is_null()) return {};
    return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

// yaml-cpp takes a quoted text that never ends for one that ends with the file, if a line end is the last
// thing in it. So something else is put there.
constexpr std::string_view kBehindTheFile = "# behind the end of the file";

class TreeBuilder : public YAML::EventHandler {
  public:
    TreeBuilder(const std::string& file, std::vector<Problem>& problems) : file_(file), problems_(problems) {}

    Node take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        add(Node{Node::Kind::Null, position_of(mark), {}, {}, {}});
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        refuse(mark, "aliases (*name) are not supported: write the value out");
        add(Node{Node::Kind::Null, position_of(mark), {}, {}, {}});
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        add(Node{Node::Kind::Scalar, position_of(mark), value, {}, {}});
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        open_.push_back({Node{Node::Kind::List, position_of(mark), {}, {}, {}}, {}, false});
    }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        open_.push_back({Node{Node::Kind::Map, position_of(mark), {}, {}, {}}, {}, false});
    }

    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

  private:
    // A list or map that is still being read; of a map also the key whose value comes next.
    struct Open {
        Node node;
        Node key;
        bool has_key = false;
    };

    void close() {
        Node node = std::move(open_.back().node);
        open_.pop_back();
        add(std::move(node));
    }

    void add(Node node) {
        if (open_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& parent = open_.back();
        if (parent.node.kind == Node::Kind::List) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.has_key) {
            parent.key = std::move(node);
            parent.has_key = true;
        } else {
            parent.has_key = false;
            add_field(parent, std::move(node));
        }
    }

    void add_field(Open& parent, Node value) {
        if (parent.key.kind != Node::Kind::Scalar) {
            refuse(parent.key.position, "a key must be a plain word");
            return;
        }
        if (const Node* const first = parent.node.find(parent.key.text)) {
            refuse(parent.key.position, "`" + printable(parent.key.text, 64) +
                                            "` is written twice; first in line " +
                                            std::to_string(line_of(*first)));
            return;
        }
        if (value.kind == Node::Kind::Null) value.position = parent.key.position;
        parent.node.fields.push_back({std::move(parent.key.text), parent.key.position, std::move(value)});
        parent.key = {};
    }

    std::size_t line_of(const Node& value) const {
        for (const auto& field : open_.back().node.fields) {
            if (&field.value == &value) return field.position.line;
        }
        return value.position.line;
    }

    void refuse(Position position, std::string message) {
        problems_.push_back({file_, position.line, position.column, std::move(message)});
    }
    void refuse(const YAML::Mark& mark, std::string message) {
        refuse(position_of(mark), std::move(message));
    }

    void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != YAML::NullAnchor) refuse(mark, "anchors (&name) are not supported");
    }
    // yaml-cpp says "?" for a plain scalar and "!" for a quoted one.
    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags (!name) are not supported");
    }

    const std::string& file_;
    std::vector<Problem>& problems_;
    Node root_;
    std::vector<Open> open_;
};

// yaml-cpp replaces what is not UTF-8 silently, so it is refused before.
bool is_text(const std::string& text, const std::string& file, std::vector<Problem>& problems) {
    std::istringstream lines(text);
    std::string line;
    for (std::size_t number = 1; std::getline(lines, line); ++number) {
        const auto control = std::ranges::find_if(line, [](char octet) {
            const auto value = static_cast<unsigned char>(octet);
            return (value < 0x20 && octet != '\t' && octet != '\r') || value == 0x7f;
        });
        const auto column = static_cast<std::size_t>(control - line.begin()) + 1;
        if (control != line.end()) {
            problems.push_back({file, number, column, "a control character; a configuration is text"});
            return false;
        }
        if (!is_utf8(line)) {
            problems.push_back({file, number, 1, "this line is not UTF-8"});
            return false;
        }
    }
    return true;
}

}  // namespace

const Node* Node::find(std::string_view name) const {
    const auto found = std::ranges::find(fields, name, &Field::name);
    return found == fields.end() ? nullptr : &found->value;
}

Node read_yaml(const std::string& text, const std::string& file, std::vector<Problem>& problems,
               bool& is_yaml) {
    is_yaml = false;
    if (!is_text(text, file, problems)) return {};
    TreeBuilder builder(file, problems);
    try {
        std::istringstream stream(text + "\n" + std::string(kBehindTheFile));
        YAML::Parser parser(stream);
        is_yaml = true;
        if (!parser.HandleNextDocument(builder)) return {};
        Node root = builder.take();
        TreeBuilder rest(file, problems);
        if (parser.HandleNextDocument(rest)) {
            const Node second = rest.take();
            problems.push_back({file, second.position.line, second.position.column,
                                "a second YAML document; there can be only one"});
        }
        return root;
    } catch (const YAML::Exception& error) {
        is_yaml = false;
        Position position = position_of(error.mark);
        const auto lines =
            static_cast<std::size_t>(std::ranges::count(text, '\n')) + (text.ends_with('\n') ? 0U : 1U);
        if (position.line > lines) position = {lines, 1};
        std::string what = "not YAML: " + printable(error.msg);
        // As "*:587" is, without its quotes.
        if (error.msg.starts_with(YAML::ErrorMsg::UNKNOWN_ANCHOR))
            what += "; a value that begins with * is written in quotes";
        problems.push_back({file, position.line, position.column, std::move(what)});
    } catch (const std::exception& error) {
        is_yaml = false;
        problems.push_back({file, 1, 1, "not YAML: " + printable(error.what())});
    }
    return {};
}

}  // namespace gatepost::conf
