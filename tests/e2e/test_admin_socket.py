"""`gatepost limits` and the admin socket of the real program: what is counted is seen, forgotten, and nobody else is answered."""
import json
import os
import signal
import socket
import stat

import pytest
from harness.client import Client
from harness.gatepost import USERS, Gatepost, command
from harness.limits import ALICE, ELSEWHERE, HERE, attempt, limited, rule, send, visit
from harness.process import wait_until
from harness.redis import Redis

KEY = f"limit:tested:{ALICE}"


@pytest.fixture
def gate(make_gatepost, sink, short_folder):
    rules = (rule(rate="3/1h"), rule(count="sessions", per="ip", rate=2, name="here", enforce=False))
    guessing = {"per_ip": "20/10m", "per_network": "off", "per_user_and_network": "off", "per_user_delay": "off"}
    return limited(make_gatepost, sink.port, *rules, changes={"admin": {"socket": str(short_folder / "admin.sock")}, "auth": {"guessing": guessing}})


def limits(gate, verb, *words):
    return command("limits", verb, "--config", gate.config_path, *words)


def ask(path, octets):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(20)
        one.connect(path)
        one.sendall(octets)
        return b"".join(iter(lambda: one.recv(4096), b""))


def rows(gate, *words):
    done = limits(gate, "list", "--json", *words)
    assert done.returncode == 0, done.stderr
    return {row["key"]: row for row in json.loads(done.stdout)}


def test_list_shows_the_most_used_first_and_what_is_refused_now(gate):
    assert limits(gate, "list").stdout == "nothing is counted\n"
    with visit(gate, ALICE) as client:
        for _ in range(3):
            assert send(client) == 250
        assert send(client) == 451
        found = rows(gate)
        assert list(found) == [KEY, f"limit:here:{HERE}"]
        assert (found[KEY]["used"], found[KEY]["burst"], found[KEY]["refused"]) == (3, 3, "defer")
        assert 1100 < found[KEY]["retry_after"] <= 1200 and 3500 < found[KEY]["worn_off_in"] <= 3600
        assert found[f"limit:here:{HERE}"]["used"] == 1
        with visit(gate):
            assert rows(gate)[f"limit:here:{HERE}"]["refused"] == "dry-run"
    table = limits(gate, "list", "limit:tested:").stdout.splitlines()
    assert table[0].split() == ["KEY", "COUNT", "USED", "OF", "REFUSED", "NOW", "WORN", "OFF", "IN"]
    assert table[1].split() == [KEY, "messages", "3", "3", "defer", "for", "20", "min", "60", "min"]
    assert len(table) == 2
    assert list(rows(gate, "guess:")) == []


def test_show_tells_the_rule_of_a_key_and_reset_forgets_it(gate):
    with visit(gate, ALICE) as client:
        for _ in range(3):
            assert send(client) == 250
        shown = json.loads(limits(gate, "show", KEY, "--json").stdout)
        assert (shown["rule"], shown["rate"], shown["used"], shown["action"], shown["enforce"]) == ("tested", "3/1h", 3, "defer", True)
        assert "worn_off_in  60 min" in limits(gate, "show", KEY).stdout
        assert send(client) == 451
        done = limits(gate, "reset", KEY)
        assert (done.returncode, done.stdout) == (0, f"forgot what was counted under {KEY}\n")
        assert send(client) == 250
    assert wait_until(lambda: f'admin_command uid={os.geteuid()} what="forgot what was counted under {KEY}"' in gate.log)
    for verb in ("show", "reset"):
        done = limits(gate, verb, "limit:tested:nobody")
        assert done.returncode == 1 and "nothing is counted under limit:tested:nobody" in done.stderr
    done = limits(gate, "show", "limit:unknown:x")
    assert done.returncode == 1 and "no rule counts under" in done.stderr


def test_guesses_are_keys_too_and_a_reset_lets_them_try_again(gate):
    with visit(gate, address=ELSEWHERE) as client:
        for _ in range(20):
            assert attempt(client, password="wrong") == 535
        assert attempt(client) == 454
        shown = json.loads(limits(gate, "show", f"guess:ip:{ELSEWHERE}", "--json").stdout)
        assert (shown["rule"], shown["used"], shown["refused"]) == ("auth.guessing.per_ip", 20, "defer")
        assert limits(gate, "reset", f"guess:ip:{ELSEWHERE}").returncode == 0
        assert attempt(client) == 235


