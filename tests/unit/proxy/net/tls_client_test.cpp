// The client side of TLS: against our own server side, and against servers that misbehave.
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "proxy/net/dialer.h"
#include "proxy/net/listener.h"
#include "proxy/net/tls_client_context.h"
#include "proxy/net/transport.h"
#include "tests/unit/proxy/net/net_fixture.h"

namespace gatepost::net::testing {
namespace {

class TlsClientTest : public ::testing::Test {
  protected:
    TlsClientTest() : files(make_certificate(folder, "server", "server", {"mta.example.org"})) {
        auto [client_side, server_side] = socket_pair();
        serve(files);
        server.emplace(loop, std::move(server_side), at_server);
        client.emplace(loop, std::move(client_side), at_client);
    }

    void serve(const CertificateFiles& certificate, const std::string& client_ca = "") {
        TlsSettings settings;
        settings.certificates = {certificate};
        settings.client_ca = client_ca;
        served = *TlsContext::make(settings);
    }

    void believe(const std::string& ca, bool verifies = true, const CertificateFiles& own = {}) {
        auto made = TlsClientContext::make({.ca = ca, .verifies = verifies, .own = own});
        ASSERT_TRUE(made) << made.error().message;
        context = std::move(*made);
    }

    /// Both sides begin; true when the client's handshake succeeded.
    bool shakes_hands(const std::string& name) {
        server->start_tls_server(*served);
        server->start();
        client->start_tls_client(*context, name);
        client->start();
        EXPECT_TRUE(run_until(loop, [&] { return at_client.established > 0 || at_client.closed; }));
        return at_client.established > 0;
    }

