"""TLS as clients meet it: versions, certificates by SNI and by algorithm, resumption between replicas, and what is closed at once (B1-B3)."""
import secrets
import socket
import ssl
import time

import pytest
from harness.client import Client, Closed, trusting_context
from harness.gatepost import USERS, Gatepost

USER = "alice@example.com"


def context(version=None, ciphers=None, ca=None):
    made = trusting_context()
    if ca:
        made.load_verify_locations(ca)
        made.verify_mode = ssl.CERT_REQUIRED
    if version:
        made.minimum_version = made.maximum_version = version
    if ciphers:
        made.set_ciphers(ciphers)
    return made


@pytest.fixture(scope="module")
def gatepost(tmp_path_factory, tls, sink):
    pairs = [{"certificate": str(pair.certificate), "key": str(pair.key)} for pair in (tls.rsa, tls.ecdsa, tls.other)]
    server = Gatepost(tmp_path_factory.mktemp("gatepost"), tls, sink.port, {"tls": {"certificates": pairs}})
    yield server
    server.stop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_versions(gatepost, sink, tls, version, implicit):
    before = len(sink.messages())
    with Client(gatepost.tls_port if implicit else gatepost.port, implicit, context=context(version, ca=tls.ca)) as client:
        client.ehlo()
        if not implicit:
            client.starttls()
        assert client.socket.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        client.login(USER, USERS[USER])
        assert client.mail(b"Subject: tls\r\n\r\n") == 250
        client.quit()
    sink.wait_for(before + 1)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_old_versions_are_refused(gatepost):
    old = trusting_context()
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Client(gatepost.tls_port, implicit_tls=True, context=old)


@pytest.mark.parametrize("name, expected", [("gate.example", "gate.example"), ("other.example", "other.example"), ("a.other.example", "other.example"), ("unknown.test", "gate.example")])
def test_certificate_is_chosen_by_sni(gatepost, tls, name, expected):
    with Client(gatepost.tls_port, implicit_tls=True, context=context(ca=tls.ca), server_name=name) as client:
        assert expected in [value for _, value in client.socket.getpeercert()["subjectAltName"]]


@pytest.mark.parametrize("ciphers, common_name", [("ECDHE-RSA-AES128-GCM-SHA256", "rsa"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa")])
def test_rsa_and_ecdsa_side_by_side(gatepost, tls, ciphers, common_name):
    with Client(gatepost.tls_port, implicit_tls=True, context=context(ssl.TLSVersion.TLSv1_2, ciphers, tls.ca), server_name="gate.example") as client:
        assert client.socket.getpeercert()["subject"][0][0][1] == common_name


def resumed_by(first, second, version):
    made = context(version)
    with Client(first, implicit_tls=True, context=made) as client:
        client.ehlo()  # TLS 1.3 tickets come with the first data
        session = client.socket.session
        client.quit()
    again = socket.create_connection(("127.0.0.1", second))
    with made.wrap_socket(again, server_hostname="localhost", session=session) as wrapped:
        assert wrapped.recv(100).startswith(b"220 ")
        return wrapped.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_sessions_resume(gatepost, version):
    assert resumed_by(gatepost.tls_port, gatepost.tls_port, version)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_sessions_resume_at_a_replica_with_the_same_ticket_keys(make_gatepost, make_sink, tmp_path, version):
    keys = tmp_path / "ticket_keys"
    keys.write_bytes(secrets.token_bytes(80))
    keys.chmod(0o600)
    upstream = make_sink().port
    one, two = (make_gatepost(upstream, {"tls": {"ticket_keys": str(keys)}}) for _ in range(2))
    assert resumed_by(one.tls_port, two.tls_port, version)


def test_sessions_do_not_resume_at_a_stranger(make_gatepost, make_sink):
    upstream = make_sink().port
    one, two = (make_gatepost(upstream) for _ in range(2))
    assert not resumed_by(one.tls_port, two.tls_port, ssl.TLSVersion.TLSv1_3)


def test_plaintext_to_implicit_tls_gets_nothing_but_a_close(gatepost):
    with socket.create_connection(("127.0.0.1", gatepost.tls_port), 10) as peer:
        peer.sendall(b"EHLO client.example\r\n")
        octets = b""
        try:
            while more := peer.recv(1000):
                octets += more
        except ConnectionError:
            pass
    assert b"220" not in octets and b"SMTP" not in octets


def test_octets_behind_starttls_end_the_session(gatepost):
    with Client(gatepost.port) as client:
        client.ehlo()
        client.send("STARTTLS\r\nMAIL FROM:<injected@example.com>\r\n")
        try:
            reply = client.reply()
            assert reply != 220, reply
        except Closed:
            pass
        client.at_end()


def test_what_was_said_before_tls_is_forgotten(gatepost):
    with Client(gatepost.port) as client:
        client.ehlo("before.example")
        assert client.command("STARTTLS") == 220
        client.wrap()
        assert client.command("MAIL FROM:<a@example.com>").code in (503, 530)
        assert client.command(f"AUTH PLAIN {'A' * 8}") == 503


def test_no_second_starttls(gatepost):
    with Client(gatepost.port) as client:
        client.ehlo()
        client.starttls()
        assert client.command("STARTTLS") == 503


def test_handshake_has_a_deadline(make_gatepost, make_sink):
    gate = make_gatepost(make_sink().port, {"tls": {"handshake_timeout": "500ms"}})
    with socket.create_connection(("127.0.0.1", gate.tls_port), 10) as silent, Client(gate.port) as half:
        half.ehlo()
        assert half.command("STARTTLS") == 220
        start = time.monotonic()
        assert silent.recv(100) == b""
        assert half.at_end()
        assert time.monotonic() - start < 5


def test_quit_ends_with_close_notify_and_a_drop_is_not_an_error(gatepost):
    with Client(gatepost.tls_port, implicit_tls=True) as client:
        client.ehlo()
        assert client.command("QUIT") == 221
        assert client.socket.recv(100) == b"", "without close_notify this would be ssl.SSLEOFError"
    Client(gatepost.tls_port, implicit_tls=True).socket.close()
    assert "level=error" not in gatepost.log and '"error"' not in gatepost.log
