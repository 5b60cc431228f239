"""What limits count in the end: messages, recipients and octets that the upstream accepted, and not one more or less."""
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import scripted_upstream as scripted
from harness.limits import ALICE, MESSAGE, begun, is_limited, limited, reset, rule, send, visit
from harness.process import wait_until


# ---- what is given back


def fault(step, action):
    def fail(gate, upstream, client):
        for _ in range(3):  # also on the connection that takes the place of a stale one
            upstream.arm(step, action)
        reply = send(client)
        upstream.disarm()
        assert reply.code >= 400 and "Rate limit" not in reply.texts[0], reply

    return fail


def lines_and_reset(*lines):
    def fail(gate, upstream, client):
        begun(client, *lines)
        assert client.command("RSET") == 250

    return fail


def gone(*lines, how=reset):
    """The client vanishes in the middle."""

    def fail(gate, upstream, client):
        aborted = gate.metric("gatepost_connections_active")
        other = begun(visit(gate, ALICE), *lines)
        if lines[-1:] == ("DATA",):
            other.send(b"Subject: half\r\n\r\nhalf")
        how(other)
        gate.wait_for_metric("gatepost_connections_active", aborted)

    return fail


def refused_sender(gate, upstream, client):
    assert send(client, sender="refused@example.com") == "550 5.1.1"


def refused_recipient(gate, upstream, client):
    assert send(client, recipients=("refused@example.com",)) == "550 5.1.1"


def refused_message(gate, upstream, client):
    assert send(client, message=b"Subject: x\r\nX-Refuse: yes\r\n\r\n") == "554 5.6.0"


def chunk_and_reset(gate, upstream, client):
    begun(client, "RCPT TO:<b@example.net>")
    client.send(b"BDAT 10\r\n0123456789")
    assert client.reply() == 250
    assert client.command("RSET") == 250


def greets_again(gate, upstream, client):
    begun(client, "RCPT TO:<b@example.net>")
    client.ehlo()


def smuggled(gate, upstream, client):
    begun(client, "RCPT TO:<b@example.net>", "DATA")
    client.send(b"Subject: x\r\n\r\na\nb\r\n.\r\n")
    assert client.reply() == "550 5.6.0"