    TemporaryFolder folder;
    CertificateFiles files;
    EventLoop loop;
    RecordingHandler at_server;
    RecordingHandler at_client;
    std::unique_ptr<TlsContext> served;
    std::unique_ptr<TlsClientContext> context;
    std::optional<Transport> server;
    std::optional<Transport> client;
};

TEST_F(TlsClientTest, GoodAuthorityAndName_TalkBothWays) {
    believe(files.certificate);
    at_server.consume = [](Transport& to, ByteView bytes) {
        to.write("250 ok\r\n");
        return bytes.size();
    };
    ASSERT_TRUE(shakes_hands("MTA.example.org"));
    client->write("EHLO x\r\n");
    client->flush();
    ASSERT_TRUE(run_until(loop, [&] { return !at_client.received.empty(); }));
    EXPECT_EQ(at_server.received, "EHLO x\r\n");
    EXPECT_EQ(at_client.received, "250 ok\r\n");
    EXPECT_EQ(client->tls_facts().version, "TLSv1.3");
    EXPECT_EQ(client->tls_failure(), "");
}

TEST_F(TlsClientTest, WrittenDuringTheHandshake_FollowsIt) {
    believe(files.certificate);
    client->start_tls_client(*context, "mta.example.org");
    client->write("AUTH secret\r\n");
    client->start();
    client->flush();
    server->start_tls_server(*served);
    server->start();
    ASSERT_TRUE(run_until(loop, [&] { return !at_server.received.empty(); }));
    EXPECT_EQ(at_server.received, "AUTH secret\r\n");
}

TEST_F(TlsClientTest, StartTls_AfterAPlainDialogue) {
    believe(files.certificate);
    at_server.consume = [&](Transport& on, ByteView bytes) {
        if (!on.is_tls()) {
            on.write("220 go ahead\r\n");
            on.start_tls_server(*served);
        } else {
            on.write("250 inside\r\n");
        }
        return bytes.size();
    };
    at_client.consume = [&](Transport& on, ByteView bytes) {
        if (!on.is_tls()) {
            on.start_tls_client(*context, "mta.example.org");
            on.write("EHLO x\r\n");
        }
        return bytes.size();
    };
    server->start();
    client->start();
    client->write("STARTTLS\r\n");
    client->flush();
    ASSERT_TRUE(run_until(loop, [&] { return at_client.received.ends_with("250 inside\r\n"); }));
    EXPECT_EQ(at_server.received, "STARTTLS\r\nEHLO x\r\n");
}

TEST_F(TlsClientTest, StartTls_WithOctetsLeftBehindTheReply_Closes) {
    believe(files.certificate);
    at_client.consume = [&](Transport& on, ByteView) {
        on.start_tls_client(*context, "mta.example.org");
        return std::size_t{14};
    };
    client->start();
    server->write("220 go ahead\r\n250 injected\r\n");
    server->flush();
    ASSERT_TRUE(run_until(loop, [&] { return at_client.closed.has_value(); }));
    EXPECT_EQ(at_client.closed, CloseCause::kTlsFailed);
}

TEST_F(TlsClientTest, WrongAuthority_IsRefusedAndSaysWhy) {
    believe(make_certificate(folder, "stranger", "stranger").certificate);
    EXPECT_FALSE(shakes_hands("mta.example.org"));
    EXPECT_EQ(at_client.closed, CloseCause::kTlsFailed);
    EXPECT_EQ(client->tls_failure(), "self-signed certificate");
}

TEST_F(TlsClientTest, SystemAuthorities_DoNotKnowTheTests) {
    believe("");
    EXPECT_FALSE(shakes_hands("mta.example.org"));
    EXPECT_EQ(at_client.closed, CloseCause::kTlsFailed);
}

TEST_F(TlsClientTest, WrongName_IsRefusedAndSaysWhy) {
    for (const auto& [name, reason] :
         {std::pair<std::string, std::string>{"other.example.org", "hostname mismatch"},
          {"192.0.2.1", "IP address mismatch"}}) {
        at_client = {};
        auto [client_side, server_side] = socket_pair();
        server.emplace(loop, std::move(server_side), at_server);
        client.emplace(loop, std::move(client_side), at_client);
        believe(files.certificate);
        EXPECT_FALSE(shakes_hands(name));
        EXPECT_EQ(client->tls_failure(), reason);
    }
}

TEST_F(TlsClientTest, NoName_CannotBeVerified) {
    believe(files.certificate);
    EXPECT_FALSE(shakes_hands(""));
    EXPECT_EQ(at_client.closed, CloseCause::kTlsFailed);
    EXPECT_EQ(client->tls_failure(), "not a name that a server can be asked for");
}

TEST_F(TlsClientTest, WithoutVerifying_AnybodyIsBelieved) {
    believe("", false);
    EXPECT_TRUE(shakes_hands("other.example.org"));
}

TEST_F(TlsClientTest, OwnCertificate_IsShown) {
    const CertificateFiles own = make_certificate(folder, "own", "gatepost");
    serve(files, own.certificate);
    believe(files.certificate, true, own);
    ASSERT_TRUE(shakes_hands("mta.example.org"));
    ASSERT_TRUE(run_until(loop, [&] { return at_server.established > 0; }));
    EXPECT_NE(SSL_get0_peer_certificate(server->ssl()), nullptr);
}

TEST_F(TlsClientTest, ServerThatDropsOrSpeaksSmtp_SaysSo) {
    believe(files.certificate);
    client->start_tls_client(*context, "mta.example.org");
    client->start();
    server.reset();
    ASSERT_TRUE(run_until(loop, [&] { return at_client.closed.has_value(); }));
    EXPECT_EQ(at_client.closed, CloseCause::kDropped);
    EXPECT_EQ(client->tls_failure(), "the server ended the connection during the handshake");

    at_client = {};
    auto [client_side, server_side] = socket_pair();
    server.emplace(loop, std::move(server_side), at_server);
    client.emplace(loop, std::move(client_side), at_client);
    client->start_tls_client(*context, "mta.example.org");
    client->start();
    server->write("220 mta.example.org ESMTP\r\n");
    server->flush();
    ASSERT_TRUE(run_until(loop, [&] { return at_client.closed.has_value(); }));
    EXPECT_EQ(at_client.closed, CloseCause::kTlsFailed);
    EXPECT_EQ(client->tls_failure(), "wrong version number");
}

TEST_F(TlsClientTest, RefusedConnect_IsNoTlsFailure) {
    believe(files.certificate);
    std::optional<SocketAddress> nobody;
    {
        const auto listening = listen_on("127.0.0.1:0");
        nobody = local_address(listening->get());
    }
    for (const bool with_tls : {true, false}) {
        at_client = {};
        client.emplace(loop, std::move(*dial(*nobody)), at_client);
        if (with_tls) client->start_tls_client(*context, "mta.example.org");
        client->write("EHLO x\r\n");
        client->start();
        ASSERT_TRUE(run_until(loop, [&] { return at_client.closed.has_value(); }));
        EXPECT_EQ(at_client.closed, CloseCause::kConnectFailed);
        EXPECT_EQ(client->tls_failure(), "");
    }
}

TEST_F(TlsClientTest, Settings_ThatAreWrong_AreNamed) {
    const std::string empty = folder.write("empty.pem", "");
    EXPECT_EQ(TlsClientContext::make({.ca = empty}).error().message,
              "tls_ca " + empty + ": holds no PEM certificate");
    EXPECT_EQ(TlsClientContext::make({.ca = "/nowhere"}).error().message,
              "tls_ca /nowhere: No such file or directory");
    EXPECT_FALSE(TlsClientContext::make({.ca = "", .own = {.certificate = files.certificate, .key = ""}}));
}

}  // namespace
}  // namespace gatepost::net::testing
