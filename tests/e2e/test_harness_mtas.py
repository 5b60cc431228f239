"""What real MTAs make of an identity that a test's own socket tells them: what tests/e2e/test_upstream_identity.py expects of Gatepost."""
import pytest
from harness.client import Client, Closed
from harness.postfix import OWN_SENDERS, Postfix
from harness.process import wait_until
from harness.proxy_header import proxy_v1, proxy_v2
from harness.sasl import cram_md5, login, plain, talk

HEADERS = {"v1": proxy_v1("127.0.0.9"), "v2": proxy_v2("127.0.0.9"), "v2 LOCAL": proxy_v2(), "v1 IPv6": proxy_v1("2001:db8::9", "::1"), "v2 IPv6": proxy_v2("2001:db8::9", "::1")}
ADDRESSES = {name: "127.0.0.1" if "LOCAL" in name else "2001:db8::9" if "IPv6" in name else "127.0.0.9" for name in HEADERS}


def send(client, marker, sender="ann@example.com", parameters=""):
    reply = client.mail(f"Message-ID: <{marker}@example.com>\r\n\r\ntext\r\n".encode(), sender, parameters=parameters)
    assert reply == 250, reply
    return f"{marker}@example.com"


def is_greeted(port, header):
    try:
        with Client(port, first=header) as client:
            return client.greeting == 220
    except (Closed, ConnectionError):
        return False


def test_postfix_believes_xclient(tmp_path):
    postfix = Postfix(tmp_path, OWN_SENDERS, mechanisms="PLAIN")
    try:
        with Client(postfix.port) as client:
            assert "LOGIN" in client.ehlo()["XCLIENT"].split()
            assert client.command("XCLIENT LOGIN=ann ADDR=127.0.0.9") == 220
            client.ehlo()
            assert postfix.whose(send(client, "by-xclient")) == ("127.0.0.9", "ann")
            assert client.commands("MAIL FROM:<bob@example.com>", "RCPT TO:<bob@example.net>")[1] == "553 5.7.1"
        with Client(postfix.port) as client:  # one connection, several users
            client.ehlo()
            for number, user in enumerate(("ann", "bob", "ann")):
                assert client.command(f"XCLIENT LOGIN={user}") == 220
                client.ehlo()
                assert postfix.whose(send(client, f"login-{number}", f"{user}@example.com")) == ("127.0.0.1", user)
            assert client.command("XCLIENT LOGIN=[UNAVAILABLE]") == 220
            client.ehlo()
            assert postfix.whose(send(client, "nobody", "carol@example.com")) == ("127.0.0.1", None)
            client.quit()
        assert wait_until(lambda: len(postfix.sessions()) == 2), postfix.mail_log()[-3000:]
        assert " xclient=0/4 mail=4 " in postfix.sessions()[1]
    finally:
        postfix.stop()


def test_postfix_believes_proxy(tmp_path):
    postfix = Postfix(tmp_path, "inet_protocols = all\nmynetworks = 127.0.0.0/8 [2001:db8::]/32\n", proxy=True)
    try:
        for number, name in enumerate(HEADERS):
            with Client(postfix.port, first=HEADERS[name]) as client:
                client.ehlo()
                assert (name, *postfix.whose(send(client, f"by-proxy-{number}"))) == (name, ADDRESSES[name], None)
        assert not is_greeted(postfix.port, b"PROXY UNKNOWN\r\n"), "so no gateway may say that, not even for itself"
    finally:
        postfix.stop()


@pytest.mark.parametrize("mechanism, dialogue", [("PLAIN", plain), ("LOGIN", login), ("CRAM-MD5", cram_md5)])
def test_postfix_takes_one_mechanism(mechanism, dialogue, tmp_path):
    postfix = Postfix(tmp_path, "smtpd_sender_restrictions = permit_sasl_authenticated, reject\n", mechanisms=mechanism, accounts={"gate": "sesame-8842"})
    try:
        with Client(postfix.port) as client:
            assert client.ehlo()["AUTH"] == mechanism
            assert client.commands("MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.net>")[1] == 554
            assert client.command("RSET") == 250
            assert talk(client, mechanism, dialogue("gate", "wrong")) == 535
            assert talk(client, mechanism, dialogue("gate", "sesame-8842")) == 235
            assert postfix.whose(send(client, "by-auth")) == ("127.0.0.1", "gate")
    finally:
        postfix.stop()


@pytest.mark.parametrize("name", HEADERS)
def test_exim_believes_proxy_and_mail_auth(name, exim):
    with Client(exim.port, first=HEADERS[name]) as client:
        assert "AUTH" in client.ehlo()
        send(client, "by-proxy-" + name.replace(" ", "-"), parameters=" AUTH=ann+2Bnews")
    assert exim.whose("by-proxy-" + name.replace(" ", "-") + "@example.com") == (ADDRESSES[name], "ann+news")


@pytest.mark.parametrize("name", [name for name in HEADERS if "v2" in name])
def test_opensmtpd_believes_proxy_v2(name, opensmtpd):
    with Client(opensmtpd.port, first=HEADERS[name]) as client:
        client.ehlo()
        message_id = send(client, "by-proxy-" + name.replace(" ", "-"))
    assert opensmtpd.whose(message_id) == (ADDRESSES[name], None)


def test_exim_and_opensmtpd_deliver(exim, opensmtpd):
    for server in (exim, opensmtpd):
        with Client(server.port, first=proxy_v2("127.0.0.9")) as client:
            client.ehlo()
            send(client, "delivered")
        assert wait_until(lambda: [message for message in server.messages() if b"<delivered@example.com>" in message]), server.mail_log()[-3000:]
