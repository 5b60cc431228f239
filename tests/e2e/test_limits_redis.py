"""Limits that replicas share through a real Redis: exact while it is there, bounded while it is not, and never a stall or a 5xx for it."""
import itertools
import re
import signal
import threading
import time

import pytest
from harness.client import Closed
from harness.limit_load import Load
from harness.limits import ALICE, BOB, ELSEWHERE, HERE, attempt, begun, connect, decided, is_full, is_limited, limited, one, rule, send, visit
from harness.process import wait_until
from harness.redis import Redis, RedisSentinel

pytestmark = pytest.mark.xdist_group("limits-redis")
DEADLINE = 0.2  # limit_store.timeout of most
SOON = 1.5  # what a busy machine may add to it
UNTOUCHED = 1.5  # seconds; less than any wait for Redis in the tests that use it
KEPT = ("appendonly yes", "appendfsync always")  # what a killed Redis has said, its successor knows
PASSWORD = "s3cret-of-redis"


@pytest.fixture
def replica(make_gatepost, sink):
    """replica(url, *rules, **limit_store): one more Gatepost."""

    def start(url, *rules, changes=None, environment=None, **store):
        store = {"type": "redis", "url": url, "timeout": f"{int(DEADLINE * 1000)}ms", **store}
        return limited(make_gatepost, sink.port, *rules, changes={"limit_store": store, **(changes or {})}, environment=environment)

    return start


def url_of(redis):
    return f"redis://127.0.0.1:{redis.port}/0"


def counts(gate):
    """Gatepost has found its Redis: its answers are those of the store."""
    assert wait_until(lambda: gate.metric("gatepost_rate_limit_store_up") == 1, 10), gate.log
    return gate


def changes_of(gate):
    """What the log says of the store, in order; it begins with nothing, as all is well."""
    return re.findall(r" limit_store_(away|back) ", gate.log)


def know_each_other(gates):
    """Each worker of each has been asked, and knows how many they are, and so what its share would be."""
    for gate in gates:
        for client in [visit(gate, "carol") for _ in range(4)]:
            assert send(client) == 250
            client.quit()
    assert wait_until(lambda: all(gate.metric("gatepost_rate_limit_replicas") == len(gates) for gate in gates), 15, 0.1)


def test_three_replicas_count_as_one(make_redis, replica, sink):
    redis = make_redis()
    rules = [rule(rate="300/1d"), rule("recipients", "all", name="wide", rate="100000/1d"), rule("bytes", "ip", name="trial", rate="1KB/1d", enforce=False)]
    gates = [counts(replica(url_of(redis), *rules)) for _ in range(3)]
    before = len(sink.messages())
    load = Load(gates, 450)
    codes = load.end()
    assert sum(codes.values()) == 450 and set(codes) == {250, 451}
    assert 297 <= codes[250] <= 303, "within 1 %"
    assert len(sink.wait_for(before + codes[250])) == before + codes[250]
    for reply in load.replies:
        assert reply == 250 or is_limited(reply, at_most=288 * 6)
    assert all(decided(gate, "defer") > 0 for gate in gates)
    is_limited(one(gates[0]), at_most=288 * 6)
    assert one(gates[1], BOB) == 250


def test_replicas_know_each_other_before_anybody_asks(make_redis, replica):
    redis = make_redis()
    gates = [replica(url_of(redis), rule()) for _ in range(2)]
    assert wait_until(lambda: [gate.metric("gatepost_rate_limit_replicas") for gate in gates] == [2, 2], 12, 0.1)
    assert redis.command("ZCARD", "gatepost:replicas") == 2


def test_redis_killed_and_revived_under_load(make_redis, replica):
    redis = make_redis(Redis, *KEPT)
    gates = [counts(replica(url_of(redis), rule(rate="150/1d"))) for _ in range(3)]
    know_each_other(gates)
    load = Load(gates, 420, pause=0.01)
    load.seen(60)
    redis.kill()
    load.seen(260)
    again = make_redis(Redis, *KEPT, port=redis.port, name="again")
    codes = load.end()
    assert set(codes) == {250, 451}, "no 5xx"
    assert codes[250] <= 150 + 3 * 50, "at most the limit, and the share of each replica"
    assert codes[250] >= 60
    assert load.slowest < DEADLINE + SOON, "no stall"
    assert {gate.alive() for gate in gates} == {True}
    assert wait_until(lambda: again.command("ZCARD", "gatepost:replicas") == 3, 15), "each found it again"
    for gate in gates:
        assert wait_until(lambda: changes_of(gate) == ["away", "back"], 10), "one line a change"
        assert gate.metric("gatepost_rate_limit_store_errors_total") >= 1
    # All that there was is spent, and Redis knows its part of it.
    with visit(gates[0], BOB) as client:
        assert send(client) == 250
    left = next(left for left in range(152) if one(gates[left % 3]) != 250)
    assert codes[250] + left >= 150


