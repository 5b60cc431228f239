"""`gatepost explain`: what it foretells is what a client then hears."""
import pytest
from harness.gatepost import command
from harness.limits import ALICE, BOB, ELSEWHERE, HERE, TRUSTED, attempt, limited, rule, send, visit


@pytest.fixture
def gate(make_gatepost, sink, short_folder):
    rules = (
        rule(rate="2/1h", classes={"bulk": "1000/1h"}),
        rule(per="ip", rate="1/1h", name="trusted-only", when={"trusted": True}, action="reject"),
        rule(count="bytes", per="user", rate="100KiB/1h", name="octets", action="reject", when={"user": "bob@*"}),
    )
    changes = {
        "admin": {"socket": str(short_folder / "admin.sock")},
        "policy": {"senders": "own", "recipients_deny": ["*@bad.example"]},
        "upstreams": [{"name": name, "servers": [f"127.0.0.1:{sink.port}"]} for name in ("default", "other")],
        "routes": [{"sender_domain": "shop.example", "upstream": "other"}],
        "session": {"max_message_size": "1MiB"},
    }
    attributes = {ALICE: {"senders": "*@shop.example"}, BOB: {"limit_class": "bulk"}, "carol": {"disabled": "yes"}}
    return limited(make_gatepost, sink.port, *rules, changes=changes, attributes=attributes)


def explain(gate, user=ALICE, address=HERE, sender=None, recipient="x@example.net", *words):
    sender = user if sender is None else sender
    who = ["--user", user] if user else []
    return command("explain", "--config", gate.config_path, *who, "--ip", address, "--from", sender, "--to", recipient, "--listener", "submission", *words)


def verdict(done):
    last = done.stdout.splitlines()[-1]
    assert last.startswith("verdict: "), done.stdout + done.stderr
    assert done.returncode == (0 if last.startswith("verdict: accepted") else 1)
    return last.removeprefix("verdict: ")


def test_accepted_by_pattern_class_and_route(gate):
    done = explain(gate, ALICE, HERE, "post@shop.example")
    assert verdict(done) == 'accepted, to upstream "other"'
    for part in ('by "*@shop.example" of the record\'s senders', "by routes[0] (", "local: found", "only in trusted networks", "messages 2/1h, 0 of 2 used: allows"):
        assert part in done.stdout, done.stdout
    done = explain(gate, BOB)
    assert verdict(done) == 'accepted, to upstream "default"'
    assert "messages 1000/1h, 0 of 1000 used" in done.stdout and "the default, no route holds" in done.stdout
    with visit(gate, ALICE) as client:
        assert send(client, "post@shop.example") == 250


def test_counts_of_the_running_instance_and_the_reply_word_for_word(gate):
    with visit(gate, ALICE) as client:
        assert send(client) == 250
        assert "1 of 2 used: allows" in explain(gate).stdout
        assert send(client) == 250
        told = verdict(explain(gate))
        heard = client.command(f"MAIL FROM:<{ALICE}>")
        assert heard == 451
    # Between the two a second may have passed.
    assert told.startswith('refused at MAIL: 451 4.7.1 Rate limit "tested": try again in ') and told.endswith(" s")
    assert 0 <= int(told.split()[-2]) - int(heard.lines[-1].split()[-2]) <= 2


def test_policies_and_logins_refuse_in_the_words_of_the_session(gate):
    foretold = {
        "stranger": (verdict(explain(gate, "nobody@example.com")), "AUTH"),
        "disabled": (verdict(explain(gate, "carol")), "AUTH"),
        "sender": (verdict(explain(gate, ALICE, HERE, BOB)), "MAIL"),
        "recipient": (verdict(explain(gate, ALICE, HERE, ALICE, "x@bad.example")), "RCPT"),
        "no login": (verdict(explain(gate, "", HERE, ALICE)), "MAIL"),
        "size": (verdict(explain(gate, ALICE, HERE, ALICE, "x@example.net", "--size", "2000000")), "MAIL"),
        "octets": (verdict(explain(gate, BOB, HERE, BOB, "x@example.net", "--size", "200000")), "MAIL"),
    }
    heard = {}
    with visit(gate) as client:
        heard["no login"] = client.command(f"MAIL FROM:<{ALICE}>")
        heard["disabled"] = attempt(client, "carol")
        heard["stranger"] = attempt(client, "nobody@example.com", "whatever")
        assert attempt(client) == 235
        heard["sender"] = client.command(f"MAIL FROM:<{BOB}>")
        heard["size"] = client.command(f"MAIL FROM:<{ALICE}> SIZE=2000000")
        heard["recipient"] = send(client, recipients=("x@bad.example",))
    with visit(gate, BOB) as client:
        heard["octets"] = client.command(f"MAIL FROM:<{BOB}> SIZE=200000")
    for case, (told, place) in foretold.items():
        assert told == f"refused at {place}: {heard[case].lines[-1]}", case


def test_trusted_clients_and_each_listener(gate):
    done = explain(gate, "", TRUSTED, "")
    assert verdict(done) == 'accepted, to upstream "default"'
    assert "is in trusted_networks: may send without AUTH" in done.stdout and "<> is allowed" in done.stdout
    with visit(gate, address=TRUSTED) as client:
        assert send(client, "printer@example.com") == 250
    assert verdict(explain(gate, "", TRUSTED, "")).startswith('refused at MAIL: 550 5.7.1 Rate limit "trusted-only": try again in ')
    done = command("explain", "--config", gate.config_path, "--ip", "127.0.0.1", "--from", "<>", "--to", "x@example.net")
    assert verdict(done) == "depends on the listener: refused on submission, refused on submissions, accepted on internal"
    assert done.stdout.count("listener ") >= 3


def test_wrong_usage_and_a_gatepost_that_does_not_run(gate):
    assert explain(gate, ALICE, "here").returncode == 2
    assert command("explain", "--config", gate.config_path, "--ip", HERE, "--from", "a@b", "--to", "c@d", "--listener", "nope").returncode == 2
    gate.stop()
    done = explain(gate, ALICE, ELSEWHERE)
    assert verdict(done) == 'accepted, to upstream "default"'
    assert "counts are not known, and taken as none: nobody answers at" in done.stdout
