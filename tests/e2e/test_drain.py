"""How the process ends: SIGTERM under load loses nothing, doubles nothing and resets nobody; and what it does with those who do not come to an end."""
import asyncio
import contextlib
import http.client
import json
import signal
import socket
import ssl
import threading
import time

import pytest
from harness import scripted_upstream as scripted
from harness.client import Client
from harness.gatepost import command
from harness.ledger import Ledger
from harness.load import Door, Load
from harness.process import wait_until
from harness.proxy_header import proxy_v1

ALICE, BOB = ("alice@example.com", "correct horse battery"), ("bob@example.com", "pa:ss\\wörd")
CUT = "gatepost_drain_transactions_cut_total"
ENVELOPE = ("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>")


def drain(delay="0s", timeout="20s", **more):
    return {"drain": {"delay": delay, "timeout": timeout}, **more}


def term(gate):
    gate.process.send_signal(signal.SIGTERM)


def ended(gate, seconds=20):
    """It has, as it must; what its log says of the drain."""
    assert gate.process.wait(seconds) == 0, gate.log[-3000:]
    gate.assert_no_sanitizer_report()
    gate.assert_no_secret()
    return [line.split(" ", 2)[2] for line in gate.log.splitlines() if line.split(" ")[2].startswith("drain")]


def slow(seconds):
    async def run(connection, usual):
        await asyncio.sleep(seconds)
        connection.say(usual)

    return scripted.Action(run, takes_effect=True)


def is_told_and_not_reset(client, *before):
    """It hears `before`, 421, and the end."""
    for code in before:
        assert client.reply() == code
    assert client.reply() == "421 4.3.2"
    assert client.socket.recv(1) == b"", "the end"


def in_data(gate, octets="Subject: half\r\n\r\nthe first half\r\n"):
    client = Client(gate.plain_port)
    client.ehlo()
    assert [reply.code for reply in client.commands(*ENVELOPE, "DATA")] == [250, 250, 354]
    client.send(octets)
    return client


