"""Which upstream and which of its servers: routes, balance, failover, the DNS as it changes, the pool's limits, and from which address."""
import contextlib
import threading
import time

import pytest
from harness.client import Client, plain
from harness.dns import DnsServer
from harness.process import wait_until
from harness.scripted_upstream import ScriptedUpstream, reply

MAIL = b"Subject: choice\r\n\r\nhello\r\n"
USERS = {"ann@example.org": "word of ann", "bob@example.net": "word of bob", "zoe": "word of zoe"}


def upstream(servers, name="default", **more):
    return {"name": name, "servers": servers, "reply_timeout": "5s", "connect_timeout": "2s", "health": {"interval": "200ms", "timeout": "1s", "rise": 1, "fall": 2}, **more}


def local(*sinks):
    return [f"127.0.0.1:{sink.port}" for sink in sinks]


def send(gate, user=None, sender="alice@example.com", port=None):
    """The reply that ended one session's message."""
    with Client(port or gate.plain_port) as client:
        client.ehlo()
        if user:
            client.login(user, USERS[user])
        answer = client.mail(MAIL, sender)
        client.quit()
        return answer


def counts(*sinks):
    return [len(sink.messages()) for sink in sinks]


def up(gate, endpoint, value=1, name="default"):
    assert wait_until(lambda: gate.metric("gatepost_upstream_up", upstream=name, endpoint=endpoint) == value, 10), gate.log[-2000:]


# Routes


def test_routes_lead_by_user_sender_listener_and_record(make_sink, make_gatepost):
    default, by_user, by_sender, by_listener, by_record = sinks = [make_sink() for _ in range(5)]
    names = ["default", "users", "senders", "listeners", "records"]
    gate = make_gatepost(
        default.port,
        {
            "upstreams": [upstream(local(sink), name) for sink, name in zip(sinks, names)],
            "routes": [
                {"user": "*@example.org", "upstream": "users"},
                {"sender_domain": "*.Lists.example", "upstream": "senders"},
                {"listener": "submission", "upstream": "listeners"},
            ],
            "auth": {"plaintext_without_tls": True},
            "listeners": {"submission": {"tls": "none", "require_auth": False, "trusted_networks": ["127.0.0.0/8"]}},
        },
        users=USERS,
    )
    with gate.users_path.open("a") as users:
        users.write("rec@example.org:{PLAIN}word of rec:upstream=records\nlost:{PLAIN}word of lost:upstream=nowhere\n")
    USERS_HERE = {**USERS, "rec@example.org": "word of rec", "lost": "word of lost"}

    def told(user=None, sender="alice@example.com", port=None):
        before = counts(*sinks)
        with Client(port or gate.plain_port) as client:
            client.ehlo()
            if user:
                client.login(user, USERS_HERE[user])
            assert client.mail(MAIL, sender) == 250
            client.quit()
        after = counts(*sinks)
        return [name for name, old, new in zip(names, before, after) if new > old]

    assert told() == ["default"]
    assert told("ann@example.org") == ["users"]
    assert told("ann@example.org", "x@a.lists.example") == ["users"], "the first that matches"
    assert told("bob@example.net", "x@a.lists.example") == ["senders"]
    assert told("bob@example.net", "x@lists.example") == ["default"]
    assert told(sender="x@y.lists.example") == ["senders"], "of who is not logged in, too"
    assert told("bob@example.net", "") == ["default"], "the null sender has no domain"
    assert told(port=gate.port) == ["listeners"]
    assert wait_until(lambda: can_log_in(gate, "rec@example.org", "word of rec"), 10), "the users file is read again"
    assert told("rec@example.org") == ["records"], "what the record says goes before the routes"
    with Client(gate.plain_port) as client:
        client.ehlo()
        client.login("lost", "word of lost")
        assert client.command("MAIL FROM:<a@example.com>") == 451
    gate.wait_for_log("reason=no_route")


def can_log_in(gate, user, password):
    with Client(gate.plain_port) as client:
        client.ehlo()
        return client.command(f"AUTH PLAIN {plain(user, password)}") == 235


# Balance and failover


@pytest.mark.parametrize("balance, expected", [("round_robin", [4, 4]), ("least_connections", [4, 4]), ("first_healthy", [8, 0])])
def test_balance(balance, expected, make_sink, make_gatepost):
    first, second = make_sink(), make_sink()
    gate = make_gatepost(first.port, {"workers": 1, "upstreams": [upstream(local(first, second), balance=balance)]}, users=USERS)
    for endpoint in local(first, second):
        up(gate, endpoint)
    for _ in range(8):
        assert send(gate) == 250
    assert counts(first, second) == expected


def test_the_busy_one_is_spared(make_sink, make_gatepost):
    first, second = make_sink(), make_sink()
    gate = make_gatepost(first.port, {"workers": 1, "upstreams": [upstream(local(first, second))]}, users=USERS)
    for endpoint in local(first, second):
        up(gate, endpoint)
    with contextlib.ExitStack() as stack:
        for _ in range(2):  # one on each of them, or two on one
            client = stack.enter_context(Client(gate.plain_port))
            client.ehlo()
            assert client.command("MAIL FROM:<a@example.com>") == 250
        active = [gate.metric("gatepost_upstream_connections", upstream="default", endpoint=endpoint, state="active") for endpoint in local(first, second)]
    assert active == [1, 1]


