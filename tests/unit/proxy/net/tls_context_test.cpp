#include "proxy/net/tls_context.h"

#include <fstream>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "proxy/net/tls_channel.h"
#include "proxy/net/transport.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::net::testing {
namespace {

using ::testing::Test;
using SessionPointer = std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)>;

class TlsContextTest : public Test {
  protected:
    struct Met {
        bool is_established = false;
        bool was_resumed = false;
        std::string client_name;  ///< as the server knows it
        std::string server_name;
        std::string cipher;
        int key_type = 0;
        SessionPointer session{nullptr, SSL_SESSION_free};
    };

    std::unique_ptr<TlsContext> make() {
        auto made = TlsContext::make(settings);
        if (!made) {
            ADD_FAILURE() << made.error().message;
            std::abort();
        }
        return std::move(*made);
    }

    std::string error() {
        const auto made = TlsContext::make(settings);
        return made ? "" : made.error().message;
    }

    /// One connection to a server with `context`: a handshake, one line there and
    /// one back, so that tickets arrive.
    static Met meet(const TlsContext& context, const Peer::Tls& wish) {
        EventLoop loop;
        RecordingHandler handler;
        auto [ours, theirs] = tcp_pair();
        Transport transport(loop, std::move(ours), handler);
        Met met;
        handler.consume = [&met](Transport& to, ByteView bytes) {
            met.client_name = client_certificate_name(to.ssl(), CertificateName::kCommonName);
            to.write("250 ok\r\n");
            return bytes.size();
        };
        transport.start_tls_server(context);
        transport.start();
        std::atomic<bool> ended = false;
        std::jthread client([&, socket = std::move(theirs)]() mutable {
            Peer peer(std::move(socket));
            met.is_established =
                peer.handshake(wish) && peer.send("NOOP\r\n") && peer.receive_some() == "250 ok\r\n";
            if (met.is_established) {
                met.was_resumed = SSL_session_reused(peer.ssl()) != 0;
                met.server_name = peer.server_name();
                met.cipher = SSL_get_cipher_name(peer.ssl());
                met.key_type = EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(peer.ssl())));
                met.session.reset(peer.session());
                peer.shutdown_tls();  // OpenSSL forgets the session of a client that just goes
            }
            ended = true;
        });
        EXPECT_TRUE(run_until(loop, [&] { return ended.load(); }));
        return met;
    }

    static Met meet_as(const TlsContext& context, const std::string& name, int version = TLS1_3_VERSION) {
        return meet(context,
                    {.version = version, .name = name, .ciphers = "", .signatures = "", .resume = nullptr});
    }

    static Met meet_again(const TlsContext& context, SSL_SESSION* session, int version) {
        return meet(context,
                    {.version = version, .name = "", .ciphers = "", .signatures = "", .resume = session});
    }

    TemporaryFolder folder;
    TlsSettings settings;
};

TEST_F(TlsContextTest, Sni_ChoosesByNameWildcardCaseAndCommonName) {
    settings.certificates = {make_certificate(folder, "a", "first", {"a.example.org", "mail.example.org"}),
                             make_certificate(folder, "b", "second", {"*.example.net"}),
                             make_certificate(folder, "c", "c.example.com")};
    const auto context = make();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const std::vector<std::pair<std::string, std::string>> wanted = {
            {"", "first"},
            {"a.example.org", "first"},
            {"unknown.example", "first"},
            {"x.example.net", "second"},
            {"X.Example.NET", "second"},
            {"x.y.example.net", "first"},
            {"example.net", "first"},
            {"c.example.com", "c.example.com"},
        };
        for (const auto& [asked, served] : wanted)
            EXPECT_EQ(meet_as(*context, asked, version).server_name, served) << asked;
    }
    ASSERT_EQ(context->certificates().size(), 3U);
    EXPECT_EQ(context->certificates()[0].names,
              (std::vector<std::string>{"a.example.org", "mail.example.org"}));
    EXPECT_EQ(context->certificates()[2].names, std::vector<std::string>{"c.example.com"});
    const auto left = context->certificates()[0].not_after - std::chrono::system_clock::now();
    EXPECT_GT(left, std::chrono::minutes(50));
    EXPECT_LT(left, std::chrono::minutes(61));
}