class Scraper:
    """Reads the metrics until nobody answers; `cut` is what it saw last."""

    def __init__(self, gate):
        self.gate, self.cut = gate, None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                self.cut = self.gate.metric(CUT)
                time.sleep(0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load(make_gatepost, upstream, workers):
    upstream.chaos = lambda step, connection: scripted.Fault(step, slow(0.2)) if step in ("end_of_data", "mail") and connection.number % 2 else None
    gate = make_gatepost(upstream.port, drain(delay="3s", workers=workers))
    ledger = Ledger()
    doors = [Door(gate.plain_port), Door(gate.port, "starttls", *ALICE), Door(gate.tls_port, "implicit", *BOB)]
    load = Load(doors, ledger, 120, pause=0.5)
    load.wait_for(150)
    idle = [Client(gate.plain_port) for _ in range(20)]
    in_auth = [Client(gate.tls_port, implicit_tls=True) for _ in range(5)]
    for client in in_auth:
        client.ehlo()
        assert client.command("AUTH LOGIN") == 334
    half = [in_data(gate) for _ in range(10)]
    begun = [Client(gate.plain_port) for _ in range(5)]
    for client in begun:
        client.ehlo()
        assert client.command(ENVELOPE[0]) == 250

    scraper = Scraper(gate)
    load.may_leave = True
    term(gate)
    assert wait_until(lambda: gate.admin("/readyz") == (503, "draining\n"), 2)
    assert gate.admin("/livez")[0] == 200, "who drains is not to be killed"
    assert gate.metric("gatepost_draining") == 1 and gate.metric("gatepost_ready") == 0
    with Client(gate.plain_port) as late:  # still accepting
        late.ehlo()
        assert late.mail(b"Subject: late\r\n\r\n") == 250
    load.check()
    assert load.seen["told 421"] == 0, "sessions end after drain.delay only"

    for client in (*idle, *in_auth):
        is_told_and_not_reset(client)
    with pytest.raises(ConnectionRefusedError):
        Client(gate.plain_port)
    time.sleep(0.3)
    for client in half:
        client.send("and the second\r\n.\r\n")
        is_told_and_not_reset(client, 250)
    for client in begun:
        client.send("RCPT TO:<b@example.net>\r\nDATA\r\n")
        assert [client.reply().code for _ in range(2)] == [250, 354]
        client.send("Subject: begun before\r\n\r\n.\r\n")
        is_told_and_not_reset(client, 250)
    load.join()
    for client in (*idle, *in_auth, *half, *begun):
        client.socket.close()
    said = ended(gate, 10)
    assert load.seen["told 421"] >= 60, load.seen
    ledger.assert_agrees(upstream_of(upstream, ledger))
    ledger.assert_unmixed(upstream_of(upstream, ledger))
    assert scraper.cut == 0
    assert said[0].startswith("drain trigger=signal signal=SIGTERM sessions=") and said[-1].startswith("drained sessions=0 "), said


def upstream_of(upstream, ledger):
    """Without what no ledger knows: the messages that the test sent by hand."""
    for name in ("accepted", "complete"):
        setattr(upstream, name, [message for message in getattr(upstream, name) if message.id in ledger.attempts])
    return upstream


@pytest.mark.parametrize("workers", [1, 2])
def test_who_waits_to_be_accepted_is_told_not_reset(make_gatepost, upstream, workers):
    gate = make_gatepost(upstream.port, drain(workers=workers))
    gate.process.send_signal(signal.SIGSTOP)
    try:
        waiting = [Client(gate.plain_port, greeting=False) for _ in range(40)]
        secured = [Client(gate.tls_port, greeting=False) for _ in range(5)]
        tls = [socket.create_connection(("127.0.0.1", gate.tls_port)) for _ in range(5)]
        for client in tls:
            client.settimeout(15)
            client.sendall(b"\x16\x03\x01\x00\x05hello")
        term(gate)
    finally:
        gate.process.send_signal(signal.SIGCONT)
    for client in waiting:
        is_told_and_not_reset(client, 220)
        client.socket.close()
    for client in secured:
        client.wrap()
        is_told_and_not_reset(client)
        client.socket.close()
    for client in tls:
        while client.recv(100):  # an alert may come first; a reset would raise
            pass
        client.close()
    ended(gate)


def test_a_command_that_crosses_421_does_not_reset(make_gatepost, upstream):
    gate = make_gatepost(upstream.port, drain())
    clients = [Client(gate.plain_port), Client(gate.tls_port, implicit_tls=True)]
    term(gate)
    gate.wait_for_log("reason=drain")
    for command in ("EHLO client.example\r\n", "NOOP\r\n"):  # after a reset, the second would fail before 421 is read
        for client in clients:
            client.send(command)
        time.sleep(0.1)
    for client in clients:
        is_told_and_not_reset(client)
        client.socket.close()
    ended(gate, 5)


class HalfAHandshake:
    """A client that says hello, and reads no answer before end() is called: from then on it is a socket for Client."""

    def __init__(self, client):
        self.socket, self.answers, self.said = client.socket, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client.context.wrap_bio(self.answers, self.said, server_hostname=client.server_name)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.socket.sendall(self.said.read())
        self.close = self.socket.close

    def _until(self, act):
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                octets = self.socket.recv(65536)
                self.answers.write(octets) if octets else self.answers.write_eof()
            finally:
                self.socket.sendall(self.said.read())

    def end(self):
        self._until(self.tls.do_handshake)

    def recv(self, size):
        with contextlib.suppress(ssl.SSLZeroReturnError):
            return self._until(lambda: self.tls.read(size))
        return b""


def says_nothing(client):
    return client.wrap


def says_hello(client):
    client.socket = HalfAHandshake(client)
    return client.socket.end


def handshaker(gate, mode):
    """A client whose turn it is to say hello."""
    if mode == "implicit":
        return Client(gate.tls_port, greeting=False)
    client = Client(gate.port)
    client.ehlo()
    assert client.command("STARTTLS") == 220
    return client


@pytest.mark.parametrize("begin", [says_nothing, says_hello])
@pytest.mark.parametrize("mode", ["implicit", "starttls"])
def test_who_is_in_a_handshake_ends_it_and_is_told(make_gatepost, upstream, mode, begin):
    gate = make_gatepost(upstream.port, drain())
    with handshaker(gate, mode) as client:
        shake_hands = begin(client)
        term(gate)
        gate.wait_for_log("no new sessions")
        time.sleep(0.3)
        shake_hands()
        is_told_and_not_reset(client)
    assert ended(gate, 5)[-1].startswith("drained sessions=0 ")


@pytest.mark.parametrize("handshake, timeout, cut", [("1s", "20s", 0), ("15s", "1s", 3)], ids=["handshake_timeout", "drain.timeout"])
def test_a_handshake_that_does_not_end_keeps_the_process_for_its_time_only(make_gatepost, upstream, short_folder, handshake, timeout, cut):
    silent = {"tls": {"handshake_timeout": handshake}, "admin": {"socket": str(short_folder / "admin.sock")}, "listeners": {"internal": {"proxy_protocol_from": ["127.0.0.1/32"]}}}
    gate = make_gatepost(upstream.port, drain(timeout=timeout, **silent))
    with handshaker(gate, "implicit"), handshaker(gate, "starttls") as hello, Client(gate.plain_port, greeting=False):
        says_hello(hello)
        began = time.monotonic()
        assert command("drain", "--wait", "--config", gate.config_path).returncode == 0
        assert 0.5 < time.monotonic() - began < 5
        assert ended(gate, 5)[-1].startswith(f"drained sessions={cut} "), gate.log
    assert gate.log.count(" reason=tls_timeout") == (0 if cut else 2), gate.log


def test_whose_proxy_header_comes_late_is_told(make_gatepost, upstream):
    balanced = {"proxy_protocol_from": ["127.0.0.1/32"]}
    gate = make_gatepost(upstream.port, drain(listeners={"submissions": balanced, "internal": balanced}))
    with Client(gate.plain_port, greeting=False) as plain, Client(gate.tls_port, greeting=False) as tls:
        term(gate)
        gate.wait_for_log("no new sessions")
        time.sleep(0.3)
        for client in (plain, tls):
            client.send(proxy_v1("192.0.2.7"))
        is_told_and_not_reset(plain, 220)
        tls.wrap()
        is_told_and_not_reset(tls)
    ended(gate, 5)


def test_when_the_time_is_over_the_rest_is_cut_and_counted(make_gatepost, upstream):
    gate = make_gatepost(upstream.port, drain(timeout="500ms"))
    upstream.arm("end_of_data", slow(2.5))
    waiting, stalled = in_data(gate), in_data(gate)
    waiting.send(".\r\n")
    assert wait_until(lambda: upstream.complete)
    upstream.arm("mail", scripted.black_hole())
    with Client(gate.plain_port) as hung, Client(gate.plain_port) as idle:
        for client in (hung, idle):
            client.ehlo()
        hung.send(ENVELOPE[0] + "\r\n")
        assert wait_until(lambda: upstream.faults[-1].begun.is_set())
        term(gate)
        is_told_and_not_reset(idle)
        assert hung.at_end() and stalled.at_end(), "nothing that could be taken for an answer"
        gate.wait_for_metric(CUT, 2)
        is_told_and_not_reset(waiting, 250)
        said = ended(gate)
    assert said[-1].startswith("drained sessions=2 "), said
    assert sum("drain.timeout is over" in line for line in said) == 1, said
    assert len(upstream.accepted) == 1 and not upstream.violations


def test_an_answer_that_never_comes_ends_with_the_reply_timeout(make_gatepost, upstream):
    gate = make_gatepost(upstream.port, drain(timeout="200ms", upstreams=[{"name": "default", "servers": [f"127.0.0.1:{upstream.port}"], "reply_timeout": "1s"}]))
    upstream.arm("end_of_data", scripted.black_hole())
    client = in_data(gate)
    client.send(".\r\n")
    assert wait_until(lambda: upstream.complete)
    term(gate)
    assert client.reply().code == 451
    client.socket.close()
    assert ended(gate, 5)[-1].startswith("drained sessions=0 ")


def test_a_reload_during_a_drain_changes_nothing_and_is_no_fault(make_gatepost, upstream):
    gate = make_gatepost(upstream.port, drain(delay="3s"))
    client = in_data(gate)
    term(gate)
    assert wait_until(lambda: gate.admin("/readyz")[0] == 503, 5)
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_for_log("signal=SIGHUP what=draining")
    assert json.loads(gate.admin("/status.json")[1])["configuration"].get("last_error", "") == ""
    client.send(".\r\n")
    assert client.reply().code == 250
    client.socket.close()
    ended(gate)
    assert " reload" not in gate.log


@pytest.mark.parametrize("delay", ["0s", "20s"])
def test_a_second_signal_ends_all_at_once(make_gatepost, upstream, delay):
    gate = make_gatepost(upstream.port, drain(delay=delay))
    clients = [in_data(gate) for _ in range(3)]
    idle = Client(gate.plain_port)
    idle.ehlo()
    term(gate)
    assert wait_until(lambda: gate.admin("/readyz")[0] == 503, 5)
    if delay == "0s":
        is_told_and_not_reset(idle)
    idle.socket.close()
    began = time.monotonic()
    gate.process.send_signal(signal.SIGINT)
    for client in clients:
        assert client.at_end()
        client.socket.close()
    said = ended(gate, 5)
    assert time.monotonic() - began < 3
    assert said[-1].startswith("drained sessions=3 "), said
    assert not upstream.accepted and not upstream.violations, "half a message is none"


def test_a_signal_behind_the_end_does_not_kill(make_gatepost, upstream):
    """The kubelet's SIGTERM, when preStop has drained: what has ended well is not to look like a crash."""
    gate = make_gatepost(upstream.port, drain())
    term(gate)
    assert wait_until(lambda: " stop reason=" in gate.log, step=0)
    while gate.alive():
        term(gate)
    ended(gate)
