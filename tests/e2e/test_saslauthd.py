"""Passwords judged by a real saslauthd: every client form, and what its hanging, dying and coming back look like from outside."""
import contextlib
import threading
import time

import pytest
from harness.client import Client, b64, plain
from harness.gatepost import USERS
from harness.process import wait_until
from harness.saslauthd import Saslauthd, ask

USER = "alice@example.com"
PASSWORD = USERS[USER]
DEADLINE = 5  # seconds that a check may take, by default


def changes(path, ttl="0s"):
    return {
        "auth": {"backends": ["pam"], "mechanisms": ["PLAIN", "LOGIN"], "cache": {"ttl": ttl}},
        "backends": {"local": None, "pam": {"type": "sasl", "method": "saslauthd", "options": {"saslauthd_path": str(path)}}},
    }


@pytest.fixture
def daemon(tmp_path):
    folder = tmp_path / "daemon"
    folder.mkdir()
    daemon = Saslauthd(folder, USERS)
    yield daemon
    daemon.stop()


@pytest.fixture
def gate(daemon, make_gatepost, sink):
    return make_gatepost(sink.port, changes(daemon.path))


@contextlib.contextmanager
def connected(gate):
    with Client(gate.tls_port, implicit_tls=True, timeout=30) as client:
        client.ehlo()
        yield client


def auth(gate, user=USER, password=PASSWORD):
    with connected(gate) as client:
        return client.command(f"AUTH PLAIN {plain(user, password)}")


def timed(gate, password=PASSWORD):
    begin = time.monotonic()
    return auth(gate, password=password), time.monotonic() - begin


def test_every_form_of_a_right_password(gate):
    with connected(gate) as client:
        assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == "235 2.7.0"
        assert client.mail(b"Subject: by saslauthd\r\n\r\n") == 250
    for user, password in USERS.items():
        with connected(gate) as client:
            assert client.command("AUTH LOGIN").code == 334
            assert client.command(b64(user)).code == 334
            assert client.command(b64(password)) == "235 2.7.0"


def test_wrong_unknown_and_too_long_are_one_reply(gate):
    refused = {auth(gate, *who).lines[0] for who in ((USER, "wrong"), ("nobody@example.com", PASSWORD), ("alice@elsewhere.example", PASSWORD), (USER, "x" * 257))}
    assert refused == {"535 5.7.8 Authentication credentials invalid"}
    with connected(gate) as client:
        assert client.command("AUTH LOGIN").code == 334
        assert client.command(b64(USER)).code == 334
        assert client.command(b64("wrong")) == "535 5.7.8"
        client.login(USER, PASSWORD)


def test_a_daemon_that_ignores_realms_lets_nobody_in_under_another_name(tmp_path, make_gatepost, sink):
    (tmp_path / "shadow").mkdir()
    daemon = Saslauthd(tmp_path / "shadow", {"ann": PASSWORD}, mechanism="shadow")
    assert ask(daemon.path, "ann", PASSWORD, "anything.example") == "OK", "or the test shows nothing"
    with contextlib.ExitStack() as stack:
        stack.callback(daemon.stop)
        gate = make_gatepost(sink.port, changes(daemon.path))
        assert auth(gate, "ann") == 235
        assert auth(gate, "ann@anything.example") == 535
        assert wait_until(lambda: "start it with -r" in gate.log, 5)
        assert auth(gate, "ann@anything.example", "wrong") == 535
        assert auth(gate, "ann@") == 535
        daemon.kill()
        daemon.words = ["-r"]
        daemon.start()
        assert wait_until(lambda: auth(gate, "ann").code == 235, 10, 0.2)
        assert auth(gate, "ann@anything.example") == 535


def test_password_changed_behind_our_back_counts_at_once(gate, daemon):
    assert auth(gate, password="new-pass-77-word") == 535
    daemon.set_user(USER, "new-pass-77-word")
    gate.users[f"{USER} "] = "new-pass-77-word"
    assert auth(gate, password="new-pass-77-word") == 235


def test_hanging_daemon_is_454_at_the_deadline_and_others_go_on(gate, daemon):
    with connected(gate) as other, connected(gate) as patient:
        other.login(USER, PASSWORD)
        before = gate.descriptors()
        daemon.freeze()
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(timed_on(patient)))
        waiting.start()
        slowest = 0.0
        while waiting.is_alive():
            begin = time.monotonic()
            assert other.mail(b"Subject: meanwhile\r\n\r\n") == 250
            slowest = max(slowest, time.monotonic() - begin)
        waiting.join()
        reply, took = answers[0]
        assert reply == "454 4.7.0"
        assert DEADLINE - 0.5 < took < DEADLINE + 5, took
        assert slowest < 2, "others waited for saslauthd"
        # Nothing stays open for the check that was given up, and the session may try again.
        assert wait_until(lambda: gate.descriptors() <= before), (before, gate.descriptors())
        daemon.thaw()
        assert patient.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == 235


def timed_on(client):
    begin = time.monotonic()
    return client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}"), time.monotonic() - begin


def test_many_hanging_checks_lose_nothing(gate, daemon):
    assert auth(gate) == 235
    before = gate.descriptors()
    daemon.freeze()
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(timed(gate))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.code for reply, _ in replies} == {454} and len(replies) == 40
    assert max(took for _, took in replies) < DEADLINE + 8
    assert wait_until(lambda: gate.descriptors() <= before + 2), (before, gate.descriptors())
    daemon.thaw()
    assert wait_until(lambda: auth(gate).code == 235, 20, 0.3)


def test_dead_daemon_is_454_at_once_and_works_when_it_is_back(gate, daemon):
    assert auth(gate) == 235
    daemon.kill()
    with connected(gate) as client:
        for _ in range(4):  # more than max_attempts: an outage is nobody's bad password
            assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == "454 4.7.0"
        assert client.command(f"AUTH PLAIN {plain(USER, 'wrong')}") == "454 4.7.0"
    assert timed(gate)[1] < 3, "nobody listens: there is nothing to wait for"
    daemon.start()
    assert wait_until(lambda: auth(gate).code == 235, 10, 0.2)
    # Each worker finds out by itself, within the pause of its breaker.
    assert wait_until(lambda: auth(gate, password="wrong") == 535, 10, 0.2)


def test_who_is_remembered_goes_on_while_the_daemon_is_dead(daemon, make_gatepost, sink):
    gate = make_gatepost(sink.port, changes(daemon.path, "60s"))
    assert auth(gate) == 235
    daemon.stop()
    assert auth(gate) == 235
    assert auth(gate, password="another") == "454 4.7.0"