TEST_F(TlsContextTest, EcdsaAndRsaOfOneName_AreServedByWhatTheClientSupports) {
    settings.certificates = {make_certificate(folder, "ec", "both", {"mail.example.org"}, KeyKind::kEc),
                             make_certificate(folder, "rsa", "both", {"mail.example.org"}, KeyKind::kRsa)};
    const auto context = make();
    const auto key_type = [&](const std::string& signatures, int version) {
        return meet(*context,
                    {.version = version, .name = "mail.example.org", .ciphers = "", .signatures = signatures})
            .key_type;
    };
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        EXPECT_EQ(key_type("ECDSA+SHA256", version), EVP_PKEY_EC);
        EXPECT_EQ(key_type("RSA-PSS+SHA256", version), EVP_PKEY_RSA);
    }
}

TEST_F(TlsContextTest, Ciphers_TheCheapestIsPreferredWhateverTheClientsOrder) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    const auto context = make();
    EXPECT_EQ(meet_as(*context, "").cipher, "TLS_AES_128_GCM_SHA256");
    Peer::Tls old;
    old.version = TLS1_2_VERSION;
    old.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
    EXPECT_EQ(meet(*context, old).cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

TEST_F(TlsContextTest, Ciphers_OneListForBothVersions) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    settings.ciphers = "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    const auto context = make();
    EXPECT_EQ(meet_as(*context, "").cipher, "TLS_CHACHA20_POLY1305_SHA256");
    EXPECT_EQ(meet_as(*context, "", TLS1_2_VERSION).cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
}

TEST_F(TlsContextTest, Versions_BelowTheMinimumAreRefused) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    EXPECT_FALSE(meet_as(*make(), "", TLS1_1_VERSION).is_established);
    EXPECT_TRUE(meet_as(*make(), "", TLS1_2_VERSION).is_established);
    settings.min_version = "1.3";
    EXPECT_FALSE(meet_as(*make(), "", TLS1_2_VERSION).is_established);
    EXPECT_TRUE(meet_as(*make(), "", TLS1_3_VERSION).is_established);
}

TEST_F(TlsContextTest, Versions_OldDevicesAreServedWhenAsked) {
    settings.certificates = {make_certificate(folder, "a", "a", {}, KeyKind::kRsa)};
    settings.min_version = "1.0";
    EXPECT_TRUE(meet_as(*make(), "", TLS1_VERSION).is_established);
    EXPECT_TRUE(meet_as(*make(), "", TLS1_1_VERSION).is_established);
    EXPECT_EQ(meet_as(*make(), "").cipher, "TLS_AES_128_GCM_SHA256");
}

TEST_F(TlsContextTest, Tickets_ResumeAtAnotherReplicaAgainAndAgain) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    const std::string file = folder.write("tickets", std::string(80, 'k'));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        settings.ticket_keys = *TicketKeys::load(file);
        const auto one = make();
        settings.ticket_keys = *TicketKeys::load(file);
        const auto other = make();
        const Met first = meet_as(*one, "", version);
        EXPECT_FALSE(first.was_resumed);
        const Met second = meet_again(*other, first.session.get(), version);
        EXPECT_TRUE(second.was_resumed);
        const Met third = meet_again(*one, second.session.get(), version);
        EXPECT_TRUE(third.was_resumed);
        if (version == TLS1_3_VERSION) {
            EXPECT_NE(first.session.get(), second.session.get()) << "TLS 1.3 tickets are used once";
        }
    }
}

