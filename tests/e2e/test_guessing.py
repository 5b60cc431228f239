"""The rules against guessing passwords (auth.guessing): what is refused before any hash, what only waits, and whom none of it touches."""
import re
import smtplib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.client import Client, plain, trusting_context
from harness.gatepost import USERS, command, program
from harness.process import Program, answers, wait_until

ALICE, BOB = "alice@example.com", "bob@example.com"
BLOCKED = "454 4.7.0"
ONE_NETWORK, SAME_NETWORK, OTHER_NETWORK = "127.0.7.5", "127.0.7.6", "127.0.8.5"


def gate_with(make_gatepost, sink, rules, **auth):
    return make_gatepost(sink.port, {"auth": {"max_attempts": 100, "failure_delay": "10ms", "guessing": rules, **auth}})


def connect(gate, source=ONE_NETWORK):
    client = Client(gate.tls_port, implicit_tls=True, source=source)
    client.ehlo()
    return client


def attempt(gate, user=ALICE, password=None, source=ONE_NETWORK):
    """The reply to one AUTH PLAIN on a connection of its own; the right password unless another is given."""
    with connect(gate, source) as client:
        return client.command(f"AUTH PLAIN {plain(user, password or USERS[user])}")


def logged(gate, pattern):
    """The log is written a moment after the reply."""
    return wait_until(lambda: re.search(pattern, gate.log))


def timed(what):
    start = time.monotonic()
    return what(), time.monotonic() - start


def test_one_address_is_refused_without_a_hash_after_twenty_failures(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, None)  # the rules as they are when nobody writes any
    heavy = command("hash", "--scheme", "ARGON2ID", input=USERS[ALICE] + "\n").stdout.strip()
    gate.users_path.write_text(gate.users_path.read_text() + f"heavy:{heavy}\n")
    gate.wait_for_log(f"users={len(USERS) + 1}")
    assert attempt(gate, "heavy", USERS[ALICE], OTHER_NETWORK) == 235
    cpu = lambda: gate.metric("process_cpu_seconds_total")  # noqa: E731

    with connect(gate) as client:
        before = cpu()
        assert client.command(f"AUTH PLAIN {plain('heavy', 'not this one')}") == "535 5.7.8"
        one_hash = cpu() - before
        for number in range(19):
            assert client.command(f"AUTH PLAIN {plain(f'user{number}', 'guess')}") == "535 5.7.8", number
        before = cpu()
        for _ in range(5):
            assert client.command(f"AUTH PLAIN {plain('heavy', USERS[ALICE])}") == BLOCKED, "the right password is not looked at"
        assert client.command("AUTH LOGIN") == BLOCKED, "before its first step"
        refused = cpu() - before
        assert client.command("NOOP") == 250
    assert refused < one_hash, f"six refusals took {refused} s of CPU, one hash {one_hash} s"
    assert attempt(gate) == BLOCKED, "another connection, maybe another worker"
    assert attempt(gate, source=SAME_NETWORK) == 235
    assert attempt(gate, source=OTHER_NETWORK) == 235
    assert gate.metric("gatepost_auth_blocked_attempts_total", scope="ip") == 7
    assert gate.metric("gatepost_auth_blocked_attempts_total") == 7
    gate.wait_for_metric("gatepost_auth_attempts_total", 7, result="blocked")
    gate.wait_for_metric("gatepost_auth_attempts_total", 20, result="invalid_credentials")
    assert logged(gate, rf"auth_blocked session=\S+ listener=submissions client_ip={ONE_NETWORK} user=heavy mechanism=PLAIN reason=per_ip retry_after=\d")


