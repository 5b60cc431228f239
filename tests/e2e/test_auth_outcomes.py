"""Every way in which an AUTH can end: its code, its own log event and reason, and its own series of the metric."""
import contextlib
import dataclasses
import re
import threading

import pytest
from harness.client import Client, b64, plain
from harness.gatepost import USERS, Gatepost, command
from harness.process import wait_until
from harness.saslauthd import Saslauthd

USER, PASSWORD = "alice@example.com", USERS["alice@example.com"]
GONE = "gone@example.com"


@dataclasses.dataclass
class Outcome:
    """What must be seen of one AUTH: the code, the log event with its fields, the label `result` and the backend counted."""

    code: int
    event: str
    result: str
    fields: dict
    backend: str = "none"


@contextlib.contextmanager
def session(gate):
    with Client(gate.tls_port, implicit_tls=True, timeout=30) as client:
        client.ehlo()
        yield client


def auth(client, user=USER, password=PASSWORD):
    return client.command(f"AUTH PLAIN {plain(user, password)}").code


def cancelled(client):
    assert client.command("AUTH LOGIN").code == 334
    return client.command("*").code


def undecodable(client):
    return client.command("AUTH PLAIN !!!").code


def malformed(client):
    return client.command(f"AUTH PLAIN {b64('no zeros in it')}").code


def silent(client):
    assert client.command("AUTH LOGIN").code == 334
    return client.reply().code


def left(client):
    assert client.command("AUTH LOGIN").code == 334
    client.socket.close()
    return None


FAILURES = {
    "wrong password": (lambda c: auth(c, password="wrong"), Outcome(535, "auth_failed", "invalid_credentials", {"reason": "wrong_password"}, "local")),
    "unknown user": (lambda c: auth(c, "nobody@example.com"), Outcome(535, "auth_failed", "invalid_credentials", {"reason": "unknown_user", "user": "nobody@example.com"})),
    "disabled": (lambda c: auth(c, GONE), Outcome(535, "auth_failed", "disabled", {"reason": "disabled", "user": GONE}, "local")),
    "disabled, wrong password": (lambda c: auth(c, GONE, "wrong"), Outcome(535, "auth_failed", "invalid_credentials", {"reason": "wrong_password"}, "local")),
    "another's name": (lambda c: c.command(f"AUTH PLAIN {plain(USER, PASSWORD, 'carol')}").code, Outcome(535, "auth_failed", "not_authorized", {"reason": "not_authorized"})),
    "cancelled": (cancelled, Outcome(501, "auth_cancelled", "aborted", {"reason": "cancelled", "mechanism": "LOGIN"})),
    "client silent": (silent, Outcome(421, "auth_cancelled", "timed_out", {"reason": "client_silent", "mechanism": "LOGIN"})),
    "client gone": (left, Outcome(None, "auth_cancelled", "aborted", {"reason": "client_gone", "mechanism": "LOGIN"})),
    "no base64": (undecodable, Outcome(501, "auth_malformed", "malformed", {"reason": "malformed", "mechanism": "PLAIN"})),
    "bad message": (malformed, Outcome(501, "auth_malformed", "malformed", {"reason": "malformed", "mechanism": "PLAIN"})),
    "too long": (lambda c: c.command("AUTH PLAIN " + "A" * 13000).code, Outcome(500, "auth_malformed", "malformed", {"reason": "malformed"})),
    "unknown mechanism": (lambda c: c.command("AUTH FOO").code, Outcome(504, "auth_refused", "refused", {"reason": "refused"})),
}  # fmt: skip


def lines_of(gate, event):
    return [line for line in gate.log.splitlines() if re.search(rf"\b{event}\b", line.split(" session=")[0])]


def fields_of(line):
    return dict(re.findall(r'(\w+)="?((?<!")[^ "]*|(?<=")[^"]*)', line))


def check(gate, act, expected):
    """Does it, and looks at all three witnesses."""
    labels = {"result": expected.result, "backend": expected.backend}
    before_lines, before = len(lines_of(gate, expected.event)), gate.metric("gatepost_auth_attempts_total", **labels)
    others = gate.metric("gatepost_auth_attempts_total")
    with session(gate) as client:
        assert act(client) == expected.code
    gate.wait_for_metric("gatepost_auth_attempts_total", before + 1, **labels)
    assert gate.metric("gatepost_auth_attempts_total") == others + 1, "one AUTH is one attempt"
    assert wait_until(lambda: len(lines_of(gate, expected.event)) == before_lines + 1), gate.log[-3000:]
    found = fields_of(lines_of(gate, expected.event)[-1])
    wanted = {"listener": "submissions", "client_ip": "127.0.0.1", **expected.fields}
    assert {key: found.get(key) for key in wanted} == wanted, found
    assert PASSWORD not in gate.log and b64(PASSWORD) not in gate.log


@pytest.fixture(scope="module")
def file_gate(tmp_path_factory, tls, sink):
    folder = tmp_path_factory.mktemp("outcomes")
    gate = Gatepost(folder, tls, sink.port, {"session": {"auth_timeout": "700ms"}, "auth": {"max_attempts": 100, "failure_delay": "10ms"}})
    gate.users_path.write_text(gate.users_path.read_text() + f"{GONE}:{{PLAIN}}{PASSWORD}:disabled=yes\n")
    assert wait_until(lambda: "users=4" in gate.log, 10)
    yield gate
    gate.stop()


