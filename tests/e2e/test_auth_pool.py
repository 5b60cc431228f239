"""The pool of threads that hashes: bounded, deadlines kept, and 454 instead of a wait when it is full."""
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.client import Client, plain
from harness.gatepost import command
from harness.process import wait_until

NAME, PASSWORD = "heavy@example.com", "heavy password 31"


def record(scheme):
    done = command("hash", "--scheme", scheme, input=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def gate_with(make_gatepost, sink, record, **auth):
    gate = make_gatepost(sink.port, {"auth": {"failure_delay": "10ms", "cache": {"ttl": "0s"}, **auth}})
    gate.users[NAME] = PASSWORD
    gate.users_path.write_text(gate.users_path.read_text() + f"{NAME}:{record}\n")
    assert wait_until(lambda: attempt(gate) == 235, 10, 0.3)
    return gate


def attempt(gate, password=PASSWORD):
    with Client(gate.tls_port, implicit_tls=True, timeout=60) as client:
        client.ehlo()
        return client.command(f"AUTH PLAIN {plain(NAME, password)}").code


@pytest.mark.parametrize("scheme", ["SCRAM-SHA-256", "ARGON2ID", "SHA512-CRYPT", "BLF-CRYPT", "YESCRYPT"])
def test_every_kind_of_record(make_gatepost, sink, scheme):
    gate = gate_with(make_gatepost, sink, record(scheme))
    assert attempt(gate) == 235
    assert attempt(gate, PASSWORD + " ") == 535


def test_full_queue_is_454_and_sessions_without_a_hash_are_not_held_up(make_gatepost, sink):
    gate = gate_with(make_gatepost, sink, record("ARGON2ID"), concurrency=1, queue=2)
    with ThreadPoolExecutor(24) as pool:
        # Each with a password of its own: equal ones would share one hash.
        running = [pool.submit(attempt, gate, f"{PASSWORD}{i or ''}") for i in range(24)]
        start = time.monotonic()
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            client.login("carol", gate.users["carol"])
        held = time.monotonic() - start
        codes = [future.result() for future in running]
    assert set(codes) >= {454, 535} and set(codes) <= {235, 454, 535}, codes
    assert held < 3
    assert attempt(gate) == 235
