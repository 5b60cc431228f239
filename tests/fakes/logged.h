// A log that a test reads.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

#include "proxy/observe/log_sink.h"

namespace gatepost::test {

class Logged {
  public:
    [[nodiscard]] observe::LogSink& sink() { return *sink_; }

    /// Everything logged. Once: the sink has ended.
    [[nodiscard]] std::string text() {
        sink_.reset();
        std::string text;
        std::rewind(file_.get());
        for (int octet = std::fgetc(file_.get()); octet != EOF; octet = std::fgetc(file_.get()))
            text += static_cast<char>(octet);
        return text;
    }

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, Close> file_{std::tmpfile()};  // the sink's thread writes to it
    std::unique_ptr<observe::LogSink> sink_ =
        std::make_unique<observe::LogSink>(conf::LogLevel::Debug, ::fileno(file_.get()));
};

}  // namespace gatepost::test
