"""Credentials in Debian's Redis through the whole program: every way to reach it, changes at once, and what its outages look like from outside."""
import contextlib
import signal
import smtplib
import socket
import subprocess
import threading
import time

import pytest
from harness.client import Client, plain, scram_challenge, scram_keys, trusting_context
from harness.gatepost import command
from harness.process import free_port, wait_until
from harness.redis import Redis, RedisSentinel
from harness.reload import Reloads

USER, PASSWORD = "ann@example.com", "staple, battery=horse"
REDIS_PASSWORD = "s3cret-of-redis"
TIMEOUT = 1  # seconds that Redis may take


def record(scheme="SCRAM-SHA-256", password=PASSWORD):
    done = command("hash", "--scheme", scheme, input=password + "\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def keys():
    return record()


@pytest.fixture
def gate_on(make_gatepost, make_sink, tmp_path):
    """A Gatepost whose users are in the Redis at `url`; with `users`, behind or in front of a users file."""
    hidden = []

    def made(url, auth=None, workers="auto", **backend):
        redis = {"type": "redis", "url": url, "timeout": f"{TIMEOUT}s", **backend}
        changes = {"backends": {"users": redis}, "auth": {"backends": ["users"], "mechanisms": ["SCRAM-SHA-256", "PLAIN", "LOGIN"], **(auth or {})},
                   "workers": workers}
        gate = make_gatepost(make_sink().port, changes)
        gate.users[USER] = PASSWORD
        hidden.append(gate)
        return gate

    yield made
    for gate in hidden:
        assert REDIS_PASSWORD not in gate.log, "the password of Redis is in the log"
        assert "SCRAM-SHA-256}" not in gate.log and "$2b$" not in gate.log, "a record is in the log"


@contextlib.contextmanager
def connected(gate):
    with Client(gate.tls_port, implicit_tls=True, timeout=30) as client:
        client.ehlo()
        yield client


def auth(gate, user=USER, password=PASSWORD):
    with connected(gate) as client:
        return client.command(f"AUTH PLAIN {plain(user, password)}")


def logs_in(gate, user=USER, password=PASSWORD, seconds=10):
    assert wait_until(lambda: auth(gate, user, password).code == 235, seconds, 0.1), gate.log[-3000:]


def msmtp(gate, tls, password=PASSWORD, user=USER):
    """SCRAM-SHA-256 by somebody else's client."""
    secret = gate.folder / "password"
    secret.write_text(password + "\n")
    words = ["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={gate.tls_port}", "--tls=on", "--tls-starttls=off", f"--tls-trust-file={tls.ca}",
             "--auth=scram-sha-256", f"--user={user}", f"--passwordeval=cat {secret}", f"--from={user}", "--", "bob@example.net"]  # fmt: skip
    return subprocess.run(words, input=b"Subject: by scram\n\n", capture_output=True, timeout=60)


def swaks(gate, tls, mechanism, password=PASSWORD):
    words = ["swaks", "--server", "127.0.0.1", "--port", gate.tls_port, "--tlsc", "--tls-verify", "--tls-ca-path", tls.ca, "--auth", mechanism, "--auth-user", USER,
             "--auth-password", password, "--from", USER, "--to", "bob@example.net", "--body", "hello"]  # fmt: skip
    return subprocess.run([str(word) for word in words], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def serves_all_clients(gate, tls):
    logs_in(gate)
    for mechanism in ("PLAIN", "LOGIN"):
        done = swaks(gate, tls, mechanism)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        assert b"535 5.7.8" in swaks(gate, tls, mechanism, "wrong").stdout
    done = msmtp(gate, tls)
    assert done.returncode == 0, done.stderr.decode()
    assert b"535" in msmtp(gate, tls, "wrong").stderr
    assert b"535" in msmtp(gate, tls, user="nobody@example.com").stderr
    with smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context()) as client:
        client.login(USER, PASSWORD)
        client.sendmail(USER, ["bob@example.net"], b"Subject: by smtplib\r\n\r\n")
    gate.wait_for_log("mechanism=SCRAM-SHA-256 backend=users reason=wrong_password")
    assert gate.metric("gatepost_auth_attempts_total", backend="users", result="success") >= 5


def test_strangers_show_what_the_first_user_does_at_every_worker(make_redis, gate_on, keys):
    redis = make_redis()
    redis.set_user(USER, record=keys)
    redis.set_user("first", record=scram_keys(8192, 24))
    redis.set_user("second", record=scram_keys(20000, 9))
    gate = gate_on(f"redis://127.0.0.1:{redis.port}/0", workers=4)
    with contextlib.ExitStack() as open_together:
        clients = [open_together.enter_context(connected(gate)) for _ in range(8)]
        assert wait_until(lambda: clients[0].command("AUTH SCRAM-SHA-256 biwsbj1maXJzdCxyPWFiYw==").code == 334 and clients[0].command("*") == 501, 10, 0.1)
        for client in clients:
            assert scram_challenge(client, "second")[1] == 20000
        shown = {scram_challenge(client, "nobody") for client in clients}
        redis.set_user("bare", disabled="1")
        shown_of_disabled = scram_challenge(clients[0], "bare")
    assert {(len(salt), iterations) for salt, iterations in shown} == {(24, 8192)} and len(shown) == 1
    assert (len(shown_of_disabled[0]), shown_of_disabled[1]) == (24, 8192), "who is disabled and has no record is a stranger"


# ---- every way to reach it


def test_tcp(make_redis, gate_on, tls, keys):
    redis = make_redis()
    redis.set_user(USER, record=record("BLF-CRYPT"), scram=keys)
    gate = gate_on(f"redis://127.0.0.1:{redis.port}/0")
    serves_all_clients(gate, tls)
    assert gate.metric("gatepost_auth_backend_requests_total", backend="users", result="ok") >= 8
    assert gate.metric("gatepost_auth_backend_request_duration_seconds_count", backend="users") >= 8
    assert gate.metric("gatepost_auth_backend_connections", backend="users") >= 1
    assert gate.log.count(" backend_up ") == 1, "one line, however many workers"
    redis.kill()
    gate.wait_for_log(" backend_down ")
    assert wait_until(lambda: gate.metric("gatepost_auth_backend_connections", backend="users") == 0)


def test_a_lost_redis_is_seen_after_reloads_too(make_redis, gate_on, keys):
    redis = make_redis()
    redis.set_user(USER, record=record("BLF-CRYPT"), scram=keys)
    gate = gate_on(f"redis://127.0.0.1:{redis.port}/0", workers=2)

    def connections():
        return gate.metric("gatepost_auth_backend_connections", backend="users")

    reloads = Reloads(gate)
    logs_in(gate)
    for number in range(3):
        reloads.hup({"session": {"max_errors": 20 + number}})
        assert wait_until(lambda: connections() == 2, 10), "one a worker, and not those of former configurations"
    redis.kill()
    assert wait_until(lambda: connections() == 0)


def test_tls_of_an_own_authority(make_redis, gate_on, tls, keys):
    redis = make_redis(tls=tls)
    redis.set_user(USER, record=keys)
    serves_all_clients(gate_on(f"rediss://localhost:{redis.tls_port}", tls_ca=str(tls.ca)), tls)
    stranger = gate_on(f"rediss://localhost:{redis.tls_port}", tls_ca=str(tls.other.certificate))
    assert auth(stranger) == "454 4.7.0"
    stranger.wait_for_log(" backend_down ")
    assert "certificate" in next(line for line in stranger.log.splitlines() if " backend_down " in line)


def test_unix_socket(make_redis, gate_on, tls, keys):
    redis = make_redis()
    redis.set_user(USER, record=keys)
    serves_all_clients(gate_on(f"unix://{redis.unix}"), tls)


ACL = ["user default off", "user admin on >root ~* &* +@all", f"user gate on >{REDIS_PASSWORD} ~gatepost:user:* -@all +hgetall +auth +ping +client|setname"]


def as_admin(redis, *words):
    client = redis.client()
    client("AUTH", "admin", "root")
    answer = client(*words)
    client.close()
    return answer


def test_acl_user_and_a_password_that_is_rotated(make_redis, gate_on, tls, tmp_path, keys):
    redis = make_redis(Redis, *ACL)
    as_admin(redis, "HSET", f"gatepost:user:{USER}", "record", keys)
    secret = tmp_path / "redis-password"
    secret.write_text(REDIS_PASSWORD + "\n")
    gate = gate_on(f"redis://127.0.0.1:{redis.port}", username="gate", password_file=str(secret), auth={"cache": {"ttl": "0s"}})
    serves_all_clients(gate, tls)
    as_admin(redis, "ACL", "SETUSER", "gate", "resetpass", f">{REDIS_PASSWORD}-2")
    as_admin(redis, "CLIENT", "KILL", "USER", "gate")
    assert wait_until(lambda: auth(gate) == "454 4.7.0"), "its password is no longer right"
    secret.write_text(REDIS_PASSWORD + "-2\n")
    logs_in(gate)
    assert wait_until(lambda: "the password has changed" in gate.log)


def test_wrong_password_of_redis_is_454_and_logged_without_it(make_redis, gate_on, keys):
    redis = make_redis(Redis, *ACL)
    as_admin(redis, "HSET", f"gatepost:user:{USER}", "record", keys)
    gate = gate_on(f"redis://gate:{REDIS_PASSWORD}-wrong@127.0.0.1:{redis.port}")
    assert auth(gate) == "454 4.7.0"
    gate.wait_for_log("WRONGPASS")
    gate.wait_for_log(" auth_unavailable ")
    assert gate.metric("gatepost_auth_attempts_total", backend="users", result="backend_error") == 1
    assert gate.admin("/readyz")[0] == 200


# ---- what stands there


def test_changes_take_effect_at_the_next_login(make_redis, gate_on, tls, keys):
    redis = make_redis()
    redis.set_user(USER, record=keys)
    gate = gate_on(f"redis://127.0.0.1:{redis.port}", auth={"cache": {"ttl": "10m"}})
    gate.users[f"{USER} "] = "another-password-8"
    logs_in(gate)
    redis.set_user(USER, record=record(password="another-password-8"))
    assert auth(gate) == "535 5.7.8"
    assert auth(gate, password="another-password-8") == 235
    redis.set_user(USER, disabled=1)
    assert auth(gate, password="another-password-8") == "535 5.7.8"
    gate.wait_for_log("reason=disabled")
    redis.set_user(USER, disabled=0)
    assert auth(gate, password="another-password-8") == 235
    redis.command("DEL", f"gatepost:user:{USER}")
    assert auth(gate, password="another-password-8") == "535 5.7.8"
    gate.wait_for_log("reason=unknown_user")


def test_what_is_no_record_is_454_and_says_so(make_redis, gate_on, tls, keys):
    redis = make_redis()
    redis.set_user("garbled@example.com", record="{SCRAM-SHA-256}4096,xx")
    redis.set_user("bare@example.com", limit_class="bulk")
    redis.set_user("half@example.com", record=keys, scram="garbled")
    gate = gate_on(f"redis://127.0.0.1:{redis.port}")
    logs_in(gate, "half@example.com")
    for number, user in enumerate(("garbled@example.com", "bare@example.com"), 1):
        assert auth(gate, user) == "454 4.7.0"
        assert wait_until(lambda: gate.log.count("backend=users reason=bad_record") == number), gate.log[-2000:]
    assert b"454" in msmtp(gate, tls, user="half@example.com").stderr


def test_mechanisms_are_what_the_backend_says(make_redis, gate_on):
    gate = gate_on(f"redis://127.0.0.1:{make_redis().port}", mechanisms=["PLAIN", "LOGIN"])
    with Client(gate.tls_port, implicit_tls=True) as client:
        assert client.ehlo()["AUTH"].split() == ["PLAIN", "LOGIN"]


def test_backends_are_asked_in_order(make_redis, gate_on, keys):
    redis = make_redis()
    redis.set_user("alice@example.com", record=keys)  # whom the users file knows too, with another password
    redis.set_user(USER, record=keys)
    url = f"redis://127.0.0.1:{redis.port}"
    first = gate_on(url, auth={"backends": ["users", "local"], "mechanisms": ["PLAIN"]})
    last = gate_on(url, auth={"backends": ["local", "users"], "mechanisms": ["PLAIN"]})
    logs_in(first)
    logs_in(last)
    assert [auth(gate, "alice@example.com").code for gate in (first, last)] == [235, 535]
    assert [auth(gate, "alice@example.com", "correct horse battery").code for gate in (first, last)] == [535, 235]
    assert auth(first, "carol", "staple-7421-zebra") == 235, "the next one knows her"
    redis.kill()
    assert auth(first, "bob@example.com", "pa:ss\\wörd") == "454 4.7.0", "he may be Redis' as well"
    assert auth(last, "carol", "staple-7421-zebra") == 235


def test_check_names_what_is_wrong_where_it_is_written(make_gatepost, make_sink, tls, tmp_path):
    gate = make_gatepost(make_sink().port)
    for key, value, said in (("url", f"redis://:{REDIS_PASSWORD}@localhost:99999", "url"), ("tls_ca", str(tls.rsa.key), "tls_ca"), ("key", "users", "{user}")):
        lines = ["    type: redis", '    url: "rediss://localhost"', f'    {key}: "{value}"']
        if key == "url":
            lines.pop(1)
        text = "\n".join(["hostname: gate.example", "listeners:", '  - {name: a, address: "127.0.0.1:2525", tls: starttls}',
                          f'tls: {{certificates: [{{certificate: "{tls.rsa.certificate}", key: "{tls.rsa.key}"}}]}}', "auth: {backends: [users]}", "backends:", "  users:", *lines,
                          'upstreams: [{name: default, servers: ["127.0.0.1:25"]}]', ""])  # fmt: skip
        path = tmp_path / "bad.yaml"
        path.write_text(text)
        done = command("check", "--config", path)
        line = text.splitlines().index(f'    {key}: "{value}"') + 1
        assert done.returncode == 1 and f"{path}:{line}:" in done.stdout + done.stderr and said in done.stdout + done.stderr, done
        assert REDIS_PASSWORD not in done.stdout + done.stderr
    assert gate.alive()


# ---- outages


class Load:
    """Threads that log in again and again, each as its own kind of user, and what they were told."""

    def __init__(self, gate, *, known, fresh):
        self.gate, self.known, self.fresh = gate, known, iter(fresh)
        self.known_codes, self.fresh_codes = [], []
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(kind,), daemon=True) for kind in ("known", "fresh", "fresh")]
        for thread in self.threads:
            thread.start()

    def _run(self, kind):
        while not self.over.is_set():
            with self.lock:
                user = self.known if kind == "known" else next(self.fresh)
            code = auth(self.gate, user).code
            (self.known_codes if kind == "known" else self.fresh_codes).append(code)
            time.sleep(0.02)

    def wait_for(self, code, seconds):
        """Until somebody fresh hears `code` from now on."""
        begin = len(self.fresh_codes)
        assert wait_until(lambda: code in self.fresh_codes[begin:], seconds), (code, self.fresh_codes[-20:], self.gate.log[-2000:])

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


