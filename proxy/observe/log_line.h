// One log line between what its format puts around it (time and level, log_sink.cpp): text and logfmt are
// "event key=value key="quoted value"", JSON is the members of an object. No text from outside can end the
// line, close a quote or look like a field. Any thread.
#pragma once

#include <initializer_list>
#include <string>

#include "proxy/observe/log_value.h"

namespace gatepost::observe {

class LogLine {
  public:
    /// Appends to `line`, which it does not clear and does not end.
    static void append(std::string& line, conf::LogFormat format, conf::LogEvent event,
                       std::initializer_list<LogPair> fields);

  private:
    static void append_value(std::string& line, conf::LogFormat format, const LogValue& value);
};

}  // namespace gatepost::observe