TEST_F(TlsContextTest, Tickets_OlderKeysOpenAndDroppedOnesDoNot) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    const std::string old_key(80, 'o');
    const std::string new_key(80, 'n');
    settings.ticket_keys = *TicketKeys::load(folder.write("before", old_key));
    const auto before = make();
    settings.ticket_keys = *TicketKeys::load(folder.write("rotated", new_key + old_key));
    const auto rotated = make();
    settings.ticket_keys = *TicketKeys::load(folder.write("after", new_key));
    const auto after = make();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const Met first = meet_as(*before, "", version);
        const Met second = meet_again(*rotated, first.session.get(), version);
        EXPECT_TRUE(second.was_resumed);
        const Met third = meet_again(*after, second.session.get(), version);
        EXPECT_TRUE(third.was_resumed) << "the ticket was to be renewed with the newest key";
        const Met stale = meet_again(*after, first.session.get(), version);
        EXPECT_TRUE(stale.is_established);
        EXPECT_FALSE(stale.was_resumed);
    }
}

TEST_F(TlsContextTest, Tickets_AreNotGoodUnderAnotherPolicy) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    settings.ticket_keys = *TicketKeys::random();
    const Met first = meet_as(*make(), "");
    settings.client_ca = settings.certificates[0].certificate;
    const Met second = meet_again(*make(), first.session.get(), TLS1_3_VERSION);
    EXPECT_TRUE(second.is_established);
    EXPECT_FALSE(second.was_resumed);
}

TEST_F(TlsContextTest, Tickets_DoNotOutliveTheCertificateOfTheClient) {
    constexpr std::chrono::seconds kLifetime{3};
    settings.certificates = {make_certificate(folder, "a", "a")};
    settings.ticket_keys = *TicketKeys::random();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto client = make_certificate(folder, "client", "ann", {}, KeyKind::kEc, kLifetime);
        settings.client_ca = client.certificate;
        const auto context = make();
        const auto meet_ann = [&](SSL_SESSION* session) {
            Peer::Tls wish;
            wish.version = version;
            wish.resume = session;
            wish.certificate = client;
            return meet(*context, wish);
        };
        const Met first = meet_ann(nullptr);
        EXPECT_EQ(first.client_name, "ann");
        const Met second = meet_ann(first.session.get());
        EXPECT_TRUE(second.was_resumed);
        EXPECT_EQ(second.client_name, "ann");
        std::this_thread::sleep_for(kLifetime);
        const Met late = meet_ann(second.session.get());
        EXPECT_TRUE(late.is_established);
        EXPECT_FALSE(late.was_resumed);
        EXPECT_EQ(late.client_name, "");
    }
}

TEST_F(TlsContextTest, Tickets_WithoutKeysNoneAreGiven) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    const auto context = make();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const Met first = meet_as(*context, "", version);
        EXPECT_FALSE(meet_again(*context, first.session.get(), version).was_resumed);
    }
}

TEST_F(TlsContextTest, Errors_NameTheFileAndTheReason) {
    const CertificateFiles good = make_certificate(folder, "good", "good");
    const CertificateFiles other = make_certificate(folder, "other", "other");
    const std::string nonsense = folder.write("nonsense", "not a certificate\n");

    EXPECT_EQ(error(), "TLS: no certificate");
    settings.certificates = {{.certificate = folder.path("absent.crt"), .key = good.key}};
    EXPECT_EQ(error(), "certificate " + folder.path("absent.crt") + ": No such file or directory");
    settings.certificates = {{.certificate = nonsense, .key = good.key}};
    EXPECT_EQ(error(), "certificate " + nonsense + ": holds no PEM certificate");
    settings.certificates = {{.certificate = good.certificate, .key = nonsense}};
    EXPECT_EQ(error(), "key " + nonsense + ": holds no PEM private key");
    settings.certificates = {{.certificate = good.certificate, .key = folder.path("absent.key")}};
    EXPECT_EQ(error(), "key " + folder.path("absent.key") + ": No such file or directory");
    settings.certificates = {{.certificate = good.certificate, .key = other.key}};
    EXPECT_EQ(error(), "key " + other.key + ": does not belong to certificate " + good.certificate);

    settings.certificates = {good, good};
    EXPECT_EQ(error(), "certificate " + good.certificate + ": has the same names and type of key as " +
                           good.certificate + ", so one of them would never be used");
    settings.certificates = {good};
    EXPECT_EQ(error(), "");
    settings.min_version = "1.4";
    EXPECT_EQ(error(), "min_version \"1.4\": not one of 1.0, 1.1, 1.2, 1.3");
    settings.min_version = "1.2";
    settings.ciphers = "NO-SUCH-CIPHER";
    EXPECT_EQ(error(), "TLS ciphers \"NO-SUCH-CIPHER\": no cipher match");
    settings.ciphers.clear();
    settings.client_ca = nonsense;
    EXPECT_EQ(error(), "client_ca " + nonsense + ": holds no PEM certificate");
}

