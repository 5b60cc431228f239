"""Clients that are broken or hostile: bounded memory, a right reply or a closed connection, and everybody else unaffected."""
import random
import socket
import threading
import time

import pytest
from harness.client import Client, Closed
from harness.process import sanitized, wait_until

CHANGES = {"session": {"max_errors": 10}}


@pytest.fixture(autouse=True)
def everybody_else_is_unaffected(gatepost, sink):
    before = len(sink.messages())
    with Client(gatepost.plain_port) as bystander:
        bystander.ehlo()
        yield
        start = time.monotonic()
        assert bystander.mail(b"Subject: bystander\r\n\r\n") == 250
        assert time.monotonic() - start < 2
    assert len(sink.messages()) >= before + 1
    assert gatepost.alive()
    gatepost.wait_for_metric("gatepost_connections_active", 0)


@pytest.mark.parametrize("size", [2049, 12289, 100_000])
def test_over_long_commands(gatepost, size):
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        for verb in ("NOOP ", "MAIL FROM:<", "EHLO ", ""):
            assert client.command(verb + "x" * (size - len(verb))) == "500 5.5.2"
        assert client.command("NOOP") == 250
        assert client.command("NOOP " + "x" * 2000) == 250


def test_the_longest_line_that_may_be_in_two_pieces(make_gatepost, sink):
    gate = make_gatepost(sink.port, changes={"session": {"max_line_length": 65536}})
    with Client(gate.plain_port) as client:
        client.ehlo()
        client.send(b"NOOP " + b"x" * 65000)
        time.sleep(0.2)
        client.send(b"\r\n")
        assert client.reply() == 250


def test_a_line_that_never_ends(gatepost):
    before = gatepost.memory()
    with Client(gatepost.plain_port) as client:
        try:
            for _ in range(300):
                client.send(b"x" * 65536)
        except OSError:
            pass
        assert gatepost.memory() - before < (8 << 20) * (8 if sanitized() else 1)


@pytest.mark.parametrize("seed", range(8))
def test_binary_noise(gatepost, seed):
    noise = random.Random(seed).randbytes(20_000)
    with Client(gatepost.plain_port, greeting=False) as client:
        try:
            client.send(noise)
            client.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        client.at_end()


@pytest.mark.parametrize("seed", range(4))
def test_binary_noise_to_tls(gatepost, seed):
    for first in (b"", b"\x16\x03\x01\x02\x00\x01"):
        with socket.create_connection(("127.0.0.1", gatepost.tls_port), 10) as peer:
            try:
                peer.sendall(first + random.Random(seed).randbytes(5000))
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(1000):
                    pass
            except OSError:
                pass


def test_endless_pipelining_without_reading(gatepost):
    before = gatepost.memory()
    with Client(gatepost.plain_port, timeout=2) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.ehlo()
        sent = 0
        try:
            for _ in range(400):
                client.send(b"NOOP\r\n" * 10_000)
                sent += 60_000
        except OSError:
            pass  # it stopped reading: that is the right answer
        assert gatepost.memory() - before < (16 << 20) * (8 if sanitized() else 1), sent


def test_pipelined_thousands_are_all_answered(gatepost):
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        threading.Thread(target=lambda: client.send(b"NOOP\r\n" * 50_000)).start()
        for _ in range(50_000):
            assert client.reply() == 250


