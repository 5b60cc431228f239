"""What an upstream does wrong: each becomes a proper 4xx for the client, and the next session is not hurt by it."""
import time

import pytest
from harness import scripted_upstream as scripted
from harness.client import Client
from harness.process import free_port, wait_until
from harness.scripted_upstream import ScriptedUpstream
from harness.sink import without_received

FAST = {"connect_timeout": "1s", "reply_timeout": "700ms"}


def changes(port, **more):
    return {"upstreams": [{"name": "default", "servers": [f"127.0.0.1:{port}"], **FAST, "health": {"interval": "200ms", "timeout": "500ms"}, **more}]}


def replies(client):
    """The replies to MAIL, RCPT, DATA and end of data, as far as it gets."""
    said = []
    for line in ("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA"):
        said.append(client.command(line))
        if said[-1].code >= 400:
            return said
    client.send("Subject: fault\r\n\r\ntext\r\n.\r\n")
    return [*said, client.reply()]


def outcome(gate, session=None):
    with Client(gate.plain_port) as client:
        client.ehlo()
        return replies(client)[-1]


@pytest.mark.parametrize("options, expected", [
    (["--reply", "CONNECT=421 4.3.2 Not now"], 451),
    (["--reply", "CONNECT=554 5.3.2 No"], 451),
    (["--garbage", "CONNECT"], 451),
    (["--drop-at", "CONNECT"], 451),
    (["--endless", "EHLO"], 451),
    (["--garbage", "MAIL"], 451),
    (["--drop-at", "MAIL"], 451),
    (["--slow", "MAIL=5000"], 451),
    (["--reply", "MAIL=421 4.3.2 Bye"], 451),
    (["--endless", "RCPT"], 451),
    (["--reset-at", "RCPT"], 451),
    (["--drop-at", "DATA"], 451),
    (["--reply", "DATA=250 2.0.0 What"], 451),
    (["--reply", "EOD=354 Again"], 451),
    (["--reply", "EOD=999 Nonsense"], 451),
    (["--reply", "EOD=25 Nonsense"], 451),
    (["--reply", "EOD=250-2.0.0 One\\r\\n550 Two"], 451),
    (["--garbage", "EOD"], 451),
    (["--drop-at", "EOD"], 451),
    (["--slow", "EOD=5000"], 451),
    (["--reply", "EOD=421 4.3.2 Bye"], 451),
    (["--reply", "MAIL=451 4.7.1 Greylisted"], "451 4.7.1"),
    (["--reply", "RCPT=550 5.1.1 No such user"], "550 5.1.1"),
    (["--reply", "RCPT=452 4.2.2 Full"], "452 4.2.2"),
    (["--reply", "DATA=554 5.7.1 Not from you"], "554 5.7.1"),
    (["--reply", "EOD=552 5.3.4 Too big for me"], "552 5.3.4"),
    (["--reply", "EOD=452 4.3.1 No space"], "452 4.3.1"),
])  # fmt: skip
def test_each_fault_is_one_proper_reply(make_gatepost, make_sink, options, expected):
    sink = make_sink(*options)
    gate = make_gatepost(sink.port, changes(sink.port), ready=False)
    start = time.monotonic()
    reply = outcome(gate)
    assert reply == expected, reply
    assert time.monotonic() - start < 4
    assert sink.messages() == [] or "EOD" in options[-1]
    with Client(gate.plain_port) as client:  # the program is not hurt
        client.ehlo()
        assert client.command("NOOP") == 250
        client.quit()
    gate.wait_for_metric("gatepost_connections_active", 0)


def test_the_upstreams_text_reaches_the_client_with_all_its_lines(make_gatepost, make_sink):
    sink = make_sink("--reply", "RCPT=550-5.1.1 No such user\\r\\n550 5.1.1 See https://example.net/help")
    with Client(make_gatepost(sink.port).plain_port) as client:
        client.ehlo()
        assert replies(client)[-1].lines == ["550-5.1.1 No such user", "550 5.1.1 See https://example.net/help"]


def test_refused_and_back_again(make_gatepost, make_sink):
    port = free_port()
    gate = make_gatepost(port, changes(port), ready=False)
    assert outcome(gate) == 451
    make_sink(port=port)
    assert wait_until(lambda: outcome(gate) == 250, 10, 0.2)


def test_second_server_takes_over(make_gatepost, make_sink):
    sink = make_sink()
    gate = make_gatepost([f"127.0.0.1:{free_port()}", f"127.0.0.1:{sink.port}"])
    assert [outcome(gate).code for _ in range(6)] == [250] * 6
    assert len(sink.messages()) == 6


