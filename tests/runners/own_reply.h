// Whose words a refusal is: every 4xx and 5xx of Gatepost's own names its session at the end ("… [s1]"), what
// the upstream said never does. Transcripts tell the words only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatepost::test {

class OwnReplies {
  public:
    explicit OwnReplies(std::string_view session_id) : mark_(" [" + std::string(session_id) + "]") {}

    void upstream_says(std::string_view octets) { said_ += octets; }

    /// The line as a transcript tells it. Nothing: it names the session and must not, or does not and must.
    [[nodiscard]] std::optional<std::string> words_of(const std::string& line) const {
        const bool is_refusal = line.size() > 3 && (line[0] == '4' || line[0] == '5') && line[3] == ' ';
        const bool is_marked = line.ends_with(mark_);
        std::string words = line.substr(0, line.size() - (is_marked ? mark_.size() : 0));
        // A code alone (RFC 5321 section 4.2) is passed on with a blank behind it.
        const std::string alone = "\n" + words.substr(0, words.find_last_not_of(' ') + 1) + "\r\n";
        const bool is_the_upstreams = said_.contains("\n" + words + "\r\n") || said_.contains(alone);
        const bool must_be_marked = is_refusal && !is_the_upstreams;
        if (is_marked != must_be_marked) return std::nullopt;
        return words;
    }

  private:
    std::string mark_;
    std::string said_ = "\n";
};

}  // namespace gatepost::test
