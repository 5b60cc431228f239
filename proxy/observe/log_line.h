// One log line behind its time and level: "event key=value key="quoted value"". A "key=" in it is always
// Gatepost's own: no text from outside can end the line, close a quote or look like a field. Any thread.
#pragma once

#include <initializer_list>
#include <string>

#include "proxy/observe/log_sink.h"

namespace gatepost::observe {

class LogLine {
  public:
    /// Appends to `line`, which it does not clear and does not end.
    static void append(std::string& line, conf::LogEvent event, std::initializer_list<LogPair> fields);

  private:
    static void append_value(std::string& line, const LogValue& value);
};

}  // namespace gatepost::observe