def test_guesses_at_one_user_never_lock_him_out_elsewhere(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, {"per_user_delay": "300ms"} | {rule: value for rule, value in DEFAULTS.items() if rule != "per_user_delay"})
    with connect(gate) as client:
        for number in range(10):
            assert client.command(f"AUTH PLAIN {plain(ALICE, f'guess {number}')}") == "535 5.7.8", number
        assert client.command(f"AUTH PLAIN {plain(ALICE, USERS[ALICE])}") == BLOCKED
        reply, took = timed(lambda: client.command(f"AUTH PLAIN {plain(BOB, USERS[BOB])}"))
        assert reply == 235 and took < 0.3, "somebody else of that address"
    assert attempt(gate, source=SAME_NETWORK) == BLOCKED
    with connect(gate, OTHER_NETWORK) as client:
        reply, took = timed(lambda: client.command(f"AUTH PLAIN {plain(ALICE, USERS[ALICE])}"))
    assert reply == 235 and 0.3 <= took < 2, took
    with connect(gate, OTHER_NETWORK) as client:
        reply, took = timed(lambda: client.command(f"AUTH PLAIN {plain(ALICE, 'wrong')}"))
    assert reply == "535 5.7.8" and 0.3 <= took < 2, took
    assert gate.metric("gatepost_auth_blocked_attempts_total", scope="user_and_network") == 2
    assert gate.metric("gatepost_auth_delayed_attempts_total") >= 2
    assert logged(gate, rf"auth_delayed session=\S+ listener=submissions client_ip={OTHER_NETWORK} user={ALICE} mechanism=PLAIN duration=0.3")


DEFAULTS = {"per_ip": "20/10m", "per_network": "100/10m", "per_user_and_network": "10/10m", "per_user_delay": "5s"}
STRICT = {"per_ip": "2/10m", "per_network": "2/10m", "per_user_and_network": "2/10m"}


def fail(gate, times, user=ALICE, source=ONE_NETWORK):
    for number in range(times):
        assert attempt(gate, user, f"guess {number}", source) == "535 5.7.8"


@pytest.mark.parametrize("rule", STRICT)
def test_each_rule_refuses_and_off_switches_it_off(make_gatepost, sink, rule):
    on = gate_with(make_gatepost, sink, {rule: STRICT[rule]})  # the harness switches the others off
    fail(on, 2)
    assert attempt(on) == BLOCKED
    on.wait_for_log(f"reason={rule} ")
    off = gate_with(make_gatepost, sink, {rule: "off"})
    fail(off, 6)
    assert attempt(off) == 235
    assert "auth_blocked" not in off.log and "auth_delayed" not in off.log


def test_the_delay_of_a_user_is_switched_on_and_off(make_gatepost, sink):
    on = gate_with(make_gatepost, sink, {"per_user_delay": "200ms"})
    fail(on, 6)
    assert attempt(on, source=OTHER_NETWORK) == 235
    assert on.metric("gatepost_auth_delayed_attempts_total") == 3
    off = gate_with(make_gatepost, sink, {"per_user_delay": "off"})
    fail(off, 6)
    assert attempt(off, source=OTHER_NETWORK) == 235
    assert off.metric("gatepost_auth_delayed_attempts_total") == 0


def proxied(gate, address, password, user=ALICE):
    family = "TCP6" if ":" in address else "TCP4"
    header = f"PROXY {family} {address} {'2001:db8::99' if family == 'TCP6' else '198.51.100.1'} 5 465\r\n".encode()
    with Client(gate.tls_port, implicit_tls=True, first=header) as client:
        client.ehlo()
        return client.command(f"AUTH PLAIN {plain(user, password)}")


def test_the_address_is_the_one_that_proxy_proves(make_gatepost, sink):
    gate = make_gatepost(sink.port, {
        "listeners": {"submissions": {"proxy_protocol_from": ["127.0.0.1/32"]}},
        "auth": {"max_attempts": 100, "failure_delay": "10ms", "guessing": {"per_ip": "2/10m", "per_network": "3/10m"}}})  # fmt: skip
    right = USERS[ALICE]
    for _ in range(2):
        assert proxied(gate, "192.0.2.7", "guess") == 535
    assert proxied(gate, "192.0.2.7", right) == BLOCKED
    assert proxied(gate, "192.0.2.8", right) == 235
    assert proxied(gate, "192.0.2.8", "guess") == 535  # the third of its network
    assert proxied(gate, "192.0.2.9", right) == BLOCKED
    assert proxied(gate, "192.0.3.7", right) == 235
    for host in range(1, 4):
        assert proxied(gate, f"2001:db8:0:1::{host}", "guess") == 535
    assert proxied(gate, "2001:db8:0:1::77", right) == BLOCKED, "one /64 is one network"
    assert proxied(gate, "2001:db8:0:2::77", right) == 235
    for line in (r"client_ip=192.0.2.7 .*reason=per_ip", r"client_ip=192.0.2.9 .*reason=per_network", r"client_ip=2001:db8:0:1::77 .*reason=per_network"):
        assert logged(gate, f"auth_blocked .*{line}"), line
    assert "client_ip=127.0.0.1" not in "".join(line for line in gate.log.splitlines(True) if "auth_blocked" in line)


