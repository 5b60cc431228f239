"""One listener for IPv4 and IPv6, "*:587": who comes is of his own family everywhere, however the kernel shows him."""
import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest
from harness import without_ipv6
from harness.client import Client
from harness.gatepost import USERS, Gatepost, command, merged, program
from harness.limits import ALICE, MESSAGE, rule, send
from harness.log_lines import events
from harness.process import Program, free_port, wait_until
from harness.proxy_header import proxy_v1, proxy_v2
from harness.reload import Reloads

FAMILIES = pytest.mark.parametrize("host", ["127.0.0.1", "::1"])


def connect(port, host, **more):
    return Client(port, host=host, source=host, **more)


def fetch(port, host, path):
    at = f"[{host}]" if ":" in host else host
    with urllib.request.urlopen(f"http://{at}:{port}{path}", timeout=5) as answer:
        return answer.status


@pytest.fixture(scope="module")
def gate(tmp_path_factory, tls, sink):
    folder = tmp_path_factory.mktemp("gatepost")
    changes = {"listeners": {"internal": {"trusted_networks": ["127.0.0.1/32"]}}, "admin": {"socket": str(folder / "admin.sock")}}
    server = Gatepost(folder, tls, sink.port, changes, everywhere=True)
    yield server
    server.stop()


@FAMILIES
def test_each_family_is_served_and_named_as_itself(gate, sink, host):
    before = len(sink.messages())
    with connect(gate.port, host) as client:
        client.ehlo()
        client.starttls()
        client.login(ALICE, USERS[ALICE])
        assert client.mail(MESSAGE) == 250
        session = [line for line in command("who", "--config", gate.config_path).stdout.splitlines() if f" {host} " in line]
        assert len(session) == 1 and ALICE in session[0]
        assert command("who", "--config", gate.config_path, "--ip", host).stdout.count(ALICE) == 1
    assert host.encode() in sink.wait_for(before + 1)[-1].split(b"\r\n\r\n")[0]
    assert wait_until(lambda: events(gate, "text", "session", client_ip=host))
    assert "::ffff" not in gate.log and b"::ffff" not in b"".join(sink.messages())


def test_the_log_says_both_families(gate):
    wanted = [f"*:{port}" for port in (gate.port, gate.tls_port, gate.plain_port)]
    assert wait_until(lambda: [line["address"] for line in events(gate, "text", "listener")] == wanted), gate.log
    assert wait_until(lambda: [line["address"] for line in events(gate, "text", "admin")][:1] == [f"*:{gate.admin_port}"]), gate.log


@FAMILIES
def test_implicit_tls_of_each_family(gate, host):
    with connect(gate.tls_port, host, implicit_tls=True) as client:
        client.ehlo()
        client.login(ALICE, USERS[ALICE])


def test_a_network_of_ipv4_is_trusted_and_ipv6_is_not(gate):
    with connect(gate.plain_port, "127.0.0.1") as trusted, connect(gate.plain_port, "::1") as stranger:
        for client in (trusted, stranger):
            client.ehlo()
        assert trusted.mail(MESSAGE) == 250
        assert stranger.command(f"MAIL FROM:<{ALICE}>") == 530


@FAMILIES
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/status"])
def test_probes_of_each_family(gate, host, path):
    assert fetch(gate.admin_port, host, path) == 200


def test_status_finds_an_admin_address_that_is_every_address(gate, tmp_path):
    config = tmp_path / "gatepost.yaml"
    config.write_text(json.dumps({**gate.config, "admin": {"address": f"*:{gate.admin_port}"}}))
    for done in (command("status", "--config", config), command("status", "--admin", f"*:{gate.admin_port}")):
        assert done.returncode == 0 and "submissions" in done.stdout, done.stderr


def test_proxy_is_believed_by_the_network_of_ipv4(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"listeners": {"submission": {"proxy_protocol_from": ["127.0.0.1/32"]}}}, everywhere=True)
    for client_ip, header in (("192.0.2.7", proxy_v2("192.0.2.7")), ("2001:db8::7", proxy_v1("2001:db8::7", "2001:db8::1"))):
        with connect(gate.port, "127.0.0.1", first=header) as client:
            client.ehlo()
        assert wait_until(lambda: f"client_ip={client_ip}" in gate.log), gate.log
    with connect(gate.port, "::1") as client:  # is no balancer, and speaks for himself
        client.ehlo()
    with pytest.raises(TimeoutError), Client(gate.port, timeout=1):  # is one, and says nothing
        pass


def test_limits_count_and_trust_by_the_network_of_ipv4(make_gatepost, sink):
    """A network is a /24 or a /64: all of IPv4 would be one network if it were counted as IPv6. Only whom the listener trusts is counted."""
    per_network = rule(per="network", rate="2/1h", when={"trusted": True})
    gate = make_gatepost(sink.port, {"limits": [per_network], "listeners": {"internal": {"trusted_networks": ["127.0.0.0/16"]}}}, everywhere=True)
    heard = []
    for source in ("127.0.7.5", "127.0.7.6", "127.0.7.7", "127.0.8.5"):
        with Client(gate.plain_port, source=source) as client:
            client.ehlo()
            heard.append(send(client).code)
    assert heard == [250, 250, 451, 250]


