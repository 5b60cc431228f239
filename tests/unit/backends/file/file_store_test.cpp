#include "backends/file/file_store.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "backends/file/users_writer.h"
#include "tests/fakes/auth_fakes.h"

namespace gatepost::backends {
namespace {

class FileStoreTest : public ::testing::Test {
  protected:
    FileStoreTest() {
        std::string name = (std::filesystem::temp_directory_path() / "gatepost-users-XXXXXX").string();
        folder_ = mkdtemp(name.data());
        path_ = folder_ + "/users";
    }
    ~FileStoreTest() override { std::filesystem::remove_all(folder_); }

    void write(std::string_view text) const {
        std::ofstream(path_ + ".new") << text;
        std::filesystem::rename(path_ + ".new", path_);
    }

    [[nodiscard]] std::string content() const {
        std::stringstream all;
        all << std::ifstream(path_).rdbuf();
        return all.str();
    }

    auth::Lookup look_up(std::string_view user) {
        auth::Lookup result;
        bool is_answered = false;
        store_->lookup(user, home_, [&](auth::Lookup lookup) {
            result = std::move(lookup);
            is_answered = true;
        });
        EXPECT_FALSE(is_answered) << "never inside the call";
        EXPECT_EQ(home_.run_ready(), 1);
        EXPECT_TRUE(is_answered);
        return result;
    }

    void make_store() { store_ = std::make_unique<FileStore>(path_); }

    std::string folder_;
    std::string path_;
    auth::FakeExecutor home_;
    std::unique_ptr<FileStore> store_;
};

TEST_F(FileStoreTest, BeforeTheFirstGoodReloadItCannotAnswer) {
    make_store();
    EXPECT_EQ(look_up("ann").status, auth::Lookup::Status::kUnavailable);
    const auto failed = store_->reload();
    ASSERT_FALSE(failed.has_value());
    EXPECT_NE(failed.error().text().find(path_), std::string::npos);
    EXPECT_EQ(look_up("ann").status, auth::Lookup::Status::kUnavailable) << "never \"unknown user\"";
}

TEST_F(FileStoreTest, AnswersKnownAndUnknown) {
    write("ann:{PLAIN}a\nbob:{PLAIN}b:disabled=on\n");
    make_store();
    ASSERT_TRUE(store_->reload().has_value());
    const auth::Lookup ann = look_up("ann");
    ASSERT_EQ(ann.status, auth::Lookup::Status::kFound);
    EXPECT_EQ(ann.credential->user, "ann");
    EXPECT_EQ(ann.credential->record.reveal(), "{PLAIN}a");
    EXPECT_TRUE(look_up("bob").credential->disabled);
    const auth::Lookup unknown = look_up("cleo");
    EXPECT_EQ(unknown.status, auth::Lookup::Status::kUnknown);
    EXPECT_EQ(unknown.credential, nullptr);
    EXPECT_NE(unknown.stand_in, nullptr);
}

TEST_F(FileStoreTest, AChangedFileIsReadAgainAndABadOneChangesNothing) {
    write("ann:{PLAIN}a\n");
    make_store();
    ASSERT_TRUE(store_->reload().has_value());
    EXPECT_EQ(store_->reload_if_changed(), FileStore::Change::kNone);
    const auth::Lookup old = look_up("ann");
    write("ann:{PLAIN}b\n");
    EXPECT_EQ(store_->reload_if_changed(), FileStore::Change::kReloaded);
    EXPECT_EQ(look_up("ann").credential->record.reveal(), "{PLAIN}b");
    EXPECT_EQ(old.credential->record.reveal(), "{PLAIN}a") << "what was looked up before stays whole";

    write("ann:{PLAIN}c\nbroken\n");
    const auto failed = store_->reload_if_changed();
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().text(), path_ + ":2: expected name:record, found no \":\"");
    EXPECT_EQ(look_up("ann").credential->record.reveal(), "{PLAIN}b");
    EXPECT_EQ(store_->reload_if_changed(), FileStore::Change::kNone) << "said once for each change";
    std::filesystem::remove(path_);
    EXPECT_FALSE(store_->reload_if_changed().has_value());
    EXPECT_EQ(look_up("ann").credential->record.reveal(), "{PLAIN}b");
    write("ann:{PLAIN}d\n");
    EXPECT_EQ(store_->reload_if_changed(), FileStore::Change::kReloaded);
    EXPECT_EQ(look_up("ann").credential->record.reveal(), "{PLAIN}d");
}

TEST_F(FileStoreTest, ManyThreadsLookUpWhileItReloads) {
    write("ann:{PLAIN}0\n");
    make_store();
    ASSERT_TRUE(store_->reload().has_value());
    std::atomic<bool> is_over = false;
    std::vector<std::thread> readers;
    std::atomic<int> found = 0;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            auth::FakeExecutor home;
            do {
                store_->lookup("ann", home,
                               [&](const auth::Lookup& lookup) { found += lookup.credential != nullptr; });
                home.run_ready();
            } while (!is_over);
        });
    }
    for (int i = 1; i < 50; ++i) {
        write("ann:{PLAIN}" + std::to_string(i) + "\n");
        EXPECT_TRUE(store_->reload().has_value());
    }
    is_over = true;
    for (std::thread& reader : readers) reader.join();
    EXPECT_GE(found, 3);
}

