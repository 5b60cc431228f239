// Look-ups through the real libsasl, in plugins of the test's own that answer and complain as Cyrus' do.
#include "auth/cyrus/auxprop_lookup.h"

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

namespace gatepost::auth {
namespace {

struct Behaviour {
    int code = SASL_NOUSER;
    std::vector<std::string> passwords = {};
    std::vector<std::string> keys = {};
    int level = SASL_LOG_NONE;
    std::string line = {};  // that is logged at `level`
};

// What the plugins were asked last, and what they do; of the thread that runs the tests.
std::map<std::string, std::vector<Behaviour>> g_users;  // by the name they are asked for; one for each call
std::vector<std::string> g_asked;

int look_up(void* name, sasl_server_params_t* parameters, unsigned, const char* user, unsigned size) {
    const sasl_utils_t& utils = *parameters->utils;
    const std::string key(user, size);
    std::string properties;
    for (const propval* wanted = utils.prop_get(parameters->propctx); wanted->name != nullptr; ++wanted)
        properties += std::string(" ") + wanted->name;
    g_asked.push_back(key + properties);
    std::vector<Behaviour>& left = g_users[key];
    const Behaviour now = left.empty() ? Behaviour{} : left.front();
    if (left.size() > 1) left.erase(left.begin());
    for (const std::string& value : now.passwords)
        utils.prop_set(parameters->propctx, "*userPassword", value.data(), static_cast<int>(value.size()));
    for (const std::string& value : now.keys)
        utils.prop_set(parameters->propctx, "*authPassword", value.data(), static_cast<int>(value.size()));
    if (now.level != SASL_LOG_NONE) utils.log(utils.conn, now.level, "%s", now.line.c_str());
    if (now.level == SASL_LOG_NONE && !now.line.empty())
        utils.seterror(utils.conn, SASL_NOLOG, "%s", now.line.c_str());
    EXPECT_NE(name, nullptr);
    return now.code;
}

template <char... letters>
int init(const sasl_utils_t*, int, int* version, sasl_auxprop_plug_t** plugin, const char*) {
    static char name[] = {letters..., '\0'};
    static sasl_auxprop_plug_t made{.features = 0,
                                    .spare_int1 = 0,
                                    .glob_context = name,
                                    .auxprop_free = nullptr,
                                    .auxprop_lookup = look_up,
                                    .name = name,
                                    .auxprop_store = nullptr};
    *version = SASL_AUXPROP_PLUG_VERSION;
    *plugin = &made;
    return SASL_OK;
}

class AuxpropLookupTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        ASSERT_EQ(sasl_auxprop_add_plugin("sasldb", init<'s', 'a', 's', 'l', 'd', 'b'>), SASL_OK);
        ASSERT_EQ(sasl_auxprop_add_plugin("sql", init<'s', 'q', 'l'>), SASL_OK);
        ASSERT_EQ(sasl_auxprop_add_plugin("ldapdb", init<'l', 'd', 'a', 'p', 'd', 'b'>), SASL_OK);
    }
    void SetUp() override {
        g_users.clear();
        g_asked.clear();
    }

    static BlockingLookup::Answer find(AuxpropSettings settings, const std::string& user) {
        settings.hostname = "gate.example";
        return AuxpropLookup(std::move(settings)).find(user);
    }
    static std::string text(const Secret& secret) { return std::string(secret.reveal()); }

    using Status = Lookup::Status;
    const AuxpropSettings sasldb_{.plugin = "sasldb", .options = {}, .realm = {}, .hostname = {}};
    const AuxpropSettings sql_{.plugin = "sql",
                               .options = {{"sql_engine", "sqlite3"},
                                           {"sql_select", "SELECT %p FROM users WHERE u='%u' AND r='%r'"}},
                               .realm = {},
                               .hostname = {}};
    const AuxpropSettings ldapdb_{
        .plugin = "ldapdb", .options = {{"ldapdb_id", "gate"}}, .realm = {}, .hostname = {}};
};