def test_who_greets_with_421_is_passed_over(make_sink, make_gatepost):
    sick, well = ScriptedUpstream(), make_sink()
    try:
        gate = make_gatepost(well.port, {"upstreams": [upstream([f"127.0.0.1:{sick.port}", *local(well)], balance="first_healthy", health={"interval": "1h"}, pool={"max_idle": 0})]}, users=USERS)
        for endpoint in [f"127.0.0.1:{sick.port}", *local(well)]:
            up(gate, endpoint)
        for what in ("421 4.3.2 not now", "450 4.3.2 busy", "554 5.3.2 never"):
            sick.arm("greeting", reply(what))
            assert send(gate) == 250
        sick.kill()
        assert send(gate) == 250
        assert counts(well) == [4]
    finally:
        sick.stop()


# The DNS


def test_each_address_is_a_server_and_changes_are_followed(tmp_path, make_sink, make_gatepost):
    old = make_sink(host="127.0.0.21")
    new = make_sink(host="127.0.0.22", port=old.port)
    third = make_sink(host="127.0.0.23", port=old.port)
    with DnsServer(tmp_path, {"mta.test": ["127.0.0.21", "127.0.0.22"]}, ttl=1) as dns:
        gate = make_gatepost([f"mta.test:{old.port}"], {"workers": 1, "upstreams": [upstream([f"mta.test:{old.port}"], balance="round_robin")]}, users=USERS, wrapper=dns.wrapper)
        assert wait_until(lambda: gate.log.count("upstream_up") >= 2, 10), gate.log
        for _ in range(4):
            assert send(gate) == 250
        assert counts(old, new, third) == [2, 2, 0], "each address of the name is a server"

        with Client(gate.plain_port) as client:  # a transaction on each of the old ones …
            client.ehlo()
            assert client.command("MAIL FROM:<a@example.com>") == 250
            dns.names = {"mta.test": ["127.0.0.23"]}
            changed = time.monotonic()
            assert wait_until(lambda: "127.0.0.23" in gate.log, 5), gate.log[-1500:]
            assert time.monotonic() - changed < 1 + 1, "within its TTL"
            before = sum(counts(old, new))
            for _ in range(3):
                assert send(gate) == 250
            assert sum(counts(old, new)) == before, "no new session for who has vanished"
            assert client.command("RCPT TO:<b@example.net>") == 250  # … ends where it began
            assert client.data(MAIL) == 250
            assert sum(counts(old, new)) == before + 1
            client.quit()
        assert counts(third) == [3]


# The pool


def test_beyond_max_connections_sessions_wait_in_order_and_then_hear_451(make_gatepost):
    mta = ScriptedUpstream()
    try:
        gate = make_gatepost(mta.port, {"workers": 2, "upstreams": [upstream([f"127.0.0.1:{mta.port}"], pool={"max_connections": 2, "max_idle": 2, "wait_timeout": "1s"})]}, users=USERS)
        with contextlib.ExitStack() as stack:
            holders = [stack.enter_context(Client(gate.plain_port)) for _ in range(2)]
            for holder in holders:
                holder.ehlo()
                assert holder.command("MAIL FROM:<a@example.com>") == 250
            began = time.monotonic()
            with Client(gate.plain_port) as client:
                client.ehlo()
                answer = client.command("MAIL FROM:<a@example.com>")
                assert answer == 451 and "4.3.2" in str(answer), answer
            assert 0.9 < time.monotonic() - began < 3
            replies = []

            def wait():
                replies.append(send(gate))

            waiting = [threading.Thread(target=wait) for _ in range(4)]
            for thread in waiting:
                thread.start()
            assert wait_until(lambda: gate.metric("gatepost_upstream_pool_waiting", upstream="default") == 4, 5)
            for holder in holders:
                holder.command("RSET")
            for thread in waiting:
                thread.join(10)
            assert [one.code for one in replies] == [250] * 4
        assert gate.metric("gatepost_upstream_pool_waiting", upstream="default") == 0
        assert gate.metric("gatepost_upstream_pool_acquires_total", upstream="default", result="timeout") == 1
        assert gate.metric("gatepost_upstream_pool_wait_seconds_count", upstream="default") == 5
    finally:
        mta.stop()


def test_spares_are_opened_in_advance_and_connections_are_used_again(make_sink, make_gatepost):
    sink = make_sink()
    gate = make_gatepost(sink.port, {"workers": 2, "upstreams": [upstream(local(sink), pool={"min_idle": 3, "max_idle": 8})]}, users=USERS)
    idle = lambda: gate.metric("gatepost_upstream_connections", upstream="default", endpoint=local(sink)[0], state="idle")  # noqa: E731
    assert wait_until(lambda: idle() == 3, 10)
    for _ in range(10):
        assert send(gate) == 250
    assert gate.metric("gatepost_upstream_pool_acquires_total", upstream="default", result="reused") == 10
    assert gate.metric("gatepost_upstream_pool_acquires_total", upstream="default", result="new") == 0
    gate.stop()


def test_the_source_address_is_what_the_upstream_sees(make_gatepost):
    mta = ScriptedUpstream()
    try:
        gate = make_gatepost(mta.port, {"upstreams": [upstream([f"127.0.0.1:{mta.port}"], source_address="127.0.0.77")]}, users=USERS)
        assert send(gate) == 250
        assert {connection.peer for connection in mta.connections} == {"127.0.0.77"}
    finally:
        mta.stop()