def test_sentinel_failover_under_load(make_redis, replica):
    master = make_redis(name="master")
    other = make_redis(name="replica", replica_of=master)
    sentinel = make_redis(RedisSentinel, master)
    assert wait_until(lambda: sentinel.knows_replicas() == 1, 30), sentinel.log
    url = f"redis-sentinel://127.0.0.1:{sentinel.port}/main/0"
    gates = [counts(replica(url, rule(rate="100/1d"))) for _ in range(2)]
    know_each_other(gates)
    load = Load(gates, 100000, pause=0.02)
    load.seen(30)
    assert wait_until(lambda: "connected_slaves:1" in master.command("INFO", "replication"), 20)
    time.sleep(0.5)
    master.kill()
    assert wait_until(lambda: other.role() == "master", 30), sentinel.log
    assert wait_until(lambda: other.command("ZCARD", "gatepost:replicas") == 2, 20), "they followed"
    assert wait_until(lambda: any(reply == 451 for reply in load.replies), 20)
    load.left = 0
    codes = load.end()
    assert set(codes) == {250, 451}
    assert codes[250] <= 100 + 2 * 50 + 5, "and what the old master had not handed on yet"
    assert load.slowest < DEADLINE + SOON


# ---- Redis is away


def away(make_redis, replica, rules, **store):
    """A Gatepost that knew its Redis, and has lost it."""
    redis = make_redis()
    gate = counts(replica(url_of(redis), *rules, **store))
    redis.kill()
    return gate, redis


ALL_KINDS = [rule(rate="2/1d"), rule("auth_attempts", "ip", name="logins", rate="50/1d"), rule("connections", "ip", name="visits", rate="50/1d"), rule("sessions", "ip", name="tabs", rate=20)]


@pytest.mark.parametrize("how, expected", [("local", [250, 250, 451, 451]), ("allow", [250] * 4)])
def test_when_unavailable(make_redis, replica, how, expected):
    gate, _ = away(make_redis, replica, ALL_KINDS, when_unavailable=how)
    assert [one(gate).code for _ in range(4)] == expected
    assert [one(gate, None, "198.51.100.7").code for _ in range(3)] == [250] * 3
    if how == "allow":
        assert wait_until(lambda: decided(gate, "fail_open") >= 4)
    assert gate.metric("gatepost_rate_limit_store_errors_total") >= 1
    changes = changes_of(gate)
    assert gate.metric("gatepost_rate_limit_store_up") == 0 and changes[-1] == "away"
    assert all(one != other for one, other in itertools.pairwise(changes)), "a line a change (a slow machine may have seen more of them)"


@pytest.mark.parametrize("rules, code", [
    ([rule()], "451 4.3.0"), ([rule("recipients")], "451 4.3.0"), ([rule("bytes", rate="5MB/1d")], "451 4.3.0"), ([rule("auth_attempts", "ip")], "454 4.7.0"),
    ([rule("auth_failures", "user")], "454 4.7.0"), ([rule("sessions", "user")], "454 4.7.0"), ([rule("connections", "ip")], "421 4.3.0"), ([rule("sessions", "ip")], "421 4.3.0"),
], ids=lambda value: "-".join(f"{one_rule['count']}-{one_rule['per']}" for one_rule in value) if isinstance(value, list) else "")  # fmt: skip
def test_defer_while_redis_is_away(make_redis, replica, rules, code):
    gate, redis = away(make_redis, replica, rules, when_unavailable="defer")
    heard = []
    for _ in range(2):
        client = connect(gate)
        heard.append(client.greeting)
        if client.greeting == 220:
            client.ehlo()
            heard[-1] = attempt(client)
            if heard[-1] == 235:
                heard[-1] = send(client)
                assert client.command("NOOP") == 250
        client.socket.close()
    assert heard == [code] * 2
    assert decided(gate, "unavailable") >= 2
    make_redis(Redis, port=redis.port, name="again")
    assert wait_until(lambda: one_or_none(gate) == 250, 10, 0.1), "it is back"


def one_or_none(gate):
    try:
        return one(gate)
    except (AssertionError, Closed):
        return None


def test_redis_that_hangs_holds_nobody_longer_than_the_deadline(make_redis, replica):
    redis = make_redis()
    mine = rule(rate="1000/1d", when={"user": ALICE})
    gate = counts(replica(url_of(redis), mine, timeout="2s"))
    hurt, unhurt = visit(gate, ALICE), visit(gate, BOB)
    assert send(hurt) == 250
    redis.process.send_signal(signal.SIGSTOP)
    slowest = [0.0]

    def meanwhile():
        while not over.is_set():
            began = time.monotonic()
            assert send(unhurt) == 250
            slowest[0] = max(slowest[0], time.monotonic() - began)

    over = threading.Event()
    thread = threading.Thread(target=meanwhile)
    thread.start()
    took = []
    for _ in range(6):
        began = time.monotonic()
        assert send(hurt) == 250
        took.append(time.monotonic() - began)
    over.set()
    thread.join()
    assert 0.5 < max(took) < 2 + SOON, took
    assert took[-1] < UNTOUCHED, "by then nobody asks it any more"
    assert slowest[0] < UNTOUCHED, "others never wait"
    redis.process.send_signal(signal.SIGCONT)
    before = redis.command("DBSIZE")
    assert wait_until(lambda: changes_of(gate) == ["away", "back"], 20), gate.log[-2000:]
    assert send(hurt) == 250 and before >= 1


