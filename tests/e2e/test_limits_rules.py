"""Rules under `limits:` as a client meets them: what each action says to each thing that is counted, and whom else it touches."""
import re
import time

import pytest
from harness.limits import ALICE, BOB, ELSEWHERE, HERE, MESSAGE, REFUSALS, attempt, connect, decided, is_closed, is_full, is_limited, limited, one, rule, send, visit
from harness.process import wait_until

WORD = {"connections": 0, "sessions": 0, "auth_attempts": 1, "auth_failures": 1, "messages": 2, "recipients": 2, "bytes": 2}  # which of REFUSALS
COUNTED = pytest.mark.parametrize("count", WORD)


class Asker:
    """Asks for one more of what is counted, and gives the reply in which a rule has a say. Keeps all connections open."""

    def __init__(self, gate, address=HERE):
        self.gate, self.address = gate, address
        self.clients = []

    def keep(self, client):
        self.clients.append(client)
        return client

    def ask(self, count):
        return getattr(self, count)()

    def connections(self):
        return self.keep(connect(self.gate, self.address)).greeting

    sessions = connections

    def auth_attempts(self, password=None):
        return attempt(self.keep(visit(self.gate, None, self.address)), ALICE, password)

    def auth_failures(self):
        return self.auth_attempts("guess")

    def messages(self):
        return self.keep(visit(self.gate, ALICE, self.address)).command("MAIL FROM:<a@example.com>")

    def bytes(self):
        return self.keep(visit(self.gate, ALICE, self.address)).command("MAIL FROM:<a@example.com> SIZE=1000")

    def recipients(self):
        if not self.clients:
            assert self.messages() == 250
        return self.clients[-1].command("RCPT TO:<bob@example.net>")

    def close(self):
        for client in self.clients:
            client.socket.close()


FINE = {"connections": 220, "sessions": 220, "auth_attempts": 235, "auth_failures": 535, "messages": 250, "recipients": 250, "bytes": 250}


def rate_of(count):
    return {"bytes": "3000/1h", "sessions": "3/1h"}.get(count, "3/1h")


@pytest.mark.parametrize("action", REFUSALS)
@COUNTED
def test_each_action_on_each_count(make_gatepost, sink, count, action):
    gate = limited(make_gatepost, sink.port, rule(count, "ip", action, rate_of(count)))
    here, elsewhere = Asker(gate), Asker(gate, ELSEWHERE)
    assert [here.ask(count) for _ in range(3)] == [FINE[count]] * 3
    for _ in range(1 if count == "recipients" and action == "close" else 2):
        (is_full if count == "sessions" else is_limited)(here.ask(count), REFUSALS[action][WORD[count]])
        last = here.clients[-1]
        if action == "close" or not WORD[count]:
            assert is_closed(last)
        else:
            assert last.command("NOOP") == 250, "the session goes on"
    assert elsewhere.ask(count) == FINE[count], "somebody else"
    if count == "recipients" and action != "close":
        assert last.data(MESSAGE) == 250, "to the three"
    assert decided(gate, "allow") >= 4
    assert decided(gate, action) == (1 if count == "recipients" and action == "close" else 2)
    if action == "close":
        assert gate.metric("gatepost_connections_closed_total", reason="rate_limit") >= 1
    for asker in (here, elsewhere):
        asker.close()


@pytest.mark.parametrize("count", [count for count in WORD if count not in ("sessions", "auth_failures")])
def test_delay_lets_wait_until_there_is_room(make_gatepost, sink, count):
    gate = limited(make_gatepost, sink.port, rule(count, "ip", "delay", "1000/1s" if count == "bytes" else "1/1s"))
    here, elsewhere = Asker(gate), Asker(gate, ELSEWHERE)
    assert here.ask(count) == FINE[count]
    began = time.monotonic()
    assert here.ask(count) == FINE[count]
    waited = time.monotonic() - began
    assert 0.3 < waited < 4, waited
    began = time.monotonic()
    assert elsewhere.ask(count) == FINE[count]
    assert time.monotonic() - began < 0.9, "nobody else waits"
    assert wait_until(lambda: decided(gate, "delay") >= 1)
    for asker in (here, elsewhere):
        asker.close()


