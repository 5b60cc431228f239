#include "tests/bench/sink_takers.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>

namespace gatepost::bench {
namespace {

constexpr std::size_t kShownHeaders = 40;
constexpr std::size_t kShownLines = 12;
constexpr std::size_t kShownWidth = 140;

/// Text that cannot upset a terminal.
std::string shown(std::string_view text) {
    std::string result;
    for (const char c : text.substr(0, kShownWidth)) {
        const auto octet = static_cast<unsigned char>(c);
        result += (octet < 32 && c != '\t') || octet == 127 ? '?' : c;
    }
    return text.size() > kShownWidth ? result + "…" : result;
}

std::string json_string(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result += std::string("\\") + c;
        } else if (octet < 32 || octet >= 127) {  // octets as U+00XX: a test reads them back as latin-1
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", octet);
            result += escaped;
        } else {
            result += c;
        }
    }
    return result + '"';
}

/// Takes one line off `text`, without its CRLF.
std::string_view next_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

class ShowTaker : public MessageTaker {
  public:
    void take(const SinkMessage& message) override {
        char clock[16];
        const std::time_t now = std::time(nullptr);
        std::tm local{};
        localtime_r(&now, &local);
        std::strftime(clock, sizeof clock, "%H:%M:%S", &local);
        std::string text = "\n┌── message " + std::to_string(++number_) + " arrived at the upstream, " +
                           clock + ", " + std::to_string(message.body.size()) + " octets\n";
        add(text, message.greeting_verb + " " + message.greeting_name);
        add(text, message.mail_line);
        for (const std::string& line : message.rcpt_lines) add(text, line);
        text += "├──\n";
        std::string_view rest = message.body;
        for (std::size_t headers = 0; !rest.empty() && headers < kShownHeaders; ++headers) {
            const std::string_view line = next_line(rest);
            add(text, line);
            if (line.empty()) break;
        }
        for (std::size_t lines = 0; !rest.empty() && lines < kShownLines; ++lines) add(text, next_line(rest));
        if (!rest.empty()) add(text, "… and " + std::to_string(rest.size()) + " octets more");
        text += "└──\n";
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
    }

  private:
    static void add(std::string& text, std::string_view line) { text += "│ " + shown(line) + "\n"; }

    unsigned number_ = 0;
};

class StoreTaker : public MessageTaker {
  public:
    explicit StoreTaker(std::filesystem::path folder) : folder_(std::move(folder)) {
        std::filesystem::create_directories(folder_);
        for (const auto& entry : std::filesystem::directory_iterator(folder_))
            if (entry.path().extension() == ".eml")
                number_ = std::max(number_, std::atoi(entry.path().stem().c_str()));
    }

    void take(const SinkMessage& message) override {
        char name[16];
        std::snprintf(name, sizeof name, "%04d", ++number_);
        std::string rcpts;
        for (const std::string& line : message.rcpt_lines)
            rcpts += (rcpts.empty() ? "" : ",") + json_string(line);
        write(std::string(name) + ".env",
              "{\"number\":" + std::to_string(number_) + ",\"connection\":" +
                  std::to_string(message.connection) + ",\"greeting\":" + json_string(message.greeting_verb) +
                  ",\"ehlo\":" + json_string(message.greeting_name) +
                  ",\"mail\":" + json_string(message.mail_line) + ",\"rcpt\":[" + rcpts +
                  "],\"by\":" + (message.by_bdat ? "\"BDAT\"" : "\"DATA\"") +
                  ",\"size\":" + std::to_string(message.body.size()) + "}\n");
        write(std::string(name) + ".eml", message.body);
    }

  private:
    void write(const std::string& name, std::string_view octets) const {
        const std::filesystem::path whole = folder_ / name;
        const std::filesystem::path part = folder_ / ("." + name + ".part");
        std::ofstream(part, std::ios::binary)
            .write(octets.data(), static_cast<std::streamsize>(octets.size()));
        std::filesystem::rename(part, whole);
    }

    std::filesystem::path folder_;
    int number_ = 0;
};

class AllTaker : public MessageTaker {
  public:
    explicit AllTaker(std::vector<std::unique_ptr<MessageTaker>> takers) : takers_(std::move(takers)) {}
    void take(const SinkMessage& message) override {
        for (const auto& taker : takers_) taker->take(message);
    }

  private:
    std::vector<std::unique_ptr<MessageTaker>> takers_;
};

}  // namespace

std::unique_ptr<MessageTaker> make_show_taker() {
    return std::make_unique<ShowTaker>();
}

std::unique_ptr<MessageTaker> make_store_taker(const std::filesystem::path& folder) {
    return std::make_unique<StoreTaker>(folder);
}

std::unique_ptr<MessageTaker> make_all_taker(std::vector<std::unique_ptr<MessageTaker>> takers) {
    return std::make_unique<AllTaker>(std::move(takers));
}

}  // namespace gatepost::bench
