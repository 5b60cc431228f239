// What a loaded configuration holds, field by field, and what the loader does with the world around the file.
#include "conf/loader.h"

#include <fstream>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conf/canonical.h"
#include "conf/keys.h"
#include "tests/unit/conf/fixtures.h"

namespace gatepost::conf {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::shared_ptr<const Config> loaded(const EtcGatepost& etc, std::string_view text) {
    Loaded result = etc.load(text);
    EXPECT_TRUE(result) << etc.problems(text);
    return result ? *result : std::make_shared<const Config>();
}

/// "SOCKET ADDRESS" or why not.
std::string admin_place(std::string_view text) {
    const std::string path = testing::TempDir() + "admin_place.yaml";
    std::ofstream(path) << text;
    const auto place = load_admin_place(path, [](const std::string& name) {
        return name == "RUN" ? std::optional<std::string>("/run") : std::nullopt;
    });
    return place ? place->socket + " " + place->address : place.error().message.substr(path.size());
}

TEST(AdminPlace, IsToldWhateverElseIsWrong) {
    EXPECT_EQ(admin_place(""), " 127.0.0.1:9587");
    EXPECT_EQ(admin_place("admin: {socket: \"${RUN}/a.sock\", address: \"\"}\nnonsense: ${UNDEFINED}\n"),
              "/run/a.sock ");
    EXPECT_EQ(admin_place("x: &a 1\nx: 1\nadmin:\n  nonsense: 1\n  socket: a\n  address: [1]\n"),
              "a 127.0.0.1:9587");
    EXPECT_EQ(admin_place("admin: nonsense"), " 127.0.0.1:9587");
}

TEST(AdminPlace, ThatCannotBeTold_IsAnError) {
    EXPECT_EQ(admin_place("admin:\n  socket: ${UNDEFINED}/a\n"),
              ":2:11: admin.socket: ${UNDEFINED} is not defined in the environment");
    EXPECT_THAT(admin_place("admin: ["), HasSubstr("not YAML"));
    EXPECT_FALSE(load_admin_place("/nonexistent/a.yaml", process_environment()));
}

TEST(Loader_WhenLittleIsWritten, TheRestIsWhatConfigHoldsByItself) {
    const EtcGatepost etc;
    const auto config = loaded(etc, kMinimal);
    const Config plain;
    EXPECT_EQ(config->session.max_message_size, plain.session.max_message_size);
    EXPECT_EQ(config->session.command_timeout, plain.session.command_timeout);
    EXPECT_EQ(config->session.auth_timeout, plain.session.auth_timeout);
    EXPECT_EQ(config->session.data_timeout, plain.session.data_timeout);
    EXPECT_EQ(config->session.max_recipients, plain.session.max_recipients);
    EXPECT_EQ(config->session.max_errors, plain.session.max_errors);
    EXPECT_EQ(config->session.max_line_length, plain.session.max_line_length);
    EXPECT_EQ(config->tls.handshake_timeout, plain.tls.handshake_timeout);
    EXPECT_EQ(config->auth.mechanisms, plain.auth.mechanisms);
    EXPECT_EQ(config->auth.mechanisms, plain.auth.mechanisms);
    EXPECT_EQ(config->auth.backends, plain.auth.backends);
    EXPECT_EQ(config->auth.failure_delay, plain.auth.failure_delay);
    EXPECT_EQ(config->auth.queue, plain.auth.queue);
    EXPECT_EQ(config->auth.guessing.per_ip, plain.auth.guessing.per_ip);
    EXPECT_EQ(config->auth.guessing.per_network, plain.auth.guessing.per_network);
    EXPECT_EQ(config->auth.guessing.per_user_and_network, plain.auth.guessing.per_user_and_network);
    EXPECT_EQ(config->auth.guessing.per_user_delay, plain.auth.guessing.per_user_delay);
    EXPECT_EQ(config->auth.cache.ttl, plain.auth.cache.ttl);
    EXPECT_EQ(config->upstreams[0].reply_timeout, Upstream{}.reply_timeout);
    EXPECT_EQ(config->upstreams[0].connect_timeout, Upstream{}.connect_timeout);
    EXPECT_EQ(config->upstreams[0].pool.max_age, Upstream{}.pool.max_age);
    EXPECT_EQ(config->upstreams[0].health.interval, Upstream{}.health.interval);
    EXPECT_EQ(config->limit_store.timeout, plain.limit_store.timeout);
    EXPECT_EQ(config->drain.delay, plain.drain.delay);
    EXPECT_EQ(config->drain.timeout, plain.drain.timeout);
    EXPECT_EQ(config->workers, std::nullopt);
    EXPECT_EQ(config->policy.received_header, plain.policy.received_header);
    ASSERT_TRUE(config->admin.address);
    EXPECT_EQ(config->admin.address->port, 9587);
}

TEST(Loader_WhenEverythingIsWritten, EachFieldHasIt) {
    const EtcGatepost etc;
    const auto config = loaded(etc, R"(hostname: "[192.0.2.1]"
workers: 3
listeners:
  - name: submission
    address: "[::1]:2587"
    tls: implicit
    require_tls: false
    require_auth: false
    trusted_networks: [192.0.2.77/24, "2001:db8::1"]
    proxy_protocol_from: [10.0.0.0/8]
    max_connections: 7
    tls_options: {min_version: "1.3", ciphers: HIGH}
tls:
  certificates: [{certificate: /etc/gatepost/tls/tls.crt, key: /etc/gatepost/tls/tls.key}]
  min_version: 1.3
  ticket_keys: /etc/gatepost/redis-password
  handshake_timeout: 250ms
session: {command_timeout: 1h, auth_timeout: 2s, data_timeout: 1d, max_message_size: 1MB, max_recipients: 5,
          max_errors: 6, max_line_length: 1024}
auth: {backends: [other], mechanisms: [login], plaintext_without_tls: true, legacy_auth_line: true, max_attempts: 9,
       concurrency: 2, queue: 8, failure_delay: 0s}
backends: {other: {type: file, path: /etc/gatepost/users}}
policy: {received_header: false}
upstreams:
  - name: default
    servers: ["mta.internal:25", "[2001:db8::25]:26", "unix:/run/mta.sock"]
    connect_timeout: 3s
    reply_timeout: 4m
    health: {interval: 1s, timeout: 2s, rise: 3, fall: 4}
admin: {address: ""}
log: {level: warning}
drain: {delay: 0s, timeout: 1s}
)");
    EXPECT_EQ(config->hostname, "[192.0.2.1]");
    EXPECT_EQ(config->workers, 3U);
    ASSERT_EQ(config->listeners.size(), 1U);
    const Listener& listener = config->listeners[0];
    EXPECT_EQ(listener.address.host, "::1");
    EXPECT_EQ(listener.address.port, 2587);
    EXPECT_EQ(listener.tls, ListenerTls::Implicit);
    EXPECT_FALSE(listener.require_tls);
    EXPECT_FALSE(listener.require_auth);
    ASSERT_EQ(listener.trusted_networks.size(), 2U);
    EXPECT_EQ(listener.trusted_networks[0].text, "192.0.2.0/24");
    EXPECT_EQ(listener.trusted_networks[1].text, "2001:db8::1/128");
    ASSERT_EQ(listener.proxy_protocol_from.size(), 1U);
    EXPECT_EQ(listener.max_connections, 7U);
    EXPECT_EQ(listener.tls_options.min_version, TlsVersion::Tls13);
    EXPECT_EQ(listener.tls_options.ciphers, "HIGH");
    EXPECT_EQ(config->tls.min_version, TlsVersion::Tls13);
    EXPECT_EQ(config->tls.certificates.at(0).key, etc.path("tls/tls.key"));
    EXPECT_EQ(config->tls.ticket_keys, etc.path("redis-password"));
    EXPECT_EQ(config->tls.handshake_timeout, Milliseconds(250));
    EXPECT_EQ(config->session.command_timeout, hours(1));
    EXPECT_EQ(config->session.auth_timeout, seconds(2));
    EXPECT_EQ(config->session.data_timeout, hours(24));
    EXPECT_EQ(config->session.max_message_size, 1'000'000U);
    EXPECT_EQ(config->session.max_recipients, 5U);
    EXPECT_EQ(config->session.max_errors, 6U);
    EXPECT_EQ(config->session.max_line_length, 1024U);
    EXPECT_THAT(config->auth.backends, ElementsAre("other"));
    EXPECT_THAT(config->auth.mechanisms, ElementsAre("LOGIN"));
    EXPECT_TRUE(config->auth.plaintext_without_tls);
    EXPECT_TRUE(config->auth.legacy_auth_line);
    EXPECT_EQ(config->auth.max_attempts, 9U);
    EXPECT_EQ(config->auth.concurrency, 2U);
    EXPECT_EQ(config->auth.queue, 8U);
    EXPECT_EQ(config->auth.failure_delay, Milliseconds(0));
    EXPECT_EQ(std::get<FileBackend>(config->backends.at("other")).path, etc.path("users"));
    EXPECT_FALSE(config->policy.received_header);
    const Upstream& upstream = config->upstreams.at(0);
    ASSERT_EQ(upstream.servers.size(), 3U);
    EXPECT_EQ(upstream.servers[0].host, "mta.internal");
    EXPECT_EQ(upstream.servers[1].host, "2001:db8::25");
    EXPECT_EQ(upstream.servers[1].port, 26);
    EXPECT_EQ(upstream.servers[2].path, "/run/mta.sock");
    EXPECT_TRUE(upstream.servers[2].is_unix());
    EXPECT_EQ(upstream.connect_timeout, seconds(3));
    EXPECT_EQ(upstream.reply_timeout, seconds(240));
    EXPECT_EQ(upstream.health.interval, seconds(1));
    EXPECT_EQ(upstream.health.timeout, seconds(2));
    EXPECT_EQ(upstream.health.rise, 3U);
    EXPECT_EQ(upstream.health.fall, 4U);
    EXPECT_FALSE(config->admin.address);
    EXPECT_EQ(config->log.level, LogLevel::Warning);
    EXPECT_EQ(config->drain.delay, seconds(0));
    EXPECT_EQ(config->drain.timeout, seconds(1));
}

TEST(Loader_WhenBackendsAreOnlyDescribed, TheyAreReadAllTheSame) {
    const EtcGatepost etc;
    const auto config = loaded(etc, kMinimal.substr(0, kMinimal.find("backends")) + R"(
backends:
  local: {type: file, path: /etc/gatepost/users}
  redis: {type: redis, url: "redis://localhost/1", username: u, password_file: /etc/gatepost/redis-password, timeout: 5s}
  pam: {type: sasl, method: auxprop, auxprop_plugin: ldapdb, options: {ldapdb_uri: "ldap://x"}, realm: r}
upstreams: [{name: default, servers: ["127.0.0.1:25"]}]
)");
    const auto& redis = std::get<RedisBackend>(config->backends.at("redis"));
    EXPECT_EQ(redis.username, "u");
    EXPECT_EQ(redis.timeout, seconds(5));
    ASSERT_TRUE(redis.password);
    EXPECT_EQ(redis.password->reveal(), "hush") << "without the line end behind it";
    EXPECT_TRUE(redis.password_file.ends_with("redis-password")) << "it is read again when it changes";
    EXPECT_EQ(redis.mechanisms.size(), 4U);
    const auto& sasl = std::get<SaslBackend>(config->backends.at("pam"));
    EXPECT_EQ(sasl.method, SaslMethod::Auxprop);
    EXPECT_EQ(sasl.auxprop_plugin, AuxpropPlugin::Ldapdb);
    EXPECT_EQ(sasl.options.at("ldapdb_uri"), "ldap://x");
    EXPECT_EQ(sasl.realm, "r");
}

TEST(Loader_WhenTheEnvironmentIsNamed, ItIsPutInOnceAndNotAgain) {
    const EtcGatepost etc;
    const auto config = loaded(etc, contents(GATEPOST_CONF_FIXTURES "/environment.good.yaml"));
    EXPECT_EQ(config->hostname, "mta.internal");
    EXPECT_EQ(config->upstreams.at(0).servers.at(0).port, 2525);
    const auto& redis = std::get<RedisBackend>(config->backends.at("redis"));
    EXPECT_EQ(redis.password->reveal(), "a$b$c${HOST}");
    EXPECT_EQ(redis.key, "$");
}

TEST(Loader_WhenTheListenerHasNoTls, RequireTlsIsFalse) {
    const EtcGatepost etc;
    const auto config = loaded(etc, contents(GATEPOST_CONF_FIXTURES "/trusted-only.good.yaml"));
    EXPECT_FALSE(config->listeners.at(0).require_tls);
    EXPECT_THAT(config->auth.backends, IsEmpty());
    EXPECT_THAT(dumped(*config), HasSubstr("require_tls: false"));
}

TEST(Loader_WhenAKeyIsAskedFor, ItSaysWhereItWasWritten) {
    const EtcGatepost etc;
    const auto config = loaded(etc, kMinimal);
    EXPECT_EQ(config->where("listeners[0].address"), "gatepost.yaml:1:41");
    EXPECT_EQ(config->where("tls.certificates[0].certificate"), "gatepost.yaml:2:36");
    EXPECT_EQ(config->where("backends.local.path"), "gatepost.yaml:3:38");
    EXPECT_EQ(config->where("upstreams[0].servers[0]"), "gatepost.yaml:4:39");
    EXPECT_EQ(config->where("listeners[0].max_connections"), "gatepost.yaml:1:13")
        << "not written: the map around it";
    EXPECT_EQ(config->where("session.max_errors"), "gatepost.yaml:1:1")
        << "nothing around it was written either";
    EXPECT_TRUE(config->is_written("backends.local.path"));
    EXPECT_FALSE(config->is_written("session.max_errors"));
}

TEST(Notes_WhenADeprecatedMechanismIsNamed, SayWhichAndWhere) {
    const EtcGatepost etc;
    EXPECT_THAT(notes(*loaded(etc, kMinimal)), IsEmpty());
    const auto config = loaded(
        etc, std::string(kMinimal) + "auth: {mechanisms: [PLAIN, DIGEST-MD5, GSSAPI, CRAM-MD5, NTLM]}\n");
    const std::vector<Problem> found = notes(*config);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_THAT(found[0].text(), HasSubstr("auth.mechanisms[1]: DIGEST-MD5 is deprecated"));
    EXPECT_EQ(found[0].column, config->nearest_written("auth.mechanisms[1]")->column);
    EXPECT_THAT(found[1].message, HasSubstr("CRAM-MD5"));
    EXPECT_THAT(found[2].message, HasSubstr("NTLM"));
}

TEST(Loader_WhenTheUsersFileIsStillToCome, MayBeMissingLoadsIt) {
    const EtcGatepost etc;
    std::string text = kMinimal;
    text.replace(text.find("users"), 5, "later");
    EXPECT_FALSE(etc.load(text));
    EXPECT_TRUE(etc.load(text, Files::MayBeMissing));
}

TEST(Loader_WhenTheFileCannotBeRead, SaysSo) {
    const EtcGatepost etc;
    const Loaded missing = load(etc.path("none.yaml"), etc.environment());
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().at(0).text(), etc.path("none.yaml") + ":1:1: cannot read " +
                                                etc.path("none.yaml") + ": No such file or directory");
    const Loaded folder = load(etc.path("tls"), etc.environment());
    ASSERT_FALSE(folder);
    EXPECT_THAT(folder.error().at(0).message, HasSubstr("Is a directory"));
}

