// Where SMTP message data ends (CRLF.CRLF), and the data without its transparency dots. Pure; used by the
// sink only, so that the proxy under test is never judged by its own scanner. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gatepost::bench {

/// Finds CRLF.CRLF in octets that arrive in any split.
class EndMark {
  public:
    /// Message data begins: the CRLF of the DATA line counts.
    void start();
    /// The number of octets of `bytes` up to and with the end mark, or npos when it is not there yet.
    [[nodiscard]] std::size_t find(std::string_view bytes);

  private:
    std::string tail_;  // up to four octets before `bytes`
};

/// `raw` without the dot of each line that begins with one.
[[nodiscard]] std::string unstuffed(std::string_view raw);

}  // namespace gatepost::bench