TEST_F(AuxpropLookupTest, APasswordIsAPlainRecord) {
    g_users["ann@example.com"] = {{.code = SASL_OK, .passwords = {"{is} it: p\\w?"}}};
    const auto answer = find(sasldb_, "ann@example.com");
    ASSERT_EQ(answer.lookup.status, Status::kFound) << answer.complaint;
    EXPECT_EQ(answer.lookup.credential->user, "ann@example.com");
    EXPECT_EQ(text(answer.lookup.credential->record), "{PLAIN}{is} it: p\\w?") << "sasldb knows nothing else";
    EXPECT_TRUE(answer.lookup.credential->scram.empty());
    EXPECT_EQ(g_asked, (std::vector<std::string>{"ann@example.com *userPassword *authPassword"}));
}

TEST_F(AuxpropLookupTest, KeysAreScramRecords) {
    const std::string sha1 = "SCRAM-SHA-1$4096:c2FsdA==$c3RvcmVk:c2VydmVy";
    const std::string sha256 = "SCRAM-SHA-256$8192:c2FsdA==$c3RvcmVk:c2VydmVy";
    g_users["keys"] = {{.code = SASL_OK, .keys = {sha1, sha256}}};
    g_users["old"] = {{.code = SASL_OK, .keys = {sha1}}};
    g_users["both"] = {{.code = SASL_OK, .passwords = {"pencil"}, .keys = {sha1, sha256}}};
    const std::string record = "{SCRAM-SHA-256}8192,c2FsdA==,c3RvcmVk,c2VydmVy";
    EXPECT_EQ(text(find(ldapdb_, "keys").lookup.credential->record), record);
    EXPECT_EQ(text(find(ldapdb_, "old").lookup.credential->record),
              "{SCRAM-SHA-1}4096,c2FsdA==,c3RvcmVk,c2VydmVy");
    const auto both = find(ldapdb_, "both").lookup.credential;
    EXPECT_EQ(text(both->record), "{PLAIN}pencil");
    EXPECT_EQ(text(both->scram), record);
}

TEST_F(AuxpropLookupTest, HashesAreNeverPasswords) {
    for (const std::string value :
         {"{SSHA}DkMTwBl+a/3DfY+MHAbM2DLqQqZLxvkK", "{CRYPT}$6$x$y", "$2y$10$abc", "$argon2id$x", "$1$x$y",
          "$gy$j9T$x$y", "$sha1$40000$x$y", "$md5$x$y", "$md5,rounds=904$x$y", "$3$$y", "$apr1$x$y",
          "$2x$05$y", "$2$05$y", "$7$x", "$a-b_c=d$"}) {
        g_users["hash"] = {{.code = SASL_OK, .passwords = {value}}};
        EXPECT_EQ(text(find(ldapdb_, "hash").lookup.credential->record), value) << "as it stands";
        EXPECT_EQ(text(find(sql_, "hash").lookup.credential->record), value);
    }
    g_users["several"] = {{.code = SASL_OK, .passwords = {"{SSHA}abc", "pencil"}}};
    EXPECT_EQ(text(find(ldapdb_, "several").lookup.credential->record), "{PLAIN}pencil");
    for (const std::string value :
         {"{}", "{a b}c", "$5 note", "{open", "$5", "$$a$", "$", "a$6$x$y", "$5.-$6"}) {
        g_users["odd"] = {{.code = SASL_OK, .passwords = {value}}};
        EXPECT_EQ(text(find(ldapdb_, "odd").lookup.credential->record), "{PLAIN}" + value);
    }
    g_users["none"] = {{.code = SASL_OK}};
    EXPECT_TRUE(find(ldapdb_, "none").lookup.credential->record.empty()) << "he is there, and cannot log in";
}

TEST_F(AuxpropLookupTest, RealmsAreAppendedWhereThereIsNone) {
    AuxpropSettings settings = sasldb_;
    settings.realm = "other.example";
    g_users["ann@other.example"] = {{.code = SASL_OK, .passwords = {"pencil"}}};
    const auto answer = find(settings, "ann");
    ASSERT_EQ(answer.lookup.status, Status::kFound);
    EXPECT_EQ(answer.lookup.credential->user, "ann") << "as the client names him";
    EXPECT_EQ(find(settings, "ann@other.example").lookup.status, Status::kFound);
}