def test_counts_in_redis_are_seen_and_forgotten_too(make_gatepost, sink, tmp_path, short_folder):
    redis = Redis(tmp_path)
    try:
        store = {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/0", "timeout": "2s"}
        rules = (rule(rate="3/1h"), rule(count="sessions", per="ip", rate=2, name="here"))
        gate = limited(make_gatepost, sink.port, *rules, changes={"admin": {"socket": str(short_folder / "admin.sock")}, "limit_store": store})
        with visit(gate, ALICE) as client:
            for _ in range(3):
                assert send(client) == 250
            found = rows(gate)
            assert (found[KEY]["used"], found[KEY]["refused"], found[f"limit:here:{HERE}"]["used"]) == (3, "defer", 1)
            who = ("--user", ALICE, "--ip", HERE, "--from", ALICE, "--to", "x@example.net", "--listener", "submission")
            told = command("explain", "--config", gate.config_path, *who).stdout
            assert "3 of 3 used: defers for 20 min" in told and "1 of 2 used: allows" in told, told
            assert limits(gate, "reset", KEY).returncode == 0
            assert KEY not in rows(gate)
            assert send(client) == 250
        gate.stop()
    finally:
        redis.stop()


def test_socket_is_the_owners_and_the_groups_and_goes_with_the_process(make_gatepost, sink, short_folder):
    path = short_folder / "admin.sock"
    gate = make_gatepost(sink.port, {"admin": {"socket": str(path)}})
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert ask(str(path), b"limits\tlist\n") == b"ok\nkey\tcount\tused\tburst\trefused\tretry_after\tworn_off_in\n"
    refused = ask(str(path), b"nothing\n")
    assert refused.startswith(b"error\nno command \"nothing\"; there are:\n") and b"\n  limits list" in refused
    assert ask(str(path), b"x" * 5000).startswith(b"error\na request has at most 4096 octets")
    second = command("serve", "--config", gate.config_path)
    assert second.returncode != 0 and path.exists()
    gate.terminate()
    assert not path.exists()
    done = limits(gate, "list")
    assert done.returncode == 3 and "nobody answers at" in done.stderr


def test_what_a_killed_process_left_is_replaced(tls, sink, tmp_path, short_folder):
    path = short_folder / "admin.sock"
    changes = {"admin": {"socket": str(path)}}
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    first = Gatepost(folders[0], tls, sink.port, changes)
    first.process.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not first.alive()) and path.exists()
    second = Gatepost(folders[1], tls, sink.port, changes)
    assert ask(str(path), b"limits\tlist\n").startswith(b"ok\n")
    second.stop()


def test_clients_that_never_finish_hold_up_nobody(make_gatepost, sink, short_folder):
    path = short_folder / "admin.sock"
    gate = make_gatepost(sink.port, {"admin": {"socket": str(path)}})
    idle = [socket.socket(socket.AF_UNIX) for _ in range(16)]
    for one in idle:
        one.settimeout(20)
        one.connect(str(path))
        one.sendall(b"limits")
    assert ask(str(path), b"limits\tlist\n").startswith(b"ok\n"), "the oldest of those that ask nothing makes room"
    first = idle.pop(0)
    assert first.recv(4096).startswith(b"error\ntoo many ask at once")
    first.close()
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(ALICE, USERS[ALICE])
        assert send(client) == 250
    for one in idle:
        assert b"".join(iter(lambda one=one: one.recv(4096), b"")).startswith(b"error\na request is one line")
        one.close()
    assert ask(str(path), b"limits\tlist\n").startswith(b"ok\n")


def test_without_a_socket_it_is_said_how_to_set_it(make_gatepost, sink):
    gate = make_gatepost(sink.port)
    done = limits(gate, "list")
    assert done.returncode == 2 and "admin: {socket: /run/gatepost/admin.sock}" in done.stderr