def test_trickled_octets(gatepost, sink):
    before = len(sink.messages())
    with Client(gatepost.plain_port) as client:
        for line in ("EHLO trickle.example", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA", "Subject: trickled\r\n\r\n.."):
            for octet in line + "\r\n":
                client.send(octet)
            if not line.startswith("Subject"):
                assert client.reply().code in (250, 354)
        for octet in ".\r\n":
            time.sleep(0.01)
            client.send(octet)
        assert client.reply() == 250
    assert sink.wait_for(before + 1)[-1].endswith(b"Subject: trickled\r\n\r\n.\r\n")


@pytest.mark.parametrize("name", [b"a b", b"x\x01y", b"\x7f", b"", b"\xff\xfe\r"[:2] + b"\x00"])
def test_absurd_ehlo_names_are_501(gatepost, name):
    with Client(gatepost.plain_port) as client:
        assert client.command(b"EHLO " + name).code in (500, 501)
        client.ehlo()


@pytest.mark.parametrize("name", ["x" * 1900, "[127.0.0.1]", "[IPv6:::1]", "-", "under_score", "localhost"])
def test_odd_ehlo_names_are_taken_and_written_safely(gatepost, sink, name):
    before = len(sink.messages())
    with Client(gatepost.plain_port) as client:
        assert client.command(f"EHLO {name}") == 250
        assert client.mail(b"Subject: odd\r\n\r\n") == 250
    assert max(map(len, sink.wait_for(before + 1)[-1].split(b"\r\n"))) <= 998


def test_log_injection_is_not_possible(gatepost):
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        client.command(b"MAIL FROM:<a\x1b[31m@example.com>")
        client.command("MAIL FROM:<\"a b=c level=error\"@example.com>")
        client.command("RSET")
    assert "\x1b" not in gatepost.log


def test_max_errors_is_421(gatepost):
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        codes = []
        try:
            for _ in range(20):
                codes.append(client.command("FROB").code)
        except (Closed, ConnectionError):
            pass
        assert codes[-1] == 421 and 9 <= codes.count(500) <= 10 and len(codes) == codes.count(500) + 1


def test_idle_client_is_told_and_closed(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"session": {"command_timeout": "500ms"}})
    with Client(gate.plain_port) as client:
        client.ehlo()
        assert client.reply() == "421 4.4.2"
        assert client.at_end()


def test_trickling_a_command_does_not_prolong_its_deadline(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"session": {"command_timeout": "700ms"}})
    with Client(gate.plain_port) as client:
        client.ehlo()
        start = time.monotonic()
        try:
            while time.monotonic() - start < 6:
                client.send("x")
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - start < 4


def test_data_that_stops_is_timed_out(make_gatepost, make_sink):
    sink = make_sink()
    gate = make_gatepost(sink.port, {"session": {"data_timeout": "500ms"}})
    with Client(gate.plain_port) as client:
        client.ehlo()
        client.commands("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA")
        client.send("Subject: half\r\n\r\n")
        assert client.reply() == "421 4.4.2"
        assert client.at_end()
    assert sink.messages() == []


def test_hundreds_that_connect_and_vanish(gatepost):
    for number in range(300):
        peer = socket.create_connection(("127.0.0.1", gatepost.tls_port if number % 2 else gatepost.plain_port), 5)
        if number % 3 == 0:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
        peer.close()
    assert wait_until(lambda: gatepost.metric("gatepost_connections_active") <= 1)


def test_too_many_recipients(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"session": {"max_recipients": 5}})
    with Client(gate.plain_port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@example.com>")
        codes = [client.command(f"RCPT TO:<r{n}@example.net>").code for n in range(7)]
        assert codes == [250] * 5 + [452] * 2
        assert client.data(b"Subject: five\r\n\r\n") == 250


@pytest.mark.parametrize("line, code", [
    ("MAIL FROM: <a@example.com>", 250), ("mail from:<a@example.com>", 250), ("MAIL FROM:<a@example.com> ", 250), ("MAIL FROM:<>", 250), ("MAIL FROM:<a@example.com", 501),
    ("MAIL TO:<a@example.com>", 501), ("MAIL FROM:<a@example.com> SIZE=x", 501), ("MAIL FROM:<a@example.com> FROB=1", 555), ("MAIL FROM:<a@example.com> AUTH=<>", 250),
    ("MAIL FROM:<a@example.com> AUTH=+ZZ", 501), ("MAIL", 501),
])  # fmt: skip
def test_mail_as_it_is_written_in_the_field(gatepost, line, code):
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        assert client.command(line).code == code