TEST_F(TlsContextTest, EncryptedKey_IsRefusedWithoutAskingATerminal) {
    const CertificateFiles good = make_certificate(folder, "good", "good");
    FILE* in = std::fopen(good.key.c_str(), "r");
    EVP_PKEY* key = PEM_read_PrivateKey(in, nullptr, nullptr, nullptr);
    std::fclose(in);
    const std::string path = folder.path("encrypted.key");
    FILE* out = std::fopen(path.c_str(), "w");
    const std::string phrase = "phrase";
    PEM_write_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), phrase.c_str(), static_cast<int>(phrase.size()),
                              nullptr, nullptr);
    std::fclose(out);
    EVP_PKEY_free(key);
    settings.certificates = {{.certificate = good.certificate, .key = path}};
    EXPECT_EQ(error(), "key " + path + ": is encrypted; Gatepost needs it without a passphrase");
}

TEST_F(TlsContextTest, Chain_CutOffInTheMiddle_IsRefused) {
    const CertificateFiles good = make_certificate(folder, "good", "good");
    std::ifstream in(good.certificate);
    std::stringstream text;
    text << in.rdbuf();
    const std::string cut = folder.write("cut.crt", text.str() + text.str().substr(0, text.str().size() / 2));
    settings.certificates = {{.certificate = cut, .key = good.key}};
    EXPECT_TRUE(error().starts_with("certificate " + cut + ": ")) << error();
}

TEST_F(TlsContextTest, TicketKeys_OfAWrongSize_AreRefused) {
    for (const std::size_t size : {0U, 79U, 81U, 100U}) {
        const std::string path = folder.write("keys", std::string(size, 'x'));
        const auto keys = TicketKeys::load(path);
        ASSERT_FALSE(keys) << size;
        EXPECT_EQ(keys.error().message, "ticket_keys " + path + ": holds " + std::to_string(size) +
                                            " octets; keys have 80 each (openssl rand 80 makes one)");
    }
    EXPECT_FALSE(TicketKeys::load(folder.path("absent")));
}

TEST_F(TlsContextTest, ClientCertificate_IsAskedForAndABadOneIsNotTheEnd) {
    settings.certificates = {make_certificate(folder, "a", "a")};
    settings.client_ca = settings.certificates[0].certificate;
    EXPECT_TRUE(meet_as(*make(), "").is_established);
    EXPECT_EQ(SSL_CTX_get_verify_mode(make()->get()), SSL_VERIFY_PEER);
}

TEST(HandshakeSlots, WhenTheCapIsReached_GiveEmptySlotsUntilOneIsReturned) {
    HandshakeSlots slots(2);
    auto first = slots.take();
    auto second = slots.take();
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
    EXPECT_FALSE(slots.take());
    HandshakeSlots::Slot moved = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_EQ(slots.taken(), 2U);
    moved = {};
    EXPECT_EQ(slots.taken(), 1U);
    EXPECT_TRUE(slots.take());
    EXPECT_EQ(slots.taken(), 1U);
}

}  // namespace
}  // namespace gatepost::net::testing
