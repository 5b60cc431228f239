"""Mail transactions over the real program: what arrives is what was sent, with one Received field in front (D1-D5, D7)."""
import random

import pytest
from harness.client import Client
from harness.gatepost import USERS
from harness.sink import without_received

USER = "alice@example.com"


@pytest.fixture
def client(gatepost):
    with Client(gatepost.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        yield client


def arrived(sink, before, count=1):
    return [without_received(message) for message in sink.wait_for(before + count)[before:]]


def test_every_octet_passes(client, sink):
    before = len(sink.messages())
    octets = bytes(octet for octet in range(256) if octet not in (10, 13))
    message = b"Subject: octets\r\n\r\n" + octets * 8 + b"\r\n.\x00\r\n" + b"z" * 5000 + b"\r\n"
    assert client.mail(message, parameters=" BODY=8BITMIME") == 250
    ((field, rest),) = arrived(sink, before)
    assert rest == message
    assert b"with ESMTPSA" in field


def test_several_messages_on_one_session_and_several_recipients(client, sink):
    before = len(sink.messages())
    for number in range(5):
        assert client.mail(f"Subject: {number}\r\n\r\n{number}\r\n".encode(), recipients=("a@example.net", "b@example.net")) == 250
    client.quit()
    assert [rest for _, rest in arrived(sink, before, 5)] == [f"Subject: {number}\r\n\r\n{number}\r\n".encode() for number in range(5)]


def test_end_mark_in_every_split(client, sink):
    before = len(sink.messages())
    for split in range(1, 8):
        text = f"Subject: {split}\r\n\r\nlast".encode() + b"\r\n.\r\n"
        client.commands(f"MAIL FROM:<{USER}>", "RCPT TO:<b@example.net>", "DATA")
        at = len(text) - split
        client.send(text[:at])
        client.send(text[at:])
        assert client.reply() == 250
    assert [rest for _, rest in arrived(sink, before, 7)] == [f"Subject: {split}\r\n\r\nlast\r\n".encode() for split in range(1, 8)]


def test_a_message_of_many_megabytes(client, sink):
    before = len(sink.messages())
    noise = random.Random(1).randbytes(3 << 20).hex().encode()
    message = b"Subject: big\r\n\r\n" + b"\r\n".join(noise[at : at + 76] for at in range(0, len(noise), 76)) + b"\r\n"
    assert client.mail(message) == 250
    ((_, rest),) = arrived(sink, before)
    assert rest == message


def test_chunks(client, sink):
    before = len(sink.messages())
    message = b"Subject: chunks\r\n\r\n.\r\n.dot\r\n" + bytes(range(32, 127)) * 50 + b"\r\n"
    client.commands(f"MAIL FROM:<{USER}>", "RCPT TO:<b@example.net>")
    half = len(message) // 2
    client.send(b"BDAT %d\r\n" % half + message[:half])
    assert client.reply() == 250
    client.send(b"BDAT %d LAST\r\n" % (len(message) - half) + message[half:])
    assert client.reply() == 250
    ((_, rest),) = arrived(sink, before)
    assert rest == message


def test_pipelined_transaction_is_answered_in_order(client, sink):
    before = len(sink.messages())
    client.send(f"MAIL FROM:<{USER}>\r\nRCPT TO:<a@example.net>\r\nRCPT TO:<not an address\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
    assert [client.reply().code for _ in range(5)] == [250, 250, 501, 250, 354]
    client.send("Subject: pipelined\r\n\r\n.\r\nNOOP\r\nQUIT\r\n")
    assert [client.reply().code for _ in range(3)] == [250, 250, 221]
    ((_, rest),) = arrived(sink, before)
    assert rest == b"Subject: pipelined\r\n\r\n"
    assert [line.split("<")[1].split(">")[0] for line in sink.envelopes()[-1]["rcpt"]] == ["a@example.net", "b@example.net"]


def test_message_cut_off_by_the_client_never_arrives(gatepost, sink):
    before = len(sink.messages())
    with Client(gatepost.tls_port, implicit_tls=True) as cut:
        cut.ehlo()
        cut.login(USER, USERS[USER])
        cut.commands(f"MAIL FROM:<{USER}>", "RCPT TO:<b@example.net>", "DATA")
        cut.send(b"Subject: cut\r\n\r\nhalf a message\r\n")
    with Client(gatepost.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        assert client.mail(b"Subject: whole\r\n\r\n") == 250
    assert [rest for _, rest in arrived(sink, before)] == [b"Subject: whole\r\n\r\n"]


def test_size_is_refused_before_data_and_while_streaming(make_gatepost, make_sink):
    gate = make_gatepost(make_sink().port, {"session": {"max_message_size": "64KiB"}})
    with Client(gate.plain_port) as client:
        assert client.ehlo()["SIZE"] == "65536"
        assert client.command(f"MAIL FROM:<{USER}> SIZE=65537") == "552 5.3.4"
        assert client.mail(b"x" * 990 + b"\r\n" * 3) == 250
        assert client.mail((b"y" * 998 + b"\r\n") * 80) == "552 5.3.4"
        assert client.mail(b"Subject: after\r\n\r\n") == 250


def test_other_verbs(client):
    assert client.command("VRFY root").code == 252
    assert client.command("EXPN staff").code == 502
    assert client.command("ETRN example.com").code // 100 == 5
    assert client.command("TURN").code // 100 == 5
    assert client.command("HELP").code == 214
    assert client.command("NOOP anything").code == 250
    assert client.command("FROB").code == 500
    assert client.command(f"MAIL FROM:<{USER}>").code == 250
    assert client.command("RSET").code == 250
    assert client.command("RCPT TO:<b@example.net>").code == 503
    client.quit()


def test_helo_client_gets_one_line_and_no_auth(gatepost):
    with Client(gatepost.plain_port) as client:
        reply = client.command("HELO old.example")
        assert reply == 250 and len(reply.lines) == 1
        assert client.mail(b"Subject: old\r\n\r\n") == 250