FRESH = [f"u{number}@example.com" for number in range(3000)]


def fill(redis, keys):
    client = redis.client()
    for user in [USER, *FRESH]:
        client("HSET", f"gatepost:user:{user}", "record", keys)
    client.close()


def test_killing_redis_under_load(make_redis, gate_on, keys):
    redis = make_redis()
    fill(redis, keys)
    redis.command("SAVE")
    gate = gate_on(f"redis://127.0.0.1:{redis.port}", auth={"cache": {"ttl": "10m"}})
    logs_in(gate)
    load = Load(gate, known=USER, fresh=FRESH)
    load.wait_for(235, 10)
    redis.kill()
    load.wait_for(454, 10)
    time.sleep(1.5)
    assert gate.admin("/readyz")[0] == 200
    assert auth(gate, password="wrong") == "454 4.7.0", "nobody can say that it is wrong"
    assert auth(gate, user="nobody@example.com") == "454 4.7.0"
    make_redis(Redis, port=redis.port, name="again")  # with the same dump
    load.wait_for(235, 15)
    load.stop()
    assert set(load.known_codes) == {235}, "who is in the cache goes on"
    assert set(load.fresh_codes) == {235, 454}
    assert wait_until(lambda: auth(gate, password="wrong") == "535 5.7.8"), "each worker finds it by itself"
    assert gate.log.count(" backend_down ") == 1 and gate.log.count(" backend_up ") == 2, "changes only"
    assert " backend_breaker " in gate.log


