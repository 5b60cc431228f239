"""PROXY v1 and v2 in front of the session: from the networks that must speak it, exactly once, and never from others."""
import socket
import struct

import pytest
from harness.client import Client, Closed
from harness.gatepost import USERS, Gatepost

USER = "alice@example.com"
V2 = b"\r\n\r\n\0\r\nQUIT\n"
V1_GOOD = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 587\r\n"


def v2(command=0x21, family=0x11, addresses=None, extra=b""):
    addresses = struct.pack("!4s4sHH", socket.inet_aton("192.0.2.8"), socket.inet_aton("198.51.100.1"), 56324, 587) if addresses is None else addresses
    return V2 + struct.pack("!BBH", command, family, len(addresses) + len(extra)) + addresses + extra


V2_IPV6 = v2(family=0x21, addresses=struct.pack("!16s16sHH", socket.inet_pton(socket.AF_INET6, "2001:db8::9"), socket.inet_pton(socket.AF_INET6, "2001:db8::1"), 5, 6))


@pytest.fixture(scope="module")
def gate(tmp_path_factory, tls, sink):
    # 127.0.0.1 is the balancer; 127.0.0.2 is a stranger.
    balanced = {"proxy_protocol_from": ["127.0.0.1/32"]}
    trusting = {"require_tls": False, "trusted_networks": ["192.0.2.0/24", "2001:db8::/32", "127.0.0.2/32"]}
    server = Gatepost(tmp_path_factory.mktemp("gatepost"), tls, sink.port, {"listeners": {"submission": {**balanced, **trusting}, "submissions": balanced}})
    yield server
    server.stop()


@pytest.mark.parametrize("header, address", [
    (V1_GOOD, b"192.0.2.7"), (v2(), b"192.0.2.8"), (V2_IPV6, b"2001:db8::9"), (v2(extra=b"\x04\0\5hello"), b"192.0.2.8"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", b"2001:db8::7"),
], ids=["v1", "v2", "v2-ipv6", "v2-tlv", "v1-ipv6"])  # fmt: skip
def test_good_header_names_the_client(gate, sink, header, address):
    before = len(sink.messages())
    with Client(gate.port, first=header) as client:
        client.ehlo()
        assert client.mail(b"Subject: proxied\r\n\r\n") == 250  # trusted_networks holds for the named client
    assert address in sink.wait_for(before + 1)[-1].split(b"\r\n\r\n")[0]


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(command=0x20, family=0, addresses=b"")], ids=["v1-unknown", "v2-local"])
def test_a_balancer_that_speaks_for_itself_is_greeted(gate, header):
    with Client(gate.port, first=header) as client:
        client.ehlo()


@pytest.mark.parametrize("header", [V1_GOOD, v2(), V2_IPV6], ids=["v1", "v2", "v2-ipv6"])
def test_header_octet_by_octet(gate, header):
    with Client(gate.port, greeting=False) as client:
        for octet in header:
            client.send(bytes([octet]))
        assert client.reply() == 220


@pytest.mark.parametrize("header", [V1_GOOD, v2()], ids=["v1", "v2"])
def test_commands_in_the_segment_of_the_header_are_answered(gate, header):
    with Client(gate.port, first=header + b"NOOP\r\n") as client:
        assert client.reply() == 250


@pytest.mark.parametrize("header", [V1_GOOD, v2()], ids=["v1", "v2"])
def test_header_before_implicit_tls_does_not_eat_the_client_hello(gate, header):
    with Client(gate.tls_port, implicit_tls=True, first=header) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        assert client.mail(b"Subject: proxied tls\r\n\r\n") == 250
        client.quit()


@pytest.mark.parametrize("header", [
    b"EHLO client.example\r\n", b"PROXY TCP4 192.0.2.7\r\n", b"PROXY TCP4 999.0.2.7 198.51.100.1 1 2\r\n", b"PROXY TCP4 192.0.2.7 198.51.100.1 70000 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n", b"PROXY " + b"x" * 200, b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", V2[:8] + b"XXXX" + b"\0" * 20, v2(command=0x31),
    v2(command=0x2F), v2(addresses=b"\1\2"),
])  # fmt: skip
def test_malformed_header_is_a_closed_connection_and_a_fact(gate, header):
    before = gate.metric("gatepost_proxy_protocol_headers_total")
    with Client(gate.port, greeting=False, first=header) as client:
        with pytest.raises(Closed):
            client.reply()
    gate.wait_for_metric("gatepost_proxy_protocol_headers_total", before + 1)


def test_malformed_says_nothing(gate):
    with socket.create_connection(("127.0.0.1", gate.port), 10) as peer:
        peer.sendall(b"EHLO client.example\r\n")
        octets = b""
        try:
            while more := peer.recv(1000):
                octets += more
        except ConnectionError:
            pass
        assert octets == b""


def test_strangers_are_connected_directly_and_not_believed(gate, sink):
    before = len(sink.messages())
    with Client(gate.port, source="127.0.0.2") as client:
        client.ehlo()
        assert client.mail(b"Subject: direct\r\n\r\n") == 250
    assert b"127.0.0.2" in sink.wait_for(before + 1)[-1]
    with Client(gate.port, source="127.0.0.2", first=V1_GOOD) as client:
        assert client.reply() == 500


def test_a_balancer_that_says_nothing_is_timed_out(make_gatepost, make_sink):
    changes = {"listeners": {"submission": {"proxy_protocol_from": ["127.0.0.1/32"]}}, "tls": {"handshake_timeout": "500ms"}, "session": {"command_timeout": "500ms"}}
    gate = make_gatepost(make_sink().port, changes)
    with socket.create_connection(("127.0.0.1", gate.port), 10) as silent:
        assert silent.recv(100) == b""


@pytest.mark.parametrize("action, told", [("reject", 554), ("close", None)])
def test_connections_of_implicit_tls_are_counted_by_the_address_in_the_header(make_gatepost, sink, action, told):
    limit = {"name": "connections", "count": "connections", "per": "ip", "rate": "1/1h", "action": action}
    gate = make_gatepost(sink.port, {"listeners": {"submissions": {"proxy_protocol_from": ["127.0.0.0/8"]}}, "limits": [limit]})
    with Client(gate.tls_port, implicit_tls=True, first=V1_GOOD) as client:
        assert client.greeting == 220
        if told:
            with Client(gate.tls_port, implicit_tls=True, first=V1_GOOD) as second:
                assert second.greeting == told
        else:
            with pytest.raises((Closed, OSError)):
                Client(gate.tls_port, implicit_tls=True, first=V1_GOOD)
        with Client(gate.tls_port, implicit_tls=True, first=v2()) as other:
            assert other.greeting == 220
