// docs/configuration.md: a table for each section of the file.
#include <cctype>
#include <string>
#include <string_view>

#include "conf/canonical.h"
#include "conf/keys.h"
#include "conf/reference.h"

namespace gatepost::conf {
namespace {

constexpr std::string_view kHead =
    R"(# Configuration

Generated from the table of keys (`conf/keys.h`): change it there, then run `tests/tools/docs_drift BUILD_FOLDER --write`.

Gatepost reads one YAML file, `/etc/gatepost/gatepost.yaml` unless `--config` names another. `conf/gatepost.yaml` shows every
key with its default. `gatepost check --config FILE` reports everything that is wrong with a file at once, each as
`file:line:column: key: what is wrong, what was expected`; with `--dump` it prints the effective configuration, defaults
included and secrets redacted, in a form that can be loaded again.

An editor with the YAML language server shows wrong keys and values while you write, and offers those there are, once the file has the line
`# yaml-language-server: $schema=/usr/share/gatepost/gatepost.schema.json`, as the package's own has; in the repository the schema is
`conf/gatepost.schema.json`. It never refuses what Gatepost takes, but `gatepost check` sees more.

- **Durations** are a whole number and a unit: `250ms` `30s` `5m` `1h` `1d`. **Sizes**: `64KiB` `50MiB` (binary), `1MB`
  (decimal) or octets. **Rates**: `100/1h`; of bytes `50MiB/1h`.
- **`${NAME}`** in a value is replaced from the environment; a name that is not defined is an error, `$$` is a dollar sign.
- **Secrets** may be written, come from the environment, or be read from the file that the `…_file` key names (one line end
  behind the secret is taken off).
- **Files** must exist and be readable. Relative paths are relative to the working directory.
- Keys written twice, unknown keys, anchors, aliases and tags are errors. A section or list of which everything is commented
  out has its defaults.
- **not yet** marks what this version cannot do: only the default, or a value that switches it off, is accepted; anything
  else is refused with "not available yet".
- **restart** marks a key that is read at start only.

What is checked between keys: names of listeners, upstreams and limits are unique; two listeners (and the admin address) do
not share a port; a listener with TLS needs a certificate; `require_tls` contradicts `tls: none`; `require_auth: false` without
`trusted_networks`, and trusted networks that are everybody, would be an open relay and need `relay_for_anybody: true`;
`auth.backends`, `routes` and `limits` name what exists; a `saslauthd` backend is the last; a limit counts by what is known
when it is looked at (`docs/limits.md`), and patterns of recipients can match one.
)";

std::string in_cell(std::string_view text) {
    std::string result;
    for (const char octet : text) {
        if (octet == '|') result += '\\';
        result += octet;
    }
    return result;
}

std::string code(std::string_view text) {
    return "`" + in_cell(text) + "`";
}

/// Of "a|b|c".
std::string each_in_code(std::string_view words) {
    std::string result;
    for (const char octet : words) result += octet == '|' ? std::string("` `") : std::string(1, octet);
    return "`" + result + "`";
}

std::string type_cell(const Key& key) {
    if (key.type == Type::Word) return each_in_code(key.words_list);
    std::string expected = in_cell(expectation(key));
    if (key.type == Type::Words || key.type == Type::Names || key.type == Type::Texts ||
        key.type == Type::Networks || key.type == Type::Servers) {
        return "list; each " + expected;
    }
    if (key.type == Type::TextMap || key.type == Type::RateMap) return "map from names to " + expected;
    return expected;
}

std::string initial_cell(const Key& key) {
    if (key.is_required) return "required";
    if (key.is_optional || key.type == Type::Section || key.type == Type::Named) return "";
    return key.initial.empty() ? "`\"\"`" : code(key.initial);
}

std::string remark_cell(const Key& key) {
    std::string result = in_cell(key.sentence);
    if (!key.is_reloadable) result += "; **restart**";
    if (key.unbuilt == "*") result += "; **not yet**";
    if (!key.unbuilt.empty() && key.unbuilt != "*") {
        result += "; **not yet**: " + each_in_code(key.unbuilt);
    }
    return result;
}

}  // namespace

void write_documentation(std::ostream& out) {
    out << kHead;
    std::string_view section;
    constexpr std::string_view kTableHead = "| key | value | default | |\n| --- | --- | --- | --- |\n";
    bool is_top = true;
    out << "\n## Top level\n\n" << kTableHead;
    for (const Key& key : kKeys) {
        const std::string_view top = key.path.substr(0, key.path.find_first_of(".["));
        const bool opens = top == key.path &&
                           (key.type == Type::Section || key.type == Type::List || key.type == Type::Named);
        if (opens && top != section) {
            section = top;
            is_top = false;
            std::string sentence(key.sentence);
            sentence.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence.front())));
            out << "\n## " << top << "\n\n"
                << sentence << (key.unbuilt.empty() ? "" : " (**not yet**)") << ".\n\n"
                << kTableHead;
            continue;
        }
        std::string path(key.path);
        if (!key.variant.empty()) path += " (" + std::string(key.variant) + ")";
        if (is_top || top == section) {
            out << "| `" << path << "` | " << type_cell(key) << " | " << initial_cell(key) << " | "
                << remark_cell(key) << " |\n";
        }
    }
}

}  // namespace gatepost::conf
