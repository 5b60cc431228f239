"""Whom a rule under `limits:` counts together (`per:`), and whom it looks at (`when:`, `classes:`)."""
import json

import pytest
from harness.client import Client
from harness.gatepost import command
from harness.limits import ALICE, BOB, ELSEWHERE, HERE, NEIGHBOUR, TRUSTED, attempt, connect, decided, is_full, is_limited, limited, one, rule, send, visit

BULK = {ALICE: {"limit_class": "bulk"}}
NOBODY = {"user": None, "address": TRUSTED}  # without AUTH
SIX, SIX_NEIGHBOUR, SIX_NEAR, SIX_ELSEWHERE = "2001:db8:0:1::7", "2001:db8:0:1:ffff::1", "2001:db8:0:2::7", "2001:db9::7"


def says(gate, who):
    """One message of somebody: {"user", "address", "sender", "recipients"}, or "internal", from another listener."""
    if who != "internal":
        return one(gate, **who)
    with Client(gate.plain_port) as client:
        client.ehlo()
        client.login(ALICE, gate.users[ALICE])
        return send(client)


def to(*recipients):
    return {"recipients": recipients}


@pytest.mark.parametrize("per, more, same, others", [
    ("ip", {}, [{}, {"user": BOB}, {"sender": "x@example.org"}], [{"address": NEIGHBOUR}, {"address": SIX}]),
    ("ip", {}, [{"address": SIX}, {"address": "2001:DB8:0:1:0::7"}], [{"address": SIX_NEIGHBOUR}]),
    ("network", {}, [{}, {"address": NEIGHBOUR}], [{"address": "192.0.3.7"}, {"address": SIX}]),
    ("network", {"ipv4_prefix": 16}, [{}, {"address": "192.0.3.7"}], [{"address": "192.1.2.7"}]),
    ("network", {"ipv4_prefix": 32}, [{}], [{"address": "192.0.2.8"}]),
    ("network", {}, [{"address": SIX}, {"address": SIX_NEIGHBOUR}], [{"address": SIX_NEAR}, {}]),
    ("network", {"ipv6_prefix": 48}, [{"address": SIX}, {"address": SIX_NEAR}], [{"address": SIX_ELSEWHERE}]),
    ("network", {"ipv6_prefix": 128}, [{"address": SIX}], [{"address": SIX_NEIGHBOUR}]),
    ("user", {}, [{}, {"address": ELSEWHERE}, "internal"], [{"user": BOB}, NOBODY, NOBODY, NOBODY, NOBODY]),
    ("sender", {}, [{"sender": "a@example.org"}, {"sender": "a@EXAMPLE.org", "user": BOB}, {"sender": '"a"@example.org'}],
     [{"sender": "b@example.org"}, {"sender": "A@example.org"}, {"sender": ""}]),
    ("sender_domain", {}, [{"sender": "a@example.org"}, {"sender": "b@Example.Org", "user": BOB}], [{"sender": "a@example.com"}, {"sender": "a@x.example.org"}]),
    ("recipient_domain", {}, [to("a@example.net"), to("b@EXAMPLE.net"), to("x@example.net", "y@example.net")], [to("a@example.org"), to("a@x.example.net")]),
    ("listener", {}, [{}, {"user": BOB, "address": ELSEWHERE}], ["internal"]),
    ("upstream", {}, [{}, {"user": "carol", "address": ELSEWHERE}], [{"user": BOB}]),
    ("all", {}, [{}, {"user": BOB, "address": SIX}, "internal", NOBODY], []),
], ids=str)  # fmt: skip
def test_each_scope_counts_together_what_it_names(make_gatepost, sink, per, more, same, others):
    upstreams = [{"name": name, "servers": [f"127.0.0.1:{sink.port}"]} for name in ("default", "other")]
    changes = {"upstreams": upstreams, "routes": [{"user": BOB, "upstream": "other"}]}
    gate = limited(make_gatepost, sink.port, rule(per=per, **more), changes=changes)
    turns = (same * 3)[:3]
    assert [says(gate, who) for who in turns] == [250] * 3
    for who in same:
        is_limited(says(gate, who))
    assert [says(gate, who) for who in others] == [250] * len(others)
    assert decided(gate, "defer") == len(same)


