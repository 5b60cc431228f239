#include "tests/runners/transcript.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace gatepost::test {
namespace {

struct Prefix {
    ByteView written;
    Step::Kind kind;
    bool adds_line_end;
};

// Longer ones first.
constexpr std::array<Prefix, 10> kPrefixes{{
    {"C: ", Step::Kind::kClientSends, true},
    {"C| ", Step::Kind::kClientSends, false},
    {"S: ", Step::Kind::kClientHears, false},
    {"S| ", Step::Kind::kClientReads, false},
    {"S* ", Step::Kind::kReply, false},
    {"U<| ", Step::Kind::kUpstreamSays, false},
    {"U< ", Step::Kind::kUpstreamSays, true},
    {"U>| ", Step::Kind::kUpstreamReads, false},
    {"U> ", Step::Kind::kUpstreamHears, false},
    {"F: ", Step::Kind::kFact, false},
}};

/// One escape at the front of `text`, which begins with a backslash; takes it off.
std::string take_escape(ByteView& text) {
    const char c = text.size() > 1 ? text[1] : '\\';
    if (c == 'x' && text.size() > 3) {
        const std::string hex(text.substr(2, 2));
        text.remove_prefix(4);
        return {static_cast<char>(std::stoi(hex, nullptr, 16))};
    }
    if (c == '(') {
        const std::size_t star = text.find('*');
        const std::size_t end = text.find(')', star);
        const int times = std::stoi(std::string(text.substr(2, star - 2)));
        const std::string what = unescaped(text.substr(star + 1, end - star - 1));
        text.remove_prefix(end + 1);
        std::string all;
        for (int i = 0; i < times; ++i) all += what;
        return all;
    }
    text.remove_prefix(std::min<std::size_t>(2, text.size()));
    switch (c) {
        case 'r': return "\r";
        case 'n': return "\n";
        case 't': return "\t";
        case '0': return {'\0'};
        default: return {c};
    }
}

void read_into(Transcript& transcript, const std::filesystem::path& file);

void read_line(Transcript& transcript, const std::filesystem::path& file, ByteView line,
               const std::string& where) {
    for (const Prefix& prefix : kPrefixes) {
        // A line may end right behind its mark: "C:" is the empty line.
        const bool empty = line == prefix.written.substr(0, prefix.written.size() - 1);
        if (!empty && !line.starts_with(prefix.written)) continue;
        const ByteView rest = empty ? ByteView() : line.substr(prefix.written.size());
        std::string octets = unescaped(rest);
        if (prefix.adds_line_end) octets += kCrlf;
        transcript.steps.push_back({prefix.kind, where, std::string(line), std::move(octets), Pattern(rest)});
        return;
    }
    if (line.starts_with("include ")) {
        const std::filesystem::path folder = file.parent_path();
        const std::filesystem::path parts = folder.filename() == "parts" ? folder : folder / "parts";
        return read_into(transcript, parts / (std::string(line.substr(8)) + ".part"));
    }
    if (line.starts_with("only memory: ")) {
        transcript.only_memory = true;
    } else if (line.starts_with("only whole: ")) {
        transcript.only_whole = true;
    } else if (line.starts_with("set ")) {
        const std::size_t blank = line.find(' ', 4);
        const ByteView value = blank == ByteView::npos ? ByteView() : line.substr(blank + 1);
        transcript.settings.emplace_back(line.substr(4, blank - 4), value);
    } else {
        transcript.steps.push_back({Step::Kind::kEvent, where, std::string(line), unescaped(line), {}});
    }
}

void read_into(Transcript& transcript, const std::filesystem::path& file) {
    std::ifstream lines(file);
    if (!lines) transcript.problems.push_back("cannot read " + file.string());
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (line.empty() || line.starts_with('#')) continue;
        read_line(transcript, file, line, file.filename().string() + ':' + std::to_string(number));
    }
}

}  // namespace

std::string unescaped(ByteView text) {
    std::string octets;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\\'), text.size());
        octets += text.substr(0, end);
        text.remove_prefix(end);
        if (!text.empty()) octets += take_escape(text);
    }
    return octets;
}

Pattern::Pattern(ByteView text) : parts_(1) {
    while (!text.empty()) {
        if (text.front() == '\\') {
            parts_.back() += take_escape(text);
        } else {
            if (text.front() == '*') {
                parts_.emplace_back();
            } else {
                parts_.back() += text.front();
            }
            text.remove_prefix(1);
        }
    }
}

bool Pattern::matches(ByteView octets) const {
    if (parts_.empty()) return octets.empty();
    if (parts_.size() == 1) return octets == parts_.front();
    if (!octets.starts_with(parts_.front())) return false;
    octets.remove_prefix(parts_.front().size());
    if (!octets.ends_with(parts_.back())) return false;
    octets.remove_suffix(parts_.back().size());
    for (std::size_t i = 1; i + 1 < parts_.size(); ++i) {
        const std::size_t at = octets.find(parts_[i]);
        if (at == ByteView::npos) return false;
        octets.remove_prefix(at + parts_[i].size());
    }
    return true;
}

Transcript read_transcript(const std::filesystem::path& file) {
    Transcript transcript;
    transcript.name = file.stem().string();
    read_into(transcript, file);
    if (transcript.steps.empty()) transcript.problems.push_back(file.string() + " has no steps");
    return transcript;
}

std::vector<std::filesystem::path> transcripts_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".smtp") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

}  // namespace gatepost::test
