"""The log: one event a session and one a message, in each format, and the session id that clients are told."""
import base64
import contextlib
import time

import pytest

from harness.client import Client, Closed, plain
from harness.gatepost import USERS
from harness.log_lines import FORMATS, events, read
from harness.process import wait_until
from harness.scripted_upstream import reply

USER = "alice@example.com"
SESSION = {"session", "listener", "client_ip", "client_port", "helo", "tls", "cipher", "resumed", "user", "mechanism", "backend", "source", "messages", "commands",
           "errors", "received", "sent", "duration", "time_tls", "time_auth", "time_messages", "reason"}  # fmt: skip
MESSAGE = {"session", "listener", "client_ip", "tls", "user", "mechanism", "backend", "message", "from", "recipients", "recipients_refused", "size", "upstream", "endpoint",
           "result", "origin", "code", "reply", "duration", "time_wait", "time_envelope", "time_data", "time_answer"}  # fmt: skip
NUMBERS = {"client_port", "messages", "commands", "errors", "received", "sent", "message", "recipients", "recipients_refused", "size", "code"}
SECONDS = {field for field in SESSION | MESSAGE if field.startswith("time_")} | {"duration"}
PHASES = ["time_wait", "time_envelope", "time_data", "time_answer"]
HOSTILE = ['x" client_ip=192.0.2.1', "x client_ip=192.0.2.1", 'x","client_ip":"192.0.2.1', "x\r\n2026-01-01T00:00:00.000Z info auth_failed session=a-0-1 listener=s client_ip=192.0.2.1",
           "\\", "x\\", '"', "=", "x\x1b[2J", "2001:db8::1", "\u0085\u2028", "jürgen"]  # fmt: skip


def logs(make_gatepost, upstream_port, form, **changes):
    return make_gatepost(upstream_port, {"log": {"format": form}, "auth": {"failure_delay": "10ms", "max_attempts": 1000}, "session": {"max_errors": 1000}, **changes})


def one(gate, form, event, **fields):
    found = wait_until(lambda: events(gate, form, event, **fields), 5)
    assert found and len(found) == 1, (event, fields, gate.log[-3000:])
    return found[0]


@pytest.mark.parametrize("form", FORMATS)
def test_a_session_and_a_message_are_one_line_each(make_gatepost, sink, form):
    gate = logs(make_gatepost, sink.port, form)
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        assert client.mail(b"Subject: x\r\n\r\n", sender=USER, recipients=("a@example.net", "b@example.net")) == 250
        client.quit()
    session, message = one(gate, form, "session"), one(gate, form, "message")
    about = {"time", "level", "event"}
    assert set(session) - about == SESSION and set(message) - about == MESSAGE
    assert session["session"] == message["session"] and session["level"] == "info"
    assert {key: session[key] for key in ("client_ip", "helo", "tls", "user", "mechanism", "backend", "source", "reason")} == {
        "client_ip": "127.0.0.1", "helo": "client.example", "tls": "TLSv1.3", "user": USER, "mechanism": "PLAIN", "backend": "local", "source": "store", "reason": "quit"}  # fmt: skip
    assert {key: message[key] for key in ("tls", "user", "mechanism", "backend", "from", "upstream", "endpoint", "result", "origin")} == {
        "tls": "TLSv1.3", "user": USER, "mechanism": "PLAIN", "backend": "local", "from": USER, "upstream": "default", "endpoint": f"127.0.0.1:{sink.port}", "result": "accepted",
        "origin": "upstream"}  # fmt: skip
    assert int(message["recipients"]) == 2 and int(message["code"]) == 250 and int(session["messages"]) == 1
    if form == "json":
        for line, fields in ((session, SESSION), (message, MESSAGE)):
            for field in fields:
                kind = bool if field == "resumed" else int if field in NUMBERS else float if field in SECONDS else str
                assert type(line[field]) is kind, (field, line[field])
    gate.stop()
    for line in gate.log.splitlines():
        read(line, form)


def test_the_phases_say_whose_fault_a_slow_message_is(make_gatepost, make_sink):
    slow = make_sink("--slow", "EOD=400", "--slow", "RCPT=300", "--slow", "CONNECT=200")
    gate = logs(make_gatepost, slow.port, "json")
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        assert client.commands(f"MAIL FROM:<{USER}>", "RCPT TO:<a@example.net>", "DATA")[-1] == 354
        client.send(b"Subject: x\r\n")
        time.sleep(0.5)
        client.send(b"\r\n.\r\n")
        assert client.reply() == 250
        client.quit()
    message, session = one(gate, "json", "message"), one(gate, "json", "session")
    wait, envelope, data, answer = (message[phase] for phase in PHASES)
    assert wait >= 0.19 and envelope >= 0.29 and data >= 0.49 and answer >= 0.39, message
    assert abs(sum(message[phase] for phase in PHASES) - message["duration"]) < 0.005, "they are all of it"
    assert max(wait, envelope, data, answer) < 1 and session["time_messages"] == message["duration"] <= session["duration"]
    assert 0 < session["time_tls"] < 1