TEST_F(FileStoreTest, ALongListOfProblemsIsCut) {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "broken\n";
    write(text);
    make_store();
    const auto failed = store_->reload();
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().problems.size(), 300U);
    const std::string said = failed.error().text(10);
    EXPECT_EQ(std::ranges::count(said, '\n'), 10);
    EXPECT_TRUE(said.ends_with("290 more"));
}

/// 1: he was there before.
auth::FromDirectory<std::size_t> set_user(const std::string& path, const std::string& name, Secret record) {
    auth::UserChange change;
    change.user = name;
    change.record = std::move(record);
    return write_users(path, {&change, 1});
}

TEST_F(FileStoreTest, SettingAUserKeepsEverythingElse) {
    write("# comment\nann:{PLAIN}a:senders=a@b # no comment\n\nbob:{PLAIN}b\n# end");
    chmod(path_.c_str(), 0640);
    EXPECT_EQ(set_user(path_, "ann", Secret("{PLAIN}x:y\\")).value(), 1U);
    EXPECT_EQ(content(), "# comment\nann:{PLAIN}x\\:y\\\\:senders=a@b # no comment\n\nbob:{PLAIN}b\n# end");
    EXPECT_EQ(set_user(path_, "bob", Secret("{PLAIN}z")).value(), 1U);
    EXPECT_EQ(set_user(path_, "c:d\\", Secret("{PLAIN}n")).value(), 0U);
    EXPECT_EQ(content(),
              "# comment\nann:{PLAIN}x\\:y\\\\:senders=a@b # no comment\n\nbob:{PLAIN}z\n# "
              "end\nc\\:d\\\\:{PLAIN}n\n");
    EXPECT_EQ(set_user(path_, "c:d\\", Secret("{PLAIN}m")).value(), 1U);
    struct stat status{};
    ASSERT_EQ(stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640U);
    EXPECT_EQ(delete_user(path_, "ann").value(), true);
    EXPECT_EQ(delete_user(path_, "ann").value(), false);
    EXPECT_EQ(delete_user(path_, "c:d\\").value(), true);
    EXPECT_EQ(content(), "# comment\n\nbob:{PLAIN}z\n# end\n");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1)
        << "nothing left beside the file";
}

TEST_F(FileStoreTest, ANewFileIsItsOwnersAlone) {
    EXPECT_EQ(set_user(path_, "ann", Secret("{PLAIN}a")).value(), 0U);
    EXPECT_EQ(content(), "ann:{PLAIN}a\n");
    struct stat status{};
    ASSERT_EQ(stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    EXPECT_FALSE(delete_user(folder_ + "/none", "ann").has_value());
    EXPECT_FALSE(set_user(folder_ + "/no/such/folder", "ann", Secret("{PLAIN}a")).has_value());
    EXPECT_FALSE(set_user(path_, "#ann", Secret("{PLAIN}a")).has_value());
    EXPECT_FALSE(set_user(path_, "an\nn", Secret("{PLAIN}a")).has_value());
}

TEST_F(FileStoreTest, ASymbolicLinkStaysOne) {
    write("ann:{PLAIN}a\n");
    const std::string link = folder_ + "/link";
    std::filesystem::create_symlink(path_, link);
    EXPECT_TRUE(set_user(link, "ann", Secret("{PLAIN}b")).has_value());
    EXPECT_TRUE(std::filesystem::is_symlink(link));
    EXPECT_EQ(content(), "ann:{PLAIN}b\n");
}

TEST_F(FileStoreTest, WritersAtTheSameTimeLoseNothing) {
    write("");
    std::vector<std::thread> writers;
    for (int i = 0; i < 4; ++i) {
        writers.emplace_back([this, i] {
            for (int j = 0; j < 10; ++j) {
                EXPECT_TRUE(
                    set_user(path_, "u" + std::to_string(i) + "-" + std::to_string(j), Secret("{PLAIN}x"))
                        .has_value());
            }
        });
    }
    for (std::thread& writer : writers) writer.join();
    make_store();
    ASSERT_TRUE(store_->reload().has_value());
    EXPECT_EQ(store_->users()->size(), 40U);
}

}  // namespace
}  // namespace gatepost::backends