RECIPIENT = "RCPT TO:<b@example.net>"
WAYS = {
    "4xx-to-mail": fault("mail", scripted.reply("451 4.3.0 Later")), "5xx-to-mail": refused_sender,
    "4xx-to-rcpt": fault("rcpt", scripted.reply("450 4.2.1 Later")), "5xx-to-rcpt": refused_recipient,
    "4xx-to-data": fault("data", scripted.reply("451 4.3.0 Later")), "5xx-to-data": fault("data", scripted.reply("554 5.3.0 Never")),
    "4xx-to-end": fault("end_of_data", scripted.reply("452 4.3.1 Later")), "5xx-to-end": refused_message,
    "421-to-end": fault("end_of_data", scripted.reply("421 4.3.2 Going")),
    "upstream-lost-at-mail": fault("mail", scripted.close("421 4.3.2 Going\r\n")), "upstream-lost-at-rcpt": fault("rcpt", scripted.reset()), "upstream-lost-in-body": fault("body", scripted.reset()),
    "rset-after-mail": lines_and_reset(), "rset-after-rcpt": lines_and_reset(RECIPIENT), "rset-after-chunk": chunk_and_reset, "ehlo": greets_again, "smuggling": smuggled,
    "client-lost-after-mail": gone(), "client-lost-after-rcpt": gone(RECIPIENT), "client-lost-in-data": gone(RECIPIENT, "DATA"),
    "client-quits": gone(RECIPIENT, how=lambda client: client.quit()),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_accepted_is_given_back(make_gatepost, upstream, way):
    rules = [rule(name="messages", rate="2/1h"), rule("recipients", name="recipients", rate="2/1h"), rule("bytes", name="bytes", rate="20KB/1h")]
    gate = limited(make_gatepost, upstream.port, *rules)
    with visit(gate, ALICE) as client:
        for _ in range(4):
            WAYS[way](gate, upstream, client)
        assert send(client) == 250
        WAYS[way](gate, upstream, client)
        assert send(client) == 250
        is_limited(send(client), name="messages", at_most=1800)
    assert len(upstream.accepted) == 2


def test_what_is_accepted_is_counted_although_the_client_is_gone(make_gatepost, upstream):
    gate = limited(make_gatepost, upstream.port, rule(rate="2/1h"))
    for _ in range(2):
        late = upstream.arm("end_of_data", scripted.drip(0.02))
        client = begun(visit(gate, ALICE), RECIPIENT, "DATA")
        client.send(MESSAGE + b".\r\n")
        assert late.begun.wait(5)
        reset(client)
        assert late.fired.wait(5)
    gate.wait_for_metric("gatepost_connections_active", 0)
    assert len(upstream.accepted) == 2
    with visit(gate, ALICE) as client:
        is_limited(send(client), at_most=1800)


def test_recipients_that_are_refused_are_given_back_and_the_others_not(make_gatepost, upstream):
    gate = limited(make_gatepost, upstream.port, rule("recipients", rate="5/1h"))
    with visit(gate, ALICE) as client:
        begun(client, RECIPIENT, "RCPT TO:<c@example.net>")
        for _ in range(9):
            assert client.command("RCPT TO:<refused@example.net>") == "550 5.1.1"
        assert client.data(MESSAGE) == 250
        begun(client, *[RECIPIENT] * 3)
        is_limited(client.command(RECIPIENT), at_most=720)
        assert client.data(MESSAGE) == 250
    assert [len(message.recipients) for message in upstream.accepted] == [2, 3]


# ---- octets


def text(size):
    head = b"Subject: of a size\r\n\r\n"
    lines = (b"y" * 62 + b"\r\n") * (size // 64 + 1)
    return head + lines[: size - len(head) - 2] + b"\r\n"


def deliver(client, size, how, declared):
    begun_with = client.command("MAIL FROM:<a@example.com>" + (f" SIZE={declared}" if declared else ""))
    if begun_with != 250:
        return begun_with
    assert client.command(RECIPIENT) == 250
    octets = text(size)
    if how == "data":
        return client.data(octets)
    half = len(octets) // 2
    if how == "chunks":
        client.send(b"BDAT %d\r\n" % half + octets[:half])
        first = client.reply()
        if first != 250:
            assert client.command("RSET") == 250
            return first
        octets = octets[half:]
    client.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
    return client.reply()


@pytest.mark.parametrize("how", ["data", "bdat", "chunks"])
@pytest.mark.parametrize("declares", [True, False], ids=["size", "no-size"])
def test_octets_are_counted_with_and_without_size(make_gatepost, upstream, how, declares):
    gate = limited(make_gatepost, upstream.port, rule("bytes", rate="30000/1h"))
    with visit(gate, ALICE) as client:
        for _ in range(2):
            assert deliver(client, 10000, how, 10000 if declares else None) == 250
        is_limited(deliver(client, 11000, how, 11000 if declares else None))
        assert deliver(client, 8000, how, 8000 if declares else None) == 250, "what was refused is not counted"
        is_limited(deliver(client, 4000, how, 4000 if declares else None))
    assert len(upstream.accepted) == len(upstream.complete) == 3
    assert not upstream.violations


@pytest.mark.parametrize("how", ["data", "bdat", "chunks"])
def test_surplus_of_size_is_given_back(make_gatepost, upstream, how):
    gate = limited(make_gatepost, upstream.port, rule("bytes", rate="30000/1h"))
    with visit(gate, ALICE) as client:
        for _ in range(10):
            assert deliver(client, 1000, how, 16000) == 250
        with visit(gate, ALICE) as other:
            begun(other)  # holds one octet
            assert client.command("MAIL FROM:<a@example.com> SIZE=14000") == 250
            is_limited(other_mail(gate, 8000))


def other_mail(gate, size):
    with visit(gate, ALICE) as client:
        return client.command(f"MAIL FROM:<a@example.com> SIZE={size}")


def test_a_size_too_small_is_found_out(make_gatepost, upstream):
    gate = limited(make_gatepost, upstream.port, rule("bytes", rate="10000/1h"))
    with visit(gate, ALICE) as client:
        assert deliver(client, 6000, "data", 10) == 250
        is_limited(deliver(client, 6000, "data", 10))
        reply = deliver(client, 60000, "data", 10)
        assert reply == "552 5.3.4" and 'Rate limit "tested" never allows so much' in reply.texts[0]
        assert deliver(client, 3000, "data", 10) == 250
    assert [len(message.data) // 1000 for message in upstream.accepted] in ([6, 3], [6, 2])


@pytest.mark.parametrize("how", ["data", "bdat", "chunks"])
def test_octets_too_many_for_now_wait_before_the_end_of_data(make_gatepost, upstream, how):
    gate = limited(make_gatepost, upstream.port, rule("bytes", action="delay", rate="20000/1s"))
    with visit(gate, ALICE) as client:
        assert deliver(client, 15000, how, None) == 250
        began = time.monotonic()
        assert deliver(client, 15000, how, None) == 250
        assert 0.3 < time.monotonic() - began < 4
        other = begun(visit(gate, ALICE), RECIPIENT, "DATA")
        other.send(text(20000) + b".\r\n")  # waits, and is gone
        reset(other)
        gate.wait_for_metric("gatepost_connections_active", 1)
        assert deliver(client, 10000, how, None) == 250
    assert [len(message.data) // 5000 for message in upstream.complete] == [3, 3, 2]
    assert not upstream.violations


def test_pipelined_commands_wait_behind_the_one_that_waits(make_gatepost, upstream):
    gate = limited(make_gatepost, upstream.port, rule(name="m", action="delay", rate="1/500ms"), rule("recipients", name="r", action="delay", rate="2/500ms"))
    with visit(gate, ALICE) as client:
        began = time.monotonic()
        for _ in range(3):
            client.send(f"MAIL FROM:<a@example.com>\r\n{RECIPIENT}\r\n{RECIPIENT}\r\nDATA\r\n")
            assert [client.reply().code for _ in range(4)] == [250, 250, 250, 354]
            client.send(MESSAGE + b".\r\nNOOP\r\n")
            assert [client.reply().code for _ in range(2)] == [250, 250]
        assert 0.8 < time.monotonic() - began < 6
    assert len(upstream.accepted) == 3 and not upstream.violations


# ---- side by side


@pytest.mark.parametrize("per", ["user", "all", "sender_domain", "recipient_domain"])
def test_side_by_side_exactly_the_burst_is_accepted(make_gatepost, upstream, per):
    gate = limited(make_gatepost, upstream.port, rule(per=per, rate="60/1d"), changes={"workers": 2})

    def run(number):
        with visit(gate, ALICE) as client:
            replies = []
            for turn in range(12):
                if number % 3 == 0 and turn % 3 == 0:
                    send(client, recipients=("refused@example.com",))
                replies.append(send(client))
            return replies

    with ThreadPoolExecutor(12) as pool:
        replies = [reply for some in pool.map(run, range(12)) for reply in some]
    assert sum(reply == 250 for reply in replies) == len(upstream.accepted)
    # Who asks while another's message is about to be refused may be deferred for it; but what is left can be had, at once or in a moment:
    # while two are under way, what wears off counts for one of them.
    with visit(gate, ALICE) as client:
        assert wait_until(lambda: (reply := send(client)) != 250 and is_limited(reply, at_most=1440) > 60, 20)
    assert len(upstream.accepted) == 60
    refused = [reply for reply in replies if reply != 250]
    assert all(re.fullmatch(r'4.7.1 Rate limit "tested": try again in \d+ s', reply.texts[0]) for reply in refused)
    assert not upstream.violations
