#include "proxy/server/file_watch.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace gatepost::server {
namespace {

using namespace std::chrono_literals;

class FileWatchTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "gatepost-watch-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) {
        std::filesystem::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name) << text;
        return (folder_ / name).string();
    }

    /// Runs the loop until the watch has told of `changes`, or for so long.
    void run_until(int changes, Duration at_most) {
        net::Timer end(loop_, [this] { loop_.stop(); });
        end.start(at_most);
        wanted_ = changes;
        loop_.run();
    }

    std::filesystem::path folder_;
    net::EventLoop loop_;
    net::BackgroundThread background_;
    int told_ = 0;
    int wanted_ = 1;
    FileWatch watch_{loop_, background_,
                     [this] {
                         if (++told_ == wanted_) loop_.stop();
                     },
                     200ms};
};

TEST_F(FileWatchTest, TellsOnceOfAFileThatIsWrittenAnew) {
    const std::string file = write("one", "old");
    const auto before = FileWatch::look_at({file});
    write("one", "new one");
    watch_.watch({file}, before);
    run_until(2, 900ms);
    EXPECT_EQ(told_, 1);
}

TEST_F(FileWatchTest, WhatWasReadMeanwhileIsNoNews) {
    const std::string file = write("one", "old");
    watch_.watch({file}, FileWatch::look_at({file}));
    write("one", "new one");
    watch_.were_read(FileWatch::look_at({file}));
    run_until(1, 900ms);
    EXPECT_EQ(told_, 0);
    write("one", "newer still");
    run_until(1, 5s);
    EXPECT_EQ(told_, 1);
}

TEST_F(FileWatchTest, IsSilentWhileNothingChanges) {
    const std::string file = write("one", "old");
    watch_.watch({file, (folder_ / "missing").string()}, {});
    run_until(1, 900ms);
    EXPECT_EQ(told_, 0);
}

// Kubernetes: tls.crt is a link to ..data/tls.crt, and ..data, a link itself, is put on another folder.
TEST_F(FileWatchTest, SeesThroughSymbolicLinks) {
    write("first/tls.crt", "same size");
    write("second/tls.crt", "as before");
    std::filesystem::create_symlink("first", folder_ / "..data");
    std::filesystem::create_symlink("..data/tls.crt", folder_ / "tls.crt");
    const std::string file = (folder_ / "tls.crt").string();
    const auto before = FileWatch::look_at({file});
    std::filesystem::create_symlink("second", folder_ / "..data_tmp");
    std::filesystem::rename(folder_ / "..data_tmp", folder_ / "..data");
    watch_.watch({file}, before);
    run_until(1, 5s);
    EXPECT_EQ(told_, 1);
}

TEST_F(FileWatchTest, WaitsUntilTheFilesStayAsTheyAre) {
    const std::string file = write("one", "old");
    const auto before = FileWatch::look_at({file});
    int writes = 0;
    net::Timer writing(loop_, [&] {
        write("one", std::string(static_cast<std::size_t>(++writes), 'x'));
        if (writes < 5) writing.start(50ms);
        EXPECT_EQ(told_, 0);
    });
    writing.start(0ms);
    watch_.watch({file}, before);
    run_until(1, 8s);
    EXPECT_EQ(told_, 1);
    EXPECT_EQ(writes, 5);
}

TEST_F(FileWatchTest, AnswersOfAnEarlierWatchAreDropped) {
    const std::string one = write("one", "1");
    const std::string two = write("two", "2");
    watch_.watch({one}, {{one, {}}});
    watch_.watch({two}, {});
    run_until(1, 900ms);
    EXPECT_EQ(told_, 0);
}

}  // namespace
}  // namespace gatepost::server
