// The table of keys again, this time with the settings of one configuration beside it.
#include "conf/check.h"

#include <algorithm>
#include <cctype>

#include "conf/canonical.h"
#include "conf/keys.h"

namespace gatepost::conf {
namespace {

std::string counted(std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

bool is_plain(std::string_view text) {
    if (text.empty() || (std::isalnum(static_cast<unsigned char>(text.front())) == 0 && text.front() != '/'))
        return false;
    // 1.2 would be a number to other readers of YAML.
    if (text.find('.') != std::string_view::npos &&
        text.find_first_not_of("0123456789.") == std::string_view::npos)
        return false;
    if (is_one_of("null|Null|NULL|true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|"
                  "y|Y|n|N",
                  text)) {
        return false;
    }
    return std::ranges::all_of(text, [](unsigned char octet) {
        return std::isalnum(octet) != 0 || octet == '-' || octet == '_' || octet == '.' || octet == '/';
    });
}

class Dump {
  public:
    Dump(const Config& config, std::ostream& out) : config_(config), out_(out) {}

    // The keys below `table_parent`; `first` is put before the first of them (the dash of a list).
    void map(std::string_view table_parent, const std::string& path, const std::string& variant,
             const std::string& indent, std::string first) {
        for (const Key& key : kKeys) {
            const std::string_view leaf = leaf_below(key.path, table_parent);
            if (leaf.empty() || leaf == "*" || (!key.variant.empty() && key.variant != variant)) continue;
            const std::string below = path.empty() ? std::string(leaf) : path + "." + std::string(leaf);
            if (key.type != Type::Section && text(below) == nullptr) continue;
            out_ << (first.empty() ? indent : first) << leaf << ':';
            first.clear();
            value(key, below, variant, indent);
        }
    }

  private:
    [[nodiscard]] const std::string* text(const std::string& path) const {
        const auto found = config_.settings.find(path);
        return found == config_.settings.end() ? nullptr : &found->second.text;
    }

    static std::string item(const std::string& path, std::size_t index) {
        return path + "[" + std::to_string(index) + "]";
    }

    void value(const Key& key, const std::string& path, const std::string& variant,
               const std::string& indent) {
        switch (key.type) {
            case Type::Section:
                out_ << '\n';
                map(key.path, path, variant, indent + "  ", "");
                return;
            case Type::List: list(key, path, indent); return;
            case Type::Named: named(path, indent); return;
            case Type::TextMap:
            case Type::RateMap: entries(path); return;
            case Type::Bool: out_ << ' ' << *text(path) << '\n'; return;
            default: break;
        }
        if (!is_value_list(key.type)) {
            out_ << ' ' << yaml_scalar(*text(path)) << '\n';
            return;
        }
        out_ << " [";
        for (std::size_t i = 0; text(item(path, i)) != nullptr; ++i) {
            out_ << (i == 0 ? "" : ", ") << yaml_scalar(*text(item(path, i)));
        }
        out_ << "]\n";
    }

    void list(const Key& key, const std::string& path, const std::string& indent) {
        if (text(item(path, 0)) == nullptr) out_ << " []";
        out_ << '\n';
        for (std::size_t i = 0; text(item(path, i)) != nullptr; ++i) {
            map(std::string(key.path) + "[]", item(path, i), "", indent + "    ", indent + "  - ");
        }
    }

    // Names directly below `path`.
    [[nodiscard]] std::vector<std::string> names(const std::string& path) const {
        std::vector<std::string> result;
        for (auto at = config_.settings.lower_bound(path + "."); at != config_.settings.end(); ++at) {
            if (!at->first.starts_with(path + ".")) break;
            std::string name = at->first.substr(path.size() + 1);
            if (name.find_first_of(".[") == std::string::npos) result.push_back(std::move(name));
        }
        return result;
    }

    void named(const std::string& path, const std::string& indent) {
        const auto all = names(path);
        out_ << (all.empty() ? " {}\n" : "\n");
        for (const std::string& name : all) {
            const std::string below = path + "." + name;
            out_ << indent << "  " << yaml_scalar(name) << ":\n";
            const std::string* const type = text(below + ".type");
            map(path + ".*", below, type == nullptr ? "" : *type, indent + "    ", "");
        }
    }

    void entries(const std::string& path) {
        out_ << " {";
        bool is_first = true;
        for (const std::string& name : names(path)) {
            out_ << (is_first ? "" : ", ") << yaml_scalar(name) << ": "
                 << yaml_scalar(*text(path + "." + name));
            is_first = false;
        }
        out_ << "}\n";
    }

    const Config& config_;
    std::ostream& out_;
};

}  // namespace

std::string summary(const Config& config) {
    std::size_t servers = 0;
    for (const Upstream& upstream : config.upstreams) servers += upstream.servers.size();
    const auto written = std::ranges::count_if(config.settings, [](const auto& setting) {
        return setting.second.line != 0 && !setting.second.text.empty();
    });
    return config.file + ": fine: " + counted(config.listeners.size(), "listener") + ", " +
           counted(config.auth.backends.size(), "backend") + " in use, " +
           counted(config.upstreams.size(), "upstream") + " with " + counted(servers, "server") + ", " +
           counted(static_cast<std::size_t>(written), "value") + " written";
}

std::vector<Problem> notes(const Config& config) {
    std::vector<Problem> found;
    for (std::size_t i = 0; i < config.auth.mechanisms.size(); ++i) {
        const std::string& mechanism = config.auth.mechanisms[i];
        if (mechanism != "CRAM-MD5" && mechanism != "DIGEST-MD5" && mechanism != "NTLM") continue;
        const std::string path = "auth.mechanisms[" + std::to_string(i) + "]";
        const Setting* const setting = config.nearest_written(path);
        found.push_back({.file = config.file,
                         .line = setting == nullptr ? 1 : setting->line,
                         .column = setting == nullptr ? 1 : setting->column,
                         .message = path + ": " + mechanism +
                                    " is deprecated and weak, and needs the passwords themselves ({PLAIN} "
                                    "records); SCRAM-SHA-256 needs neither"});
    }
    return found;
}

void print(const std::vector<Problem>& problems, std::ostream& out) {
    for (const Problem& problem : problems) out << problem.text() << '\n';
    out << counted(problems.size(), "error") << '\n';
}

void dump(const Config& config, std::ostream& out) {
    Dump(config, out).map("", "", "", "", "");
}

std::string yaml_scalar(std::string_view text) {
    if (is_plain(text)) return std::string(text);
    std::string result = "\"";
    for (const char octet : text) {
        if (octet == '"' || octet == '\\') result += '\\';
        if (octet == '$') result += '$';
        result += octet;
    }
    return result + '"';
}

}  // namespace gatepost::conf