// As sasldb.c and db_berkeley.c of 2.1.28 do it.
TEST_F(AuxpropLookupTest, SasldbWithoutItsFileKnowsNobodyAndMayNotSaySo) {
    g_users["nobody"] = {{.code = SASL_NOUSER,
                          .line = "user: nobody@gate.example property: userPassword not found in sasldb"}};
    EXPECT_EQ(find(sasldb_, "nobody").lookup.status, Status::kUnknown);
    g_users["nobody"] = {{.code = SASL_NOUSER}};
    const auto gone = find(sasldb_, "nobody");
    EXPECT_EQ(gone.lookup.status, Status::kUnavailable);
    EXPECT_EQ(gone.complaint, "there is no file at sasldb_path");
    g_users["nobody"] = {{.code = SASL_FAIL,
                          .level = SASL_LOG_ERR,
                          .line = "unable to open Berkeley db /x: Permission denied"}};
    const auto denied = find(sasldb_, "nobody");
    EXPECT_EQ(denied.lookup.status, Status::kUnavailable);
    EXPECT_EQ(denied.complaint, "unable to open Berkeley db /x: Permission denied");
}

// As sql.c of 2.1.28 does it: one code for nobody and for a failed query.
TEST_F(AuxpropLookupTest, SqlSaysUnknownOnlyWhenItsQueryWentWell) {
    g_users["nobody"] = {
        {.code = SASL_NOUSER, .level = SASL_LOG_NOTE, .line = "sql plugin: no result found"}};
    EXPECT_EQ(find(sql_, "nobody").lookup.status, Status::kUnknown);
    EXPECT_EQ(g_asked.back(), "nobody *userPassword");
    g_users["nobody"] = {
        {.code = SASL_NOUSER, .level = SASL_LOG_DEBUG, .line = "sql plugin: no such table: users"}};
    const auto failed = find(sql_, "nobody");
    EXPECT_EQ(failed.lookup.status, Status::kUnavailable);
    EXPECT_EQ(failed.complaint, "sql plugin: no such table: users");
    g_users["nobody"] = {
        {.code = SASL_FAIL, .level = SASL_LOG_ERR, .line = "sql plugin couldn't connect to any host\n"}};
    EXPECT_EQ(find(sql_, "nobody").complaint, "sql plugin couldn't connect to any host");
}

TEST_F(AuxpropLookupTest, NamesThatBreakOutOfTheirQuotesReachNoPlugin) {
    for (const std::string engine : {"sqlite3", "mysql", "pgsql"}) {
        AuxpropSettings sql = sql_;
        sql.options["sql_engine"] = engine;
        for (const std::string name : {"x' UNION SELECT char(112) --", "a\"b", "a`b", "a\\b", "ann@x'y"}) {
            g_users[name] = {{.code = SASL_OK, .passwords = {"pencil"}}};
            EXPECT_EQ(find(sql, name).lookup.status, Status::kUnknown) << engine << ' ' << name;
        }
    }
    for (const std::string name : {"an*", "a)(uid=b", "a\\2a"})
        EXPECT_EQ(find(ldapdb_, name).lookup.status, Status::kUnknown) << name;
    EXPECT_TRUE(g_asked.empty());
}