def test_sentinel_failover_under_load(make_redis, gate_on, tls, keys):
    master = make_redis(name="master")
    replica = make_redis(name="replica", replica_of=master)
    sentinel = make_redis(RedisSentinel, master)
    fill(master, keys)
    assert wait_until(lambda: sentinel.knows_replicas() == 1, 30), sentinel.log
    assert wait_until(lambda: replica.command("DBSIZE") == len(FRESH) + 1, 30), replica.log
    gate = gate_on(f"redis-sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}/main/0", auth={"cache": {"ttl": "10m"}})
    serves_all_clients(gate, tls)
    load = Load(gate, known=USER, fresh=FRESH)
    load.wait_for(235, 10)
    master.kill()
    load.wait_for(454, 10)
    gate.wait_for_log(f"endpoint=127.0.0.1:{replica.port}", 40)
    load.wait_for(235, 15)
    load.stop()
    assert set(load.known_codes) == {235}
    assert set(load.fresh_codes) == {235, 454}, "never 535"
    assert wait_until(lambda: msmtp(gate, tls).returncode == 0, 15), "each worker follows by itself"


def test_redis_that_is_not_there_yet(make_redis, gate_on, keys):
    port = free_port()
    gate = gate_on(f"redis://127.0.0.1:{port}")  # it is ready
    assert auth(gate) == "454 4.7.0"
    redis = make_redis(port=port)
    redis.set_user(USER, record=keys)
    logs_in(gate)