def test_trusted_networks_and_probes_never_count(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, {"per_ip": "1/10m", "per_network": "1/10m", "per_user_and_network": "1/10m"}, plaintext_without_tls=True)
    for _ in range(3):  # trusted on that listener only
        with Client(gate.plain_port, source=ONE_NETWORK) as client:
            client.ehlo()
            for _ in range(3):
                assert client.command(f"AUTH PLAIN {plain(ALICE, 'guess')}") == 535
    for _ in range(5):
        Client(gate.tls_port, greeting=False, source=ONE_NETWORK).socket.close()
        with Client(gate.port, source=ONE_NETWORK) as client:
            client.ehlo()
            assert client.command(f"AUTH PLAIN {plain(ALICE, 'guess')}") in (530, 538)
        with connect(gate) as client:
            assert client.command("AUTH PLAIN !!!!") == 501
            assert client.command("AUTH NOBODYKNOWS") == 504
            assert client.command("AUTH LOGIN") == 334
            assert client.command("*") == 501
    assert attempt(gate) == 235
    fail(gate, 1)
    assert attempt(gate) == BLOCKED


def test_a_restart_forgets(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, {"per_ip": "1/10m"})
    fail(gate, 1)
    assert attempt(gate) == BLOCKED
    gate.stop()
    again = Program(gate.folder, "again", [program(), "serve", "--config", gate.config_path])
    try:
        assert wait_until(lambda: answers(gate.tls_port), 20)
        assert attempt(gate) == 235
    finally:
        assert again.terminate() == 0


def test_a_refusal_is_no_faster_than_a_failure(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, {"per_ip": "1/10m"}, failure_delay="400ms")
    with connect(gate) as client:
        for expected in ("535 5.7.8", BLOCKED, BLOCKED):
            reply, took = timed(lambda: client.command(f"AUTH PLAIN {plain(ALICE, 'guess')}"))
            assert reply == expected and 0.4 <= took < 1.5, (reply, took)


def test_who_does_not_wait_for_the_535_has_failed_all_the_same(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, {"per_ip": "2/10m"}, failure_delay="1s")
    for _ in range(2):
        with connect(gate) as client:
            client.send(f"AUTH PLAIN {plain(ALICE, 'guess')}\r\n")
            time.sleep(0.2)  # by now 235 would have come
    gate.wait_for_metric("gatepost_auth_attempts_total", 2, result="aborted")
    assert attempt(gate) == BLOCKED


def test_guesses_side_by_side_are_all_remembered(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, {"per_ip": "2/10m"}, failure_delay="1s")
    clients = [connect(gate) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda client: client.command(f"AUTH PLAIN {plain(ALICE, 'guess')}"), clients))
    for client in clients:
        client.socket.close()
    looked_at = sum(reply == 535 for reply in replies)
    assert looked_at >= 2 and all(reply == 535 or reply == BLOCKED for reply in replies)
    assert attempt(gate) == BLOCKED
    # One wears off each 300 s, and room for one more is there when all but one have.
    waits = lambda: [float(wait) for wait in re.findall(r"auth_blocked .*retry_after=([\d.]+)", gate.log)]  # noqa: E731
    assert wait_until(lambda: max(waits(), default=0) > (looked_at - 2) * 300), (looked_at, waits())


def test_what_clients_make_of_it(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, {"per_ip": "1/10m"})
    fail(gate, 1)
    with smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context(), source_address=(ONE_NETWORK, 0)) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(ALICE, USERS[ALICE])
    assert refused.value.smtp_code == 454 and b"try again later" in refused.value.smtp_error
    swaks = ["swaks", "--server", "127.0.0.1", "--port", gate.tls_port, "--tlsc", "--local-interface", ONE_NETWORK, "--to", "a@example.net", "--auth", "PLAIN",
             "--auth-user", ALICE, "--auth-password", USERS[ALICE], "--quit-after", "AUTH"]  # fmt: skip
    done = subprocess.run([str(word) for word in swaks], capture_output=True, text=True, timeout=60)
    assert done.returncode == 28 and "454 4.7.0 Too many failed authentications, try again later" in done.stdout, done.stdout
    assert gate.metric("gatepost_auth_blocked_attempts_total", scope="ip") >= 2