// As sql.c of 2.1.28 does it: %u is what stands before the first @, %r what stands behind it, %% a percent.
TEST_F(AuxpropLookupTest, RealmsReachNoStatementThatIgnoresThem) {
    g_users["ann"] = g_users["ann@elsewhere"] = {{.code = SASL_OK, .passwords = {"pencil"}}};
    const auto asked_by = [this](const std::string& option, const std::string& statement) {
        AuxpropSettings sql = sql_;
        sql.options.erase("sql_select");
        sql.options[option] = statement;
        EXPECT_EQ(find(sql, "ann").lookup.status, Status::kFound) << statement;
        return find(sql, "ann@elsewhere").lookup.status;
    };
    for (const std::string option : {"sql_select", "sql_statement"}) {
        for (const std::string without :
             {"SELECT %p FROM t WHERE u = '%u'", "%u %%r", "%u r%", "%u %%%%r", ""})
            EXPECT_EQ(asked_by(option, without), Status::kUnknown) << without;
        for (const std::string with : {"SELECT %p FROM t WHERE u = '%u@%r'", "%u %%%r", "%r%u"})
            EXPECT_EQ(asked_by(option, with), Status::kFound) << with;
    }
    AuxpropSettings both = sql_;
    both.options["sql_select"] = "%u";
    both.options["sql_statement"] = "%u %r";
    EXPECT_EQ(find(both, "ann@elsewhere").lookup.status, Status::kUnknown) << "sql_select is what counts";
    both.realm = "elsewhere";
    EXPECT_EQ(find(both, "ann").lookup.status, Status::kFound) << "the realm that is appended is none of his";
    EXPECT_EQ(find(sasldb_, "ann@elsewhere").lookup.status, Status::kFound) << "a name of its own there";
}

// ldapdb.c of 2.1.28: "not authorized to assume identity" is SASL_FAIL, a refused bind of its own
// SASL_BADAUTH.
TEST_F(AuxpropLookupTest, LdapdbIsAskedForItselfWhenItRefusesAUser) {
    for (const int refusal : {SASL_FAIL, SASL_BADAUTH}) {
        g_users["nobody"] = {{.code = refusal}};
        g_users["gate"] = {{.code = SASL_OK}};
        g_asked.clear();
        EXPECT_EQ(find(ldapdb_, "nobody").lookup.status, Status::kUnknown);
        EXPECT_EQ(g_asked.size(), 3U) << "him, itself, him";
        g_users["gate"] = {{.code = refusal}};
        EXPECT_EQ(find(ldapdb_, "nobody").lookup.status, Status::kUnavailable) << "it lets nobody in";
        g_users["gate"] = {{.code = SASL_UNAVAIL}};
        EXPECT_EQ(find(ldapdb_, "nobody").lookup.status, Status::kUnavailable);
        g_users["gate"] = {{.code = SASL_OK}};
        g_users["nobody"] = {{.code = refusal}, {.code = SASL_OK, .passwords = {"pencil"}}};
        EXPECT_EQ(find(ldapdb_, "nobody").lookup.status, Status::kUnavailable) << "it has only hiccuped";
        AuxpropSettings without = ldapdb_;
        without.options.clear();
        g_users["nobody"] = {{.code = refusal}};
        EXPECT_EQ(find(without, "nobody").lookup.status, Status::kUnavailable) << "nobody can tell";
    }
    g_users["nobody"] = {{.code = SASL_NOUSER}};
    EXPECT_EQ(find(ldapdb_, "nobody").lookup.status, Status::kUnknown);
    g_users["nobody"] = {{.code = SASL_UNAVAIL}};
    EXPECT_EQ(find(ldapdb_, "nobody").lookup.status, Status::kUnavailable);
}

TEST_F(AuxpropLookupTest, NobodyElseCanUseItsMechanism) {
    sasl_conn_t* connection = nullptr;
    ASSERT_EQ(sasl_server_new("smtp", "gate.example", nullptr, nullptr, nullptr, nullptr, 0, &connection),
              SASL_OK);
    const char* out = nullptr;
    unsigned size = 0;
    EXPECT_NE(sasl_server_start(connection, "GATEPOST-LOOKUP", "", 0, &out, &size), SASL_OK);
    sasl_dispose(&connection);
    EXPECT_TRUE(g_asked.empty());
}

TEST_F(AuxpropLookupTest, APluginThatIsNotThereCannotAnswer) {
    const auto answer = find({.plugin = "nosuch", .options = {}, .realm = {}, .hostname = {}}, "ann");
    EXPECT_EQ(answer.lookup.status, Status::kUnavailable);
    EXPECT_FALSE(answer.complaint.empty());
}

}  // namespace
}  // namespace gatepost::auth
