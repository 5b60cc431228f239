// What every test of the configuration needs: the files that the fixtures name, in a folder of the test's
// own, and an environment that is not the process's.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "conf/check.h"
#include "conf/loader.h"

namespace gatepost::conf {

/// Stands in for /etc/gatepost: every mention of it in a text is replaced by the folder, which goes with the
/// object.
class EtcGatepost {
  public:
    EtcGatepost() {
        std::string name = "/tmp/gpXXXXXX";
        folder_ = ::mkdtemp(name.data());
        write("tls/tls.crt", "certificate");
        write("tls/tls.key", "key");
        write("users", "");
        write("empty", "");
        write("redis-password", "hush\n");
    }
    EtcGatepost(const EtcGatepost&) = delete;
    EtcGatepost& operator=(const EtcGatepost&) = delete;
    ~EtcGatepost() { std::filesystem::remove_all(folder_); }

    void write(const std::string& name, std::string_view text) const {
        const auto path = std::filesystem::path(folder_) / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
    }

    [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

    [[nodiscard]] std::string here(std::string_view text) const {
        return replaced(text, "/etc/gatepost", folder_);
    }

    /// The inverse of here().
    [[nodiscard]] std::string there(std::string_view text) const {
        return replaced(text, folder_, "/etc/gatepost");
    }

    [[nodiscard]] Environment environment() const {
        return [directory = folder_](const std::string& name) -> std::optional<std::string> {
            const std::map<std::string, std::string> all = {
                {"HOST", "mta.internal"}, {"PORT", "2525"}, {"DOLLAR", "${HOST}"}, {"DIRECTORY", directory}};
            const auto found = all.find(name);
            return found == all.end() ? std::nullopt : std::optional(found->second);
        };
    }

    [[nodiscard]] Loaded load(std::string_view text, Files files = Files::MustExist) const {
        return load_text(here(text), "gatepost.yaml", environment(), files);
    }

    /// One line each, without the file's name; "" when it loads.
    [[nodiscard]] std::string problems(std::string_view text) const {
        const Loaded loaded = load(text);
        std::string result;
        if (loaded) return result;
        for (const Problem& problem : loaded.error()) {
            result += there(problem.text().substr(std::string_view("gatepost.yaml:").size())) + "\n";
        }
        return result;
    }

  private:
    static std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
        std::string result;
        while (true) {
            const auto at = text.find(from);
            result += text.substr(0, at);
            if (at == std::string_view::npos) return result;
            result += to;
            text.remove_prefix(at + from.size());
        }
    }

    std::string folder_;
};

inline std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

inline std::string dumped(const Config& config) {
    std::ostringstream out;
    dump(config, out);
    return out.str();
}

/// The least that loads.
inline const std::string kMinimal = R"(listeners: [{name: submission, address: "127.0.0.1:2587"}]
tls: {certificates: [{certificate: /etc/gatepost/tls/tls.crt, key: /etc/gatepost/tls/tls.key}]}
backends: {local: {type: file, path: /etc/gatepost/users}}
upstreams: [{name: default, servers: ["127.0.0.1:25"]}]
)";

}  // namespace gatepost::conf
