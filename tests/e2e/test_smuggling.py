"""The smuggling matrix: every mix of CR, LF and dot, at every split, where an end of data could be. At the upstream there is exactly
what clients were told was accepted, octet for octet, and no bare CR or LF ever reached it."""
import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.client import Client, Closed
from harness.sink import without_received

MIXES = [bytes(mix) for length in range(1, 6) for mix in itertools.product(b"\r\n.", repeat=length)]
BEFORE = b"Subject: %s\r\n\r\nfirst"
INSIDE = b"MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nSubject: smuggled %s\r\n\r\nsecond"
END = b"\r\n.\r\n"
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def expected(mark, mix):
    """What a strict server takes: [message] or [message, message], from the rule that only CRLF.CRLF ends data."""
    stream = BEFORE % mark + mix + INSIDE % mark + END
    first, rest = stream.split(END, 1)
    taken = [] if BARE.search(first + b"\r\n") else [unstuffed(first + b"\r\n")]
    if rest:  # a pipelined second transaction, as legal as any
        match = re.match(rb"MAIL FROM:<smuggled@evil\.example>\r\nRCPT TO:<victim@example\.net>\r\nDATA\r\n(.*)\r\n\.\r\n\Z", rest, re.S)
        if match:
            taken.append(unstuffed(match.group(1) + b"\r\n"))
    return taken


def unstuffed(text):
    return re.sub(rb"(^|\r\n)\.", rb"\1", text)


def conversation(port, pieces):
    """Sends the pieces as data of one transaction; returns how many messages the client was told were accepted."""
    with Client(port, timeout=20) as client:
        client.ehlo()
        client.commands("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>")
        assert client.command("DATA") == 354
        told, after_data = 0, True
        try:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(0.002)  # so that the pieces are read apart
                client.send(piece)
            client.send(b"QUIT\r\n")
            while (reply := client.reply()) != 221:
                told += after_data and reply.code == 250
                after_data = reply == 354
        except (Closed, ConnectionError):
            pass
        return told


def run_all(gatepost, sink, cases):
    """cases: [(mark, mix, pieces)]"""
    before = len(sink.messages())
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda case: conversation(gatepost.plain_port, case[2]), cases))
    wanted = {case[0]: expected(case[0], case[1]) for case in cases}
    for case, count in zip(cases, told):
        assert count == len(wanted[case[0]]), f"{case}: the client was told of {count} messages, a strict server takes {len(wanted[case[0]])}"
    arrived = {}
    for message in sink.wait_for(before + sum(told))[before:]:
        _, message = without_received(message)
        arrived.setdefault(re.match(rb"Subject: (?:smuggled )?(\S+)", message).group(1), []).append(message)
    for mark, messages in wanted.items():
        assert arrived.get(mark, []) == messages, mark


CHANGES = {"session": {"max_errors": 100}}


def test_every_mix_in_one_piece(gatepost, sink):
    run_all(gatepost, sink, [(b"w%d" % n, mix, [BEFORE % b"w%d" % n + mix + INSIDE % b"w%d" % n + END]) for n, mix in enumerate(MIXES)])


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_every_mix_at_every_split(gatepost, sink, length):
    cases = []
    for mix in (mix for mix in MIXES if len(mix) == length):
        for split in range(length + 1):
            mark = b"s%d-%d" % (length, len(cases))
            cases.append((mark, mix, [BEFORE % mark + mix[:split], mix[split:] + INSIDE % mark + END]))
    run_all(gatepost, sink, cases)


def test_real_end_mark_octet_by_octet(gatepost, sink):
    mark = b"octets"
    whole = BEFORE % mark + END
    run_all(gatepost, sink, [])
    before = len(sink.messages())
    assert conversation(gatepost.plain_port, [bytes([octet]) for octet in whole]) == 1
    assert without_received(sink.wait_for(before + 1)[-1])[1] == BEFORE % mark + b"\r\n"


def test_no_bare_newline_reaches_the_upstream(make_gatepost, make_sink, tmp_path):
    wire = tmp_path / "wire"
    sink = make_sink("--wire", wire)
    gate = make_gatepost(sink.port)
    for mix in (b"\n", b"\r", b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\r\n.\r\n", b"\r\n.\r\r\n"):
        conversation(gate.plain_port, [BEFORE % b"bare" + mix + INSIDE % b"bare" + END])
    assert not BARE.search(wire.read_bytes())


def test_refusal_is_550_5_6_0_and_the_session_goes_on(gatepost, sink):
    before = len(sink.messages())
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        client.commands("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA")
        client.send(b"Subject: bare\r\n\r\na\nb" + END)
        assert client.reply() == "550 5.6.0"
        assert client.mail(b"Subject: next\r\n\r\n") == 250
    assert without_received(sink.wait_for(before + 1)[-1])[1] == b"Subject: next\r\n\r\n"


@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"MAIL FROM:<a@example.com>\nRCPT TO:<b@example.net>\r\n"])
def test_bare_newline_in_a_command_is_500_and_the_end(gatepost, line):
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        client.send(line)
        assert client.reply() == 500
        assert client.at_end()


@pytest.mark.parametrize("line", ["MAIL FROM:<a@example.com>\0", "RCPT TO:<b\0@example.net>", "NO\0OP"])
def test_nul_in_a_command(gatepost, line):
    with Client(gatepost.plain_port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@example.com>") if line.startswith("RCPT") else None
        assert client.command(line).code in (500, 501)
        assert client.command("NOOP") == 250