class Silent:
    """Accepts, and never answers."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.taken = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                self.taken.append(self.listening.accept()[0])

    def close(self):
        self.listening.close()
        for one in self.taken:
            one.close()


def hang(gate, other):
    """40 log-ins that hang, beside a session that must not notice."""
    before = gate.descriptors()
    replies = []

    def one(number):
        begin = time.monotonic()
        replies.append((auth(gate, FRESH[number]), time.monotonic() - begin))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        begin = time.monotonic()
        assert other.mail(b"Subject: meanwhile\r\n\r\n") == 250
        slowest = max(slowest, time.monotonic() - begin)
    for thread in threads:
        thread.join()
    assert len(replies) == 40 and {f"{reply.code} {reply.enhanced}" for reply, _ in replies} == {"454 4.7.0"}
    assert max(took for _, took in replies) < TIMEOUT + 4
    assert slowest < 2, "others waited for Redis"
    # A connection attempt to Redis may stand at any moment, one a worker.
    assert wait_until(lambda: gate.descriptors() <= before + 4), (before, gate.descriptors())
    return max(took for _, took in replies)


def test_redis_that_hangs(make_redis, gate_on, keys):
    redis = make_redis()
    fill(redis, keys)
    gate = gate_on(f"redis://127.0.0.1:{redis.port}")
    logs_in(gate)
    with connected(gate) as other:
        other.login(USER, PASSWORD)
        redis.process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        assert auth(gate, FRESH[0]) == "454 4.7.0"
        assert TIMEOUT - 0.2 < time.monotonic() - begin < TIMEOUT + 3
        hang(gate, other)
        assert auth(gate) == 235, "who is in the cache goes on"
        redis.process.send_signal(signal.SIGCONT)
        logs_in(gate, FRESH[1], seconds=15)
    assert gate.metric("gatepost_auth_backend_requests_total", backend="users", result="timeout") >= 1
    assert gate.metric("gatepost_auth_attempts_total", backend="users", result="invalid_credentials") == 0


def test_redis_that_never_answered(gate_on):
    silent = Silent()
    gate = gate_on(f"redis://127.0.0.1:{silent.port}", auth={"backends": ["local", "users"], "mechanisms": ["PLAIN"]})
    with connected(gate) as other:
        other.login("carol", "staple-7421-zebra")
        hang(gate, other)
        hang(gate, other)
    silent.close()