class HeaderOfProxy:
    """An upstream that keeps the PROXY line of each connection and takes what comes behind."""

    def __init__(self):
        self.lines = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.socket.accept()[0],), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(ConnectionError), connection, connection.makefile("rwb", buffering=0) as stream:
            self.lines.append(stream.readline())
            stream.write(b"220 mta.example\r\n")
            while line := stream.readline():
                stream.write(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 ok\r\n")


@FAMILIES
def test_the_upstream_hears_both_addresses_in_their_family(make_gatepost, host):
    upstream = HeaderOfProxy()
    trusted = {"internal": {"trusted_networks": ["127.0.0.1/32", "::1/128"]}}
    gate = make_gatepost(upstream.port, {"upstreams": [{"name": "default", "servers": [f"127.0.0.1:{upstream.port}"], "identity": "proxy_v1"}], "listeners": trusted}, everywhere=True)
    with connect(gate.plain_port, host) as client:
        client.ehlo()
        assert client.command(f"MAIL FROM:<{ALICE}>") == 250
        own = client.socket.getsockname()[1]
    family = "TCP6" if ":" in host else "TCP4"
    assert f"PROXY {family} {host} {host} {own} {gate.plain_port}\r\n".encode() in upstream.lines, upstream.lines


def test_a_port_cannot_go_to_one_family_by_a_reload_and_nothing_changes(gate):
    before = gate.config["listeners"]
    reloads = Reloads(gate)
    with connect(gate.port, "::1") as old:
        old.ehlo()
        for host in ("0.0.0.0", "[::]", "127.0.0.1"):
            other = [{**before[0], "address": f"{host}:{gate.port}"}, *before[1:]]
            assert f"{host}:{gate.port}: Address already in use" in reloads.failed_hup(listeners=other)
        for host in ("127.0.0.1", "::1"):
            connect(gate.port, host).socket.close()
        assert old.command("NOOP") == 250
        renamed = [{**before[0], "max_connections": 77}, *before[1:]]
        reloads.hup(listeners=renamed)
        for host in ("127.0.0.1", "::1"):
            connect(gate.port, host).socket.close()
        assert old.command("NOOP") == 250
    reloads.hup(listeners=before)


def test_check_says_that_one_address_takes_the_other(gate, tmp_path):
    config = merged(gate.config, {})
    config["listeners"] = [*config["listeners"], {"name": "four", "address": f"0.0.0.0:{gate.port}", "tls": "none"}]
    (tmp_path / "gatepost.yaml").write_text(json.dumps(config))
    done = command("check", "--config", tmp_path / "gatepost.yaml")
    assert done.returncode == 1 and f"listeners[3].address: 0.0.0.0:{gate.port} is taken by listeners[0] (*:{gate.port})" in done.stdout + done.stderr


def test_where_the_kernel_knows_no_ipv6_those_of_ipv4_are_served(make_gatepost, sink):
    gate = make_gatepost(sink.port, everywhere=True, wrapper=without_ipv6.UNKNOWN_TO_THE_KERNEL)
    gate.wait_for_log(f"address=0.0.0.0:{gate.port}")
    with connect(gate.port, "127.0.0.1") as client:
        client.ehlo()
    assert fetch(gate.admin_port, "127.0.0.1", "/readyz") == 200
    with pytest.raises(ConnectionRefusedError):
        connect(gate.port, "::1")


def test_where_ipv6_is_switched_off_those_of_ipv4_are_served(gate, tmp_path):
    port, admin = free_port(), free_port()
    config = merged(gate.config, {"admin": {"address": f"*:{admin}", "socket": ""}})
    config["listeners"] = [{"name": "submission", "address": f"*:{port}"}]
    path = tmp_path / "gatepost.yaml"
    path.write_text(json.dumps(config))
    server = Program(tmp_path, "switched-off", [*without_ipv6.SWITCHED_OFF, program(), "serve", "--config", path])
    ask = f"import socket, urllib.request as u; print(socket.create_connection(('127.0.0.1', {port}), 5).recv(99), u.urlopen('http://127.0.0.1:{admin}/livez').status)"
    try:
        server.wait_for_log(f":{admin}")
        inside = ["nsenter", "--net", f"--target={server.pid}"]
        done = wait_until(lambda: (told := subprocess.run([*inside, sys.executable, "-c", ask], capture_output=True, text=True)).returncode == 0 and told)
        assert done and re.match(r"b'220 .* 200\n", done.stdout), server.log
        assert subprocess.run([*inside, "ip", "-6", "address"], capture_output=True).stdout == b"", "there is IPv6"
    finally:
        assert server.terminate() == 0, server.log