def test_one_that_hangs_behind_its_greeting_is_passed_over_too(make_gatepost):
    hangs, stands_in = ScriptedUpstream(), ScriptedUpstream()
    servers = [f"127.0.0.1:{server.port}" for server in (hangs, stands_in)]
    settings = {"servers": servers, "balance": "first_healthy", "pool": {"max_idle": 0}, "connect_timeout": "3s", "health": {"interval": "1h", "timeout": "1s"}}
    gate = make_gatepost(servers, changes(hangs.port, **settings))
    gate.wait_for_metric("gatepost_upstream_up", 2)
    hangs.arm("ehlo", scripted.black_hole())
    assert outcome(gate) == 250
    assert len(stands_in.accepted) == 1
    for server in (hangs, stands_in):
        server.stop()


def test_gone_in_the_middle_of_data(make_gatepost, make_sink):
    sink = make_sink("--drop-in-data", "100000")
    gate = make_gatepost(sink.port)
    with Client(gate.plain_port) as client:
        client.ehlo()
        assert client.mail((b"z" * 998 + b"\r\n") * 2000) == 451
        assert client.command("NOOP") == 250
    assert sink.messages() == []


@pytest.mark.parametrize("options", [
    ["--helo-only"], ["--no-chunking"], ["--no-pipelining"], ["--no-chunking", "--no-pipelining", "--no-8bitmime", "--no-smtputf8", "--no-dsn", "--no-enhancedstatuscodes"], ["--size", "0"],
])  # fmt: skip
def test_poor_upstreams_work_and_are_offered_honestly(make_gatepost, make_sink, options):
    sink = make_sink(*options)
    gate = make_gatepost(sink.port)
    message = b"Subject: poor\r\n\r\n.dot\r\n" + b"p" * 3000 + b"\r\n"
    with Client(gate.plain_port) as client:
        offered = client.ehlo()
        assert "PIPELINING" in offered
        for keyword, option in (("8BITMIME", "--no-8bitmime"), ("SMTPUTF8", "--no-smtputf8"), ("DSN", "--no-dsn")):
            assert (keyword in offered) == (option not in options and "--helo-only" not in options), keyword
        client.send("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n")
        assert [client.reply().code for _ in range(4)] == [250, 250, 250, 354]
        client.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert client.reply() == 250
        assert client.command("MAIL FROM:<a@example.com>") == 250
        assert client.command("RCPT TO:<b@example.net>") == 250
        client.send(b"BDAT %d LAST\r\n" % len(message) + message)
        assert client.reply() == 250
    assert [without_received(arrived)[1] for arrived in sink.wait_for(2)] == [message, message]


def test_size_limit_of_the_upstream_is_offered(make_gatepost, make_sink):
    gate = make_gatepost(make_sink("--size", "70000").port)
    with Client(gate.plain_port) as client:
        assert int(client.ehlo()["SIZE"]) <= 70000


def test_dsn_passes_through_untouched(make_gatepost, make_sink):
    sink = make_sink("--wire", "wire")
    gate = make_gatepost(sink.port)
    with Client(gate.plain_port) as client:
        client.ehlo()
        assert client.command("MAIL FROM:<a@example.com> RET=HDRS ENVID=124567") == 250
        assert client.command("RCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;user@example.com") == 250
        assert client.data(b"Subject: dsn\r\n\r\n") == 250
    wire = (sink.folder / "wire").read_bytes()
    assert b"RET=HDRS" in wire and b"ENVID=124567" in wire and b"NOTIFY=SUCCESS,DELAY" in wire and b"ORCPT=rfc822;user@example.com" in wire


def test_truth_the_client_waits_for_the_upstreams_own_answer(make_gatepost, make_sink):
    gate = make_gatepost(make_sink("--slow", "EOD=600").port)
    with Client(gate.plain_port) as client:
        client.ehlo()
        start = time.monotonic()
        assert client.mail(b"Subject: slow\r\n\r\n") == 250
        assert time.monotonic() - start > 0.55


def test_slow_upstream_pushes_back_and_memory_stays_small(make_gatepost, make_sink):
    sink = make_sink("--read-rate", "20000000")
    gate = make_gatepost(sink.port, {"session": {"max_message_size": "100MiB"}})
    before = gate.memory()
    message = (b"m" * 998 + b"\r\n") * 30000
    with Client(gate.plain_port, timeout=60) as client:
        client.ehlo()
        assert client.mail(message) == 250
        assert gate.memory() - before < 16 << 20
    assert without_received(sink.wait_for(1)[0])[1] == message