@pytest.mark.parametrize("case", FAILURES)
def test_each_failure_by_file(file_gate, case):
    act, expected = FAILURES[case]
    check(file_gate, act, expected)


def test_downgrade_has_a_reason_and_a_label_of_its_own(make_gatepost, sink):
    record = command("hash", "--scheme", "SCRAM-SHA-256", input=PASSWORD + "\n").stdout.strip()
    gate = make_gatepost(sink.port, {"auth": {"mechanisms": ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"]}})
    gate.users_path.write_text(f"{USER}:{record}\n")
    assert wait_until(lambda: "users=1" in gate.log, 10)
    act = lambda client: client.command(f"AUTH SCRAM-SHA-256 {b64(f'y,,n={USER},r=abcdefgh')}").code  # noqa: E731
    assert wait_until(lambda: "SCRAM-SHA-256-PLUS" in offered(gate), 10)
    check(gate, act, Outcome(535, "auth_failed", "downgraded", {"reason": "downgraded", "mechanism": "SCRAM-SHA-256"}))


def offered(gate):
    with Client(gate.tls_port, implicit_tls=True) as client:
        return client.ehlo().get("AUTH", "")


def test_tls_required(make_gatepost, sink):
    gate = make_gatepost(sink.port)
    with Client(gate.plain_port) as client:
        client.ehlo()
        assert auth(client) == 538
    gate.wait_for_metric("gatepost_auth_attempts_total", 1, result="tls_required", mechanism="PLAIN")
    assert wait_until(lambda: lines_of(gate, "auth_refused"))
    assert fields_of(lines_of(gate, "auth_refused")[-1])["reason"] == "tls_required"


def test_busy_pool(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"auth": {"concurrency": 1, "queue": 1, "failure_delay": "10ms"}})
    record = command("hash", "--scheme", "ARGON2ID", input=PASSWORD + "\n").stdout.strip()
    gate.users_path.write_text(f"{USER}:{record}\n")
    assert wait_until(lambda: "users=1" in gate.log, 10)
    codes = []

    def attempt(number):
        with session(gate) as client:
            codes.append(auth(client, password=f"wrong {number}"))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    busy = codes.count(454)
    assert busy > 0 and set(codes) == {454, 535}
    gate.wait_for_metric("gatepost_auth_attempts_total", busy, result="busy")
    assert wait_until(lambda: len(lines_of(gate, "auth_unavailable")) == busy)
    assert {fields_of(line)["reason"] for line in lines_of(gate, "auth_unavailable")} <= {"queue_full", "deadline"}


# ---- a backend that judges passwords itself


@pytest.fixture
def daemon(tmp_path):
    folder = tmp_path / "daemon"
    folder.mkdir()
    daemon = Saslauthd(folder, USERS)
    yield daemon
    daemon.stop()


def sasl(path, **more):
    return {
        "auth": {"backends": ["pam"], "failure_delay": "10ms", **more},
        "backends": {"local": None, "pam": {"type": "sasl", "method": "saslauthd", "options": {"saslauthd_path": str(path)}}},
    }


def test_each_failure_by_saslauthd(daemon, make_gatepost, sink):
    gate = make_gatepost(sink.port, sasl(daemon.path, cache={"ttl": "0s"}))
    check(gate, lambda c: auth(c, password="wrong"), Outcome(535, "auth_failed", "invalid_credentials", {"reason": "wrong_password"}, "pam"))
    check(gate, lambda c: auth(c, "nobody@example.com"), Outcome(535, "auth_failed", "invalid_credentials", {"reason": "wrong_password"}, "pam"))
    assert gate.metric("gatepost_auth_backend_requests_total", backend="pam", result="denied") == 2
    assert gate.metric("gatepost_auth_backend_request_duration_seconds_count", backend="pam") == 2
    for case in ("cancelled", "no base64", "bad message", "client gone", "unknown mechanism"):
        check(gate, *FAILURES[case])
    daemon.freeze()
    check(gate, auth, Outcome(454, "auth_unavailable", "backend_timeout", {"reason": "store_timed_out", "backend": "pam"}, "pam"))
    assert gate.metric("gatepost_auth_backend_requests_total", backend="pam", result="timeout") == 1
    daemon.thaw()
    daemon.kill()
    check(gate, auth, Outcome(454, "auth_unavailable", "backend_error", {"reason": "store_failed", "backend": "pam"}, "pam"))
    assert gate.metric("gatepost_auth_backend_requests_total", backend="pam", result="error") == 1


def test_success_says_what_it_rests_on(daemon, make_gatepost, sink):
    gate = make_gatepost(sink.port, sasl(daemon.path))
    for source, requests, hits, misses in (("store", 1, 0, 1), ("cache", 1, 1, 1)):
        before = len(lines_of(gate, "session"))
        with session(gate) as client:
            assert auth(client) == 235
            client.quit()
        found = wait_until(lambda: lines_of(gate, "session")[before:])
        assert {"source": source, "backend": "pam", "user": USER}.items() <= fields_of(found[0]).items(), found
        assert gate.metric("gatepost_auth_backend_requests_total", backend="pam", result="ok") == requests
        assert gate.metric("gatepost_auth_cache_lookups_total", backend="pam", result="hit") == hits
        assert gate.metric("gatepost_auth_cache_lookups_total", backend="pam", result="miss") == misses
    assert gate.metric("gatepost_auth_attempts_total", result="success", backend="pam") == 2