@pytest.mark.parametrize("count", ["messages", "bytes"])
def test_a_message_counts_once_for_each_domain_of_its_recipients(make_gatepost, sink, count):
    gate = limited(make_gatepost, sink.port, rule(count, "recipient_domain", rate="2/1h" if count == "messages" else "2500/1h"))
    size = {"parameters": " SIZE=1000", "message": b"Subject: x\r\n\r\n" + b"y" * 984 + b"\r\n"} if count == "bytes" else {}
    with visit(gate, ALICE) as client:
        assert send(client, recipients=("a@example.net", "b@example.net", "a@example.org"), **size) == 250
        assert send(client, recipients=("a@example.net", "b@example.net", "c@example.net"), **size) == 250
        assert client.command("MAIL FROM:<a@example.com>" + size.get("parameters", "")) == 250
        is_limited(client.command("RCPT TO:<a@example.net>"), at_most=1800)
        assert client.command("RCPT TO:<a@example.org>") == 250, "the other domain has room"
        assert client.command("RCPT TO:<a@example.com>") == 250


@pytest.mark.parametrize("count, word", [("connections", "421 4.7.0"), ("sessions", "421 4.7.0"), ("auth_attempts", "454 4.7.0"), ("recipients", "451 4.7.1")])
@pytest.mark.parametrize("per, same, other", [("network", NEIGHBOUR, ELSEWHERE), ("ip", HERE, NEIGHBOUR)])
def test_scopes_of_other_counts(make_gatepost, sink, count, word, per, same, other):
    gate = limited(make_gatepost, sink.port, rule(count, per))
    kept = []

    def ask(address):
        client = connect(gate, address)
        kept.append(client)
        if count in ("connections", "sessions"):
            return client.greeting
        client.ehlo()
        if count == "auth_attempts":
            return attempt(client)
        client.login(ALICE, gate.users[ALICE])
        assert client.command("MAIL FROM:<a@example.com>") == 250
        return client.command("RCPT TO:<b@example.net>")

    assert all(ask(HERE).code < 300 for _ in range(3))
    (is_full if count == "sessions" else is_limited)(ask(same), word)
    assert ask(other).code < 300
    for client in kept:
        client.socket.close()


# ---- when


@pytest.mark.parametrize("when, more, concerned, others", [
    ({"listener": "submission"}, {"per": "ip"}, {}, ["internal"]),
    ({"user": ALICE}, {}, {}, [{"user": BOB}, {"user": "carol"}]),
    ({"user": "*@example.com"}, {"per": "all"}, {}, [{"user": "carol"}, NOBODY]),
    ({"user": "car*"}, {}, {"user": "carol"}, [{}]),
    ({"class": "bulk"}, {"per": "ip"}, {}, [{"user": BOB}, NOBODY]),
    ({"authenticated": True}, {"per": "all"}, {}, [NOBODY]),
    ({"authenticated": False}, {"per": "all"}, NOBODY, [{}, {"user": BOB, "address": TRUSTED}]),
    ({"trusted": True}, {"per": "all"}, NOBODY, [{}, {"user": BOB}]),
    ({"trusted": True}, {"per": "all"}, {"address": TRUSTED}, [{}]),
    ({"trusted": False}, {"per": "all"}, {}, [NOBODY, {"address": TRUSTED}]),
    ({"listener": "submission", "user": ALICE, "class": "bulk", "authenticated": True, "trusted": False}, {}, {}, [{"address": TRUSTED}, "internal", {"user": BOB}]),
], ids=str)  # fmt: skip
def test_when_says_whom_a_rule_looks_at(make_gatepost, sink, when, more, concerned, others):
    gate = limited(make_gatepost, sink.port, rule(when=when, **{"per": "user", **more}), attributes=BULK)
    assert [says(gate, concerned) for _ in range(3)] == [250] * 3
    is_limited(says(gate, concerned))
    for who in others:
        assert [says(gate, who) for _ in range(4)] == [250] * 4
    assert decided(gate, "allow") == 3, "the others were not even asked about"