# ---- other ways, other counts


def test_tls_and_a_password(make_redis, replica, tls):
    redis = make_redis(Redis, f"requirepass {PASSWORD}", tls=tls)
    fine = f"rediss://:{PASSWORD}@localhost:{redis.tls_port}/0"
    gates = [counts(replica(fine, rule(), environment={"SSL_CERT_FILE": str(tls.ca)})) for _ in range(2)]
    assert [one(gates[turn % 2]).code for turn in range(4)] == [250, 250, 250, 451]
    wrong = replica(fine.replace(PASSWORD, "wrong-one"), rule(), environment={"SSL_CERT_FILE": str(tls.ca)}, when_unavailable="defer")
    stranger = replica(fine, rule(), when_unavailable="defer")
    for gate in (wrong, stranger):
        assert one(gate) == "451 4.3.0"
        assert PASSWORD not in gate.log and "wrong-one" not in gate.log


def test_a_new_password_in_its_file_is_taken(make_redis, replica, tmp_path):
    """By each worker's connection and by that of the admin socket. All else of limit_store stays until a restart."""
    redis = make_redis(Redis, f"requirepass {PASSWORD}")
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    gate = counts(replica(url_of(redis), rule(), changes={"workers": 2}, password_file=str(file)))
    operator = redis.client()
    operator("AUTH", PASSWORD)
    operator("CONFIG", "SET", "requirepass", "another-of-redis")
    operator("CLIENT", "KILL", "TYPE", "normal")
    operator.close()
    gate.wait_for_metric("gatepost_rate_limit_store_up", 0)
    file.write_text("another-of-redis")
    gate.wait_for_metric("gatepost_rate_limit_store_up", 1)
    assert wait_until(lambda: changes_of(gate)[-1] == "back") and one(gate) == 250
    assert PASSWORD not in gate.log and "another-of-redis" not in gate.log


def test_guesses_are_remembered_by_all_replicas(make_redis, replica):
    redis = make_redis()
    changes = {"auth": {"guessing": {"per_ip": "2/10m"}}}
    first, second = (counts(replica(url_of(redis), changes=changes)) for _ in range(2))
    for gate in (first, second):
        with visit(gate) as client:
            assert attempt(client, password="guess") == 535
    for gate in (first, second):
        with visit(gate) as client:
            assert attempt(client) == "454 4.7.0"
        with visit(gate, None, ELSEWHERE) as client:
            assert attempt(client) == 235


def test_places_of_a_replica_that_died_become_free(make_redis, replica):
    redis = make_redis()
    first = counts(replica(url_of(redis), rule("sessions", "all", rate=2)))
    held = [visit(first, None, HERE) for _ in range(2)]
    names = redis.command("ZRANGE", "gatepost:replicas", 0, -1)
    second = counts(replica(url_of(redis), rule("sessions", "all", rate=2)))
    is_full(connect(second).greeting, "421 4.7.0")
    first.process.kill()
    first.process.wait()
    is_full(connect(second).greeting, "421 4.7.0")  # nobody knows yet
    assert len(names) == 1
    redis.command("ZADD", "gatepost:replicas", 1, names[0])  # as if it had not been heard of for half a minute
    places = []
    assert wait_until(lambda: places.append(connect(second)) or places[-1].greeting == 220, 10, 0.2)
    places.append(connect(second))
    assert places[-1].greeting == 220
    is_full(connect(second).greeting, "421 4.7.0")
    for client in [*held, *places]:
        client.socket.close()


def test_messages_under_way_when_redis_comes_and_goes_are_given_back_where_they_were_counted(make_redis, replica):
    redis = make_redis(Redis, *KEPT)
    gate = counts(replica(url_of(redis), rule(rate="2/1d")))
    clients = [begun(visit(gate, ALICE)) for _ in range(2)]
    redis.kill()
    for client in clients:
        assert client.command("RSET") == 250
        client.quit()
    assert [one(gate).code for _ in range(3)] == [250, 250, 451], "its own share"
    make_redis(Redis, *KEPT, port=redis.port, name="again")
    assert wait_until(lambda: changes_of(gate)[-1:] == ["back"], 15)
    assert one(gate).code in (250, 451), "a crash loses a little allowance, at most"
