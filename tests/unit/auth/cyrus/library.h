// libsasl as the tests of a process share it: initialised once, on the main thread; no test may make it log a
// password.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "auth/cyrus/sasl_library.h"

namespace gatepost::auth {

class Library final : public ::testing::Environment {
  public:
    void SetUp() override;
    void TearDown() override;
    static inline std::unique_ptr<SaslLibrary> library;

  private:
    std::mutex mutex_;
    std::string log_;
};

}  // namespace gatepost::auth