@pytest.mark.parametrize("trusted, code", [(True, 421), (False, 220)])
def test_a_connection_of_a_trusted_network(make_gatepost, sink, trusted, code):
    gate = limited(make_gatepost, sink.port, rule("connections", "ip", rate="1/1h", when={"trusted": trusted}))
    assert connect(gate, TRUSTED).greeting == 220
    assert connect(gate, TRUSTED).greeting == code
    assert connect(gate, HERE).greeting == 220
    assert connect(gate, HERE).greeting == (220 if trusted else 421)


# ---- classes


@pytest.mark.parametrize("more, bulk, usual", [({}, 5, 3), ({"burst": 2}, 2, 2), ({"rate": "9/1h", "burst": 4}, 4, 4)], ids=str)
def test_the_class_of_a_user_picks_other_numbers(make_gatepost, sink, more, bulk, usual):
    gate = limited(make_gatepost, sink.port, rule(classes={"bulk": "5/1h", "tiny": "1/1h"}, **more), attributes=BULK | {"carol": {"limit_class": "unheard-of"}})
    for user, most in ((ALICE, bulk), (BOB, usual), ("carol", usual)):
        with visit(gate, user) as client:
            assert [send(client) for _ in range(most)] == [250] * most, user
            seconds = is_limited(send(client))
        assert abs(seconds - 3600 / (5 if user == ALICE else int(more.get("rate", "3/1h").split("/")[0]))) < 15


def test_a_class_may_be_narrower_and_counts_all_kinds(make_gatepost, sink):
    rules = [rule("recipients", classes={"bulk": "1/1h"}), rule("sessions", name="tabs", rate="2", classes={"bulk": 1})]
    gate = limited(make_gatepost, sink.port, *rules, attributes=BULK)
    first = visit(gate, ALICE)
    with visit(gate) as second:
        is_full(attempt(second), name="tabs")
        assert attempt(second, BOB) == 235
    assert send(first) == 250
    is_limited(send(first), at_most=3600)
    first.quit()


# ---- what cannot be


@pytest.mark.parametrize("wrong", [
    *({"count": "connections", "per": per} for per in ("user", "sender", "sender_domain", "recipient_domain", "upstream")),
    *({"count": "connections", "per": "ip", "when": when} for when in ({"user": "*@x"}, {"class": "bulk"}, {"authenticated": True})),
    *({"count": "sessions", "per": per} for per in ("sender", "sender_domain", "recipient_domain", "upstream")),
    *({"count": count, "per": "sender"} for count in ("auth_attempts", "auth_failures")),
    {"count": "auth_failures", "per": "user", "classes": {"bulk": "5/1h"}},
    {"count": "auth_attempts", "per": "user", "when": {"class": "bulk"}},
    {"count": "auth_attempts", "per": "ip", "when": {"authenticated": False}},
    {"count": "auth_failures", "per": "user", "action": "delay"},
    {"count": "messages", "per": "user", "rate": "5"},
    {"count": "messages", "per": "user", "action": "shout"},
    {"count": "messages", "per": "user", "when": {"listener": "nowhere"}},
], ids=str)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_where_it_is_written(tmp_path, tls, wrong):
    one_rule = json.dumps(rule(**wrong))
    lines = ["hostname: gate.example", 'listeners: [{name: a, address: "127.0.0.1:2525"}]', f'tls: {{certificates: [{{certificate: "{tls.rsa.certificate}", key: "{tls.rsa.key}"}}]}}',
             "auth: {backends: [local]}", f'backends: {{local: {{type: file, path: "{tmp_path}/users"}}}}', 'upstreams: [{name: default, servers: ["127.0.0.1:25"]}]', "limits:", f"  - {one_rule}", ""]  # fmt: skip
    (tmp_path / "users").write_text("carol:{PLAIN}x\n")
    path = tmp_path / "gatepost.yaml"
    path.write_text("\n".join(lines))
    done = command("check", "--config", path)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and f"{path}:8:" in said and said.count(f"{path}:") == 1, said
    path.write_text("\n".join(lines).replace(one_rule, json.dumps(rule())))
    done = command("check", "--config", path)
    assert done.returncode == 0, done.stdout + done.stderr