@pytest.mark.parametrize("count", [count for count in WORD if count not in ("sessions", "auth_failures")])
def test_delay_of_more_than_a_minute_is_deferred_at_once(make_gatepost, sink, count):
    gate = limited(make_gatepost, sink.port, rule(count, "ip", "delay", rate_of(count)))
    here = Asker(gate)
    assert [here.ask(count) for _ in range(3)] == [FINE[count]] * 3
    began = time.monotonic()
    is_limited(here.ask(count), REFUSALS["defer"][WORD[count]], at_least=1000)
    assert time.monotonic() - began < 3
    here.close()


def test_a_session_too_many_waits_for_another_to_end(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule("sessions", "ip", "delay", 1))
    first = visit(gate)
    second = connect(gate, greeting=False)
    second.socket.settimeout(0.4)
    with pytest.raises(TimeoutError):
        second.reply()
    first.quit()
    second.socket.settimeout(10)
    assert second.reply() == 220
    second.socket.close()


def test_many_who_wait_all_get_their_turn(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule("messages", "user", "delay", "10/1s", burst=1))
    clients = [visit(gate, ALICE) for _ in range(8)]
    began = time.monotonic()
    for client in clients:
        client.send("MAIL FROM:<a@example.com>\r\n")
    with visit(gate, BOB) as bob:
        assert send(bob) == 250
    assert [client.reply() for client in clients] == [250] * 8
    assert 0.65 < time.monotonic() - began < 6, "one each tenth of a second"
    for client in clients:
        client.socket.close()


def test_who_leaves_while_he_waits_takes_nothing(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule("messages", "user", "delay", "1/1s"))
    assert one(gate) == 250
    for _ in range(5):
        with visit(gate, ALICE) as client:
            client.send("MAIL FROM:<a@example.com>\r\n")
    began = time.monotonic()
    assert one(gate) == 250
    assert time.monotonic() - began < 2.5


def test_an_auth_refusal_is_no_faster_than_a_wrong_password(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule("auth_failures", "ip", rate="2/1h"), changes={"auth": {"failure_delay": "400ms"}})
    here = Asker(gate)
    for expected in (535, 535, 454, 454):
        client = here.keep(visit(gate))
        began = time.monotonic()
        assert attempt(client, password="guess") == expected
        assert 0.39 <= time.monotonic() - began < 2
    is_limited(here.auth_attempts(), "454 4.7.0", at_most=1800)  # the right password, which is not looked at
    here.close()


def test_every_auth_command_is_an_attempt(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule("auth_attempts", "ip", rate="4/1h"), changes={"session": {"max_errors": 100}})
    with visit(gate) as client:
        assert client.command("AUTH PLAIN !!!!") == 501
        assert client.command("AUTH NOBODYKNOWS") == 504
        assert client.command("AUTH LOGIN") == 334
        assert client.command("*") == 501
        assert attempt(client, password="guess") == 535
        for line in ("AUTH LOGIN", "AUTH PLAIN", "AUTH LOGIN YWxpY2VAZXhhbXBsZS5jb20="):
            is_limited(client.command(line), "454 4.7.0")


def test_a_user_is_counted_wherever_he_fails(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule("auth_failures", "user", rate="2/1h"))
    for address in (HERE, ELSEWHERE):
        with visit(gate, None, address) as client:
            assert attempt(client, password="guess") == 535
    with visit(gate) as client:
        is_limited(attempt(client), "454 4.7.0", at_most=1800)
        assert attempt(client, BOB) == 235


# ---- rates


