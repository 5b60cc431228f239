// The steps in their order: file, YAML, values, Config, contradictions.
#include "conf/loader.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "conf/binder.h"
#include "conf/contradictions.h"
#include "conf/files.h"
#include "conf/keys.h"
#include "conf/reader.h"
#include "conf/yaml_tree.h"

namespace gatepost::conf {
namespace {

constexpr std::size_t kLargestFile = 1UL << 20;

Result<std::string> admin_value(const Node& root, std::string_view leaf, const std::string& file,
                                const Environment& environment) {
    const std::string path = "admin." + std::string(leaf);
    const Node* const admin = root.find("admin");
    const Node* const written = admin == nullptr ? nullptr : admin->find(leaf);
    if (written == nullptr || written->kind != Node::Kind::Scalar)
        return std::string(find_key(path)->initial);
    Result<std::string> text = expand(written->text, environment);
    if (text) return text;
    return fail(
        Problem{file, written->position.line, written->position.column, path + ": " + text.error().message}
            .text());
}

}  // namespace

Loaded load(const std::string& path, const Environment& environment, Files files,
            const DeepCheck& look_deeper) {
    const auto text = read_file(path, kLargestFile);
    if (!text) return std::unexpected(std::vector{Problem{path, 1, 1, text.error().message}});
    return load_text(*text, path, environment, files, look_deeper);
}

Loaded load_text(const std::string& text, const std::string& file, const Environment& environment,
                 Files files, const DeepCheck& look_deeper) {
    std::vector<Problem> problems;
    bool is_yaml = true;
    const Node root = read_yaml(text, file, problems, is_yaml);
    if (!is_yaml) return std::unexpected(std::move(problems));
    Values values = read_values(root, file, environment, files, problems);
    auto config = std::make_shared<Config>(bind(values, file));
    check_contradictions(*config, values.bad, problems);
    if (look_deeper) std::ranges::move(look_deeper(*config), std::back_inserter(problems));
    if (problems.empty()) return config;
    // The configuration's own first, then those of the files that it names.
    std::ranges::stable_sort(problems, {}, [&file](const Problem& problem) {
        return std::tuple(problem.file != file, problem.line, problem.column);
    });
    return std::unexpected(std::move(problems));
}

Result<AdminPlace> load_admin_place(const std::string& path, const Environment& environment) {
    const auto text = read_file(path, kLargestFile);
    if (!text) return std::unexpected(text.error());
    std::vector<Problem> problems;
    bool is_yaml = true;
    const Node root = read_yaml(*text, path, problems, is_yaml);
    if (!is_yaml) return fail(problems.front().text());
    auto socket = admin_value(root, "socket", path, environment);
    if (!socket) return std::unexpected(std::move(socket.error()));
    auto address = admin_value(root, "address", path, environment);
    if (!address) return std::unexpected(std::move(address.error()));
    return AdminPlace{.socket = std::move(*socket), .address = std::move(*address)};
}

}  // namespace gatepost::conf