TEST(Loader_WhenTheFileIsThere, ReadsIt) {
    const EtcGatepost etc;
    etc.write("gatepost.yaml", etc.here(kMinimal));
    const Loaded result = load(etc.path("gatepost.yaml"), etc.environment());
    ASSERT_TRUE(result);
    EXPECT_EQ((*result)->where("listeners"), etc.path("gatepost.yaml") + ":1:12");
}

TEST(Loader_WhenTheFileIsNotText, SaysWhere) {
    const EtcGatepost etc;
    EXPECT_EQ(etc.problems("hostname: a\nrun_as: \"\xff\"\n"), "2:1: this line is not UTF-8\n");
    EXPECT_EQ(etc.problems(std::string_view("hostname: a\nrun_as: \0\n", 22)),
              "2:9: a control character; a configuration is text\n");
    EXPECT_EQ(etc.problems("\xff\xfeh\0o\0"), "1:1: this line is not UTF-8\n");
}

TEST(Loader_WhenLinesEndInCrLf, ReadsThemAllTheSame) {
    const EtcGatepost etc;
    std::string text;
    for (const char octet : kMinimal) text += octet == '\n' ? std::string("\r\n") : std::string(1, octet);
    EXPECT_EQ(etc.problems(text), "");
}

TEST(Loader_WhenNestedTooDeep, RefusesInsteadOfOverflowingTheStack) {
    const EtcGatepost etc;
    for (const char* const opening : {"[", "{a: ", "- ", "? "}) {
        std::string text;
        for (int i = 0; i < 100'000; ++i) text += opening;
        EXPECT_THAT(etc.problems(text), Not(IsEmpty()));
    }
}

TEST(Secrets_WhenAnythingIsPrinted, AreNotInIt) {
    const EtcGatepost etc;
    const auto described = loaded(etc, contents(GATEPOST_CONF_FIXTURES "/described-backends.good.yaml"));
    const auto environment = loaded(etc, contents(GATEPOST_CONF_FIXTURES "/environment.good.yaml"));
    for (const auto& config : {described, environment}) {
        const std::string text = dumped(*config) + summary(*config);
        for (const char* const secret : {"secret@", "hush", "hidden", "a$b$c", "a$$b$$c"}) {
            EXPECT_THAT(text, Not(HasSubstr(secret)));
        }
        for (const auto& [path, setting] : config->settings)
            EXPECT_THAT(setting.text, Not(HasSubstr("hidden"))) << path;
    }
    EXPECT_THAT(dumped(*described), HasSubstr("rediss://user:(redacted)@redis.internal:6380/2"));
    const Key url{"x", Type::Url, "", ""};
    EXPECT_EQ(masked(url, "unix:///run/redis.sock?password=hush"), "unix:///run/redis.sock?(redacted)");
    EXPECT_EQ(masked_option("sql_hostnames", "host=x password=hush"), "(redacted)");
    EXPECT_EQ(masked_option("sql_engine", "pgsql"), "pgsql");
    EXPECT_THAT(etc.problems(contents(GATEPOST_CONF_FIXTURES "/not-available-yet.bad.yaml")),
                Not(HasSubstr("very-secret-indeed")));
}

// The sanitizers watch; the answer may be anything but a crash.
TEST(Loader_WhenFedGarbage, NeverCrashes) {
    const EtcGatepost etc;
    const std::string whole = contents(GATEPOST_CONF_FIXTURES "/specification.good.yaml");
    std::mt19937 random(20240229);  // NOLINT(bugprone-random-generator-seed): the same garbage each time
    const auto below = [&random](std::size_t limit) { return random() % limit; };
    constexpr std::string_view kInteresting = "{}[]:-,#&*!|>'\"%@`?\n\t \\~$<=\x01\xc3\x80";
    std::size_t loads = 0;
    for (int round = 0; round < 400; ++round) {
        std::string text = round % 4 == 0 ? std::string() : whole.substr(below(whole.size()), below(3000));
        const std::size_t changes = 1 + below(60);
        for (std::size_t i = 0; i < changes; ++i) {
            const char octet =
                below(3) == 0 ? static_cast<char>(random()) : kInteresting[below(kInteresting.size())];
            text.insert(below(text.size() + 1), 1, octet);
        }
        const Loaded result = etc.load(text);
        if (result) {
            ++loads;
        } else {
            EXPECT_THAT(result.error(), Not(IsEmpty()));
        }
    }
    EXPECT_EQ(loads, 0U) << "no garbage is a whole configuration";
}

// Each line of the reference file in turn is gone, cut or doubled.
TEST(Loader_WhenALineIsLostOrCut, AnswersWithoutCrashing) {
    const EtcGatepost etc;
    std::vector<std::string> lines;
    std::istringstream stream(contents(GATEPOST_CONF_FIXTURES "/specification.good.yaml"));
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    for (std::size_t victim = 0; victim < lines.size(); ++victim) {
        for (const int how : {0, 1, 2}) {
            std::string text;
            for (std::size_t i = 0; i < lines.size(); ++i) {
                if (i != victim || how == 2) text += lines[i] + "\n";
                if (i == victim && how == 2) text += lines[i] + "\n";
                if (i == victim && how == 1) text += lines[i].substr(0, lines[i].size() / 2) + "\n";
            }
            const Loaded result = etc.load(text);
            EXPECT_TRUE(result || !result.error().empty());
        }
    }
}

}  // namespace
}  // namespace gatepost::conf