@pytest.mark.parametrize("more, most, wait", [
    ({"rate": "5/1h"}, 5, 720), ({"rate": "100/1h", "burst": 2}, 2, 36), ({"rate": "1/1d", "burst": 4}, 4, 86400), ({"rate": "2/10m"}, 2, 300),
], ids=["no-burst", "burst", "burst-of-more", "minutes"])  # fmt: skip
def test_rate_and_burst(make_gatepost, sink, more, most, wait):
    gate = limited(make_gatepost, sink.port, rule(**more))
    with visit(gate, ALICE) as client:
        assert [send(client) for _ in range(most)] == [250] * most
        seconds = is_limited(send(client), at_most=wait)
    assert seconds > wait - 15


@pytest.mark.parametrize("written, most", [("2", 2), ("2/1h", 2), ({"rate": "2/1h", "burst": 4}, 4)], ids=["number", "rate", "burst"])
def test_sessions_are_a_number_at_a_time(make_gatepost, sink, written, most):
    more = written if isinstance(written, dict) else {"rate": int(written) if written.isdigit() else written}
    gate = limited(make_gatepost, sink.port, rule("sessions", "ip", **more))
    here = Asker(gate)
    assert [here.sessions() for _ in range(most)] == [220] * most
    is_full(here.sessions(), "421 4.7.0")
    here.clients[0].quit()
    assert wait_until(lambda: here.sessions() == 220), "there is room again"
    here.close()


def test_what_never_fits_says_so(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule("bytes", rate="1KB/1h"))
    with visit(gate, ALICE) as client:
        reply = client.command("MAIL FROM:<a@example.com> SIZE=1001")
        assert repr(reply) == '552 5.3.4 Rate limit "tested" never allows so much'
        assert client.command("MAIL FROM:<a@example.com> SIZE=900") == 250


# ---- several rules


def test_all_that_match_are_asked_and_the_heaviest_is_told(make_gatepost, sink):
    rules = [rule(name="long", rate="2/1d"), rule(name="heavy", rate="2/1h", action="reject"), rule(name="short", rate="2/1m"),
             rule("recipients", "all", name="longer", rate="1/1d"), rule("recipients", "user", name="shorter", rate="1/1h")]  # fmt: skip
    gate = limited(make_gatepost, sink.port, *rules)
    with visit(gate, ALICE) as client:
        assert send(client) == 250
        is_limited(send(client), name="longer", at_least=43200, at_most=86400)
        assert client.command("MAIL FROM:<a@example.com>") == 250
        with visit(gate, ALICE) as other:
            is_limited(send(other), "550 5.7.1", name="heavy", at_most=1800)


def test_what_one_rule_refuses_no_other_counts(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule(name="everybody", per="all", rate="4/1h"), rule(rate="2/1h"))
    assert [one(gate).code for _ in range(6)] == [250, 250, 451, 451, 451, 451]
    assert [one(gate, BOB).code for _ in range(2)] == [250, 250]
    is_limited(one(gate, "carol"), name="everybody")


# ---- dry run


@COUNTED
def test_dry_run_refuses_nobody_and_counts(make_gatepost, sink, count):
    gate = limited(make_gatepost, sink.port, rule(count, "ip", "close", rate_of(count), enforce=False))
    here = Asker(gate)
    assert [here.ask(count) for _ in range(5)] == [FINE[count]] * 5
    assert decided(gate, "would_refuse") == 2
    assert decided(gate, "allow") == 3
    assert decided(gate, "close") == 0
    line = rf" limit_would_refuse session=\S+ listener=submission client_ip={HERE} .*limit=tested key=limit:tested:{HERE} retry_after=\d"
    assert wait_until(lambda: len(re.findall(line, gate.log)) == 2), gate.log[-2000:]
    here.close()


def test_dry_run_beside_a_rule_that_binds(make_gatepost, sink):
    gate = limited(make_gatepost, sink.port, rule(name="trial", rate="1/1h", action="reject", enforce=False), rule(rate="3/1h"))
    assert [one(gate) for _ in range(3)] == [250] * 3
    is_limited(one(gate))
    assert (decided(gate, "would_refuse", "trial"), decided(gate, "defer", "tested")) == (3, 1)
