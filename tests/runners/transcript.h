// A transcript: one SMTP session as a story that people can read and three runners can replay. The language
// is described in tests/transcripts/README.md; this reads it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/bytes.h"

namespace gatepost::test {

/// Text in which "*" stands for any octets.
class Pattern {
  public:
    Pattern() = default;
    /// With the escapes of transcripts; "\*" is a star.
    explicit Pattern(ByteView text);
    [[nodiscard]] bool matches(ByteView octets) const;

  private:
    std::vector<std::string> parts_;  ///< literal, with anything between two of them
};

struct Step {
    enum class Kind {
        kClientSends,    ///< C: or C|
        kClientHears,    ///< S: one line
        kClientReads,    ///< S| exactly these octets
        kReply,          ///< S* one whole reply of this code
        kUpstreamSays,   ///< U< or U<|
        kUpstreamHears,  ///< U> one line
        kUpstreamReads,  ///< U>| exactly these octets
        kFact,           ///< F:
        kEvent,          ///< everything else
    };
    Kind kind = Kind::kEvent;
    std::string where;   ///< file:line
    std::string text;    ///< as written, for messages
    std::string octets;  ///< without escapes, line end included where one is meant
    Pattern pattern;
};

struct Transcript {
    std::string name;
    std::vector<std::pair<std::string, std::string>> settings;
    std::vector<Step> steps;
    bool only_memory = false;  ///< not against the real program
    bool only_whole = false;   ///< not at every split
    std::vector<std::string> problems;
};

/// "\r \n \t \0 \xHH \\ \*" and "\(3000*x)", which is 3000 times "x".
[[nodiscard]] std::string unescaped(ByteView text);

[[nodiscard]] Transcript read_transcript(const std::filesystem::path& file);

/// Every *.smtp of the folder, by name.
[[nodiscard]] std::vector<std::filesystem::path> transcripts_in(const std::filesystem::path& folder);

}  // namespace gatepost::test