def test_the_phases_of_chunks(make_gatepost, make_sink):
    slow = make_sink("--slow", "EOD=400")
    gate = logs(make_gatepost, slow.port, "json")
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        assert client.commands(f"MAIL FROM:<{USER}>", "RCPT TO:<a@example.net>")[-1] == 250
        client.send(b"BDAT 12 LAST\r\nSubject")
        time.sleep(0.3)
        client.send(b": x\r\n")
        assert client.reply() == 250
    message = one(gate, "json", "message")
    assert message["time_data"] >= 0.29 and message["time_answer"] >= 0.3 and message["time_wait"] + message["time_envelope"] < 0.4, message


def test_auth_that_fails_takes_its_time_in_the_session(make_gatepost, sink):
    gate = logs(make_gatepost, sink.port, "json", auth={"failure_delay": "300ms"})
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        assert client.command(f"AUTH PLAIN {plain(USER, 'wrong')}") == 535
    assert 0.29 <= one(gate, "json", "session")["time_auth"] < 2


def test_refusals_of_our_own_name_the_session_of_the_log(make_gatepost, upstream):
    gate = logs(make_gatepost, upstream.port, "json")
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        own = [client.command(line) for line in ("NONSENSE", "MAIL FROM:<a@example.com>", "AUTH FOO", f"AUTH PLAIN {plain(USER, 'wrong')}")]
        client.login(USER, USERS[USER])
        own += [client.command("RCPT TO:<a@example.net>"), client.command("MAIL FROM:<")]
        fine = client.commands("NOOP", f"MAIL FROM:<{USER}>", "RCPT TO:<a@example.net>")
        of_upstream = client.command("RCPT TO:<refused@example.net>")
        client.quit()
    assert [reply.code for reply in own] == [500, 530, 504, 535, 503, 501] and of_upstream == 550
    assert {reply.session for reply in own} == {one(gate, "json", "session")["session"]}
    assert {reply.session for reply in fine} == {None} and of_upstream.session is None
    assert all(len(repr(reply)) + len(reply.session) + 5 <= 512 for reply in own)


def test_recipients_that_are_all_refused_are_what_became_of_the_message(make_gatepost, upstream):
    gate = logs(make_gatepost, upstream.port, "json")

    def ended(*commands, first="450 4.2.0 Greylisted"):
        """What is told of a message whose first recipient is refused like this."""
        before = len(events(gate, "json", "message"))
        upstream.arm("rcpt", reply(first))
        with Client(gate.plain_port) as client:
            client.ehlo()
            assert client.command("MAIL FROM:<a@example.com>") == 250
            assert client.command("RCPT TO:<b@example.net>") == int(first[:3])
            for command in commands:
                client.command(command)
        assert wait_until(lambda: len(events(gate, "json", "message")) > before, 5)
        told = events(gate, "json", "message")[-1]
        return " ".join(str(told.get(field)) for field in ("result", "origin", "code", "reply"))

    greylisted = "tempfail upstream 450 4.2.0 Greylisted"
    assert ended("RSET") == ended("QUIT") == ended() == ended("DATA", "QUIT") == greylisted
    assert ended("RCPT TO:<refused@example.net>", "DATA", "RSET") == greylisted
    assert ended("RSET", first="550 5.1.1 Nobody") == "permfail upstream 550 5.1.1 Nobody"
    assert gate.metric("gatepost_messages_total", result="tempfail", origin="upstream") == 5
    assert gate.metric("gatepost_messages_total", result="permfail", origin="upstream") == 1
    assert gate.metric("gatepost_messages_total", result="aborted") == 0
    assert ended("RCPT TO:<c@example.net>", "RSET").startswith("aborted client 0")
    assert not upstream.violations


def test_who_is_turned_away_has_no_session(make_gatepost, sink):
    gate = logs(make_gatepost, sink.port, "text", listeners={"submission": {"max_connections": 1}})
    with Client(gate.port), contextlib.suppress(Closed):
        with Client(gate.port) as second:
            assert second.greeting == "421 4.3.2" and second.greeting.session is None


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_client_says_never_looks_like_gateposts_words(make_gatepost, sink, form):
    gate = logs(make_gatepost, sink.port, form)
    for name in HOSTILE:
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            assert client.command(f"AUTH PLAIN {plain(name, 'wrong')}") in (535, 501)
    assert wait_until(lambda: len(events(gate, form, "session")) == len(HOSTILE), 5), gate.log
    failed = events(gate, form, "auth_failed")
    lines = [line for line in gate.log.splitlines() if "192.0.2.1" in line or "auth_failed" in line]
    assert {line["client_ip"] for line in failed} == {"127.0.0.1"} and len(failed) >= 8
    assert all(line.count('"client_ip":"' if form == "json" else " client_ip=") == 1 for line in lines)
    assert {line.get("user") for line in failed} >= {'x" client_ip=192.0.2.1', 'x","client_ip":"192.0.2.1', "x\\", '"', "=", "jürgen"}


def test_json_is_utf8_whatever_is_sent(make_gatepost, sink):
    gate = logs(make_gatepost, sink.port, "json")
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.command(b"AUTH PLAIN " + base64.b64encode(b"\0\xff\xfe\xc3\0wrong"))
        client.command(b"MAIL FROM:<\xff@example.com>")
    gate.wait_for_log('"event":"session"')
    log = gate.log_path.read_bytes().decode("utf-8", errors="strict")
    assert all(read(line, "json") for line in log.splitlines())
