"""The Redis store against Debian's Redis: plain, unix socket, TLS, ACL user, death and return, and a failover by Sentinel."""
import signal
import subprocess
import threading
import time

import pytest
from harness.process import build_folder, wait_until
from harness.redis import Redis, RedisSentinel


class Asker:
    """gatepost-redis-ask and what it has said."""

    def __init__(self, url, *more):
        command = [str(word) for word in (build_folder() / "gatepost-redis-ask", url, *more)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def answers(self):
        return [line for line in list(self.lines) if not line.startswith("#")]

    def send(self, *users):
        self.process.stdin.write("".join(f"{user}\n" for user in users))
        self.process.stdin.flush()

    def ask(self, user):
        before = len(self.answers())
        self.send(user)
        assert wait_until(lambda: len(self.answers()) > before), f"no answer: {self.lines}"
        return self.answers()[before].removeprefix(f"{user} ")

    def ask_until(self, user, wanted, seconds=15):
        found = wait_until(lambda: self.ask(user) == wanted, seconds, 0.05)
        assert found, f"{user} never was {wanted!r}: {self.lines[-20:]}"

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0, self.lines
        self.reader.join()


@pytest.fixture
def make(tmp_path):
    """Starts any of the above; all end with the test."""
    made = []

    def start(kind, *words, **more):
        made.append(kind(*words, **more))
        return made[-1]

    yield start
    for one in reversed(made):
        one.close() if isinstance(one, Asker) else one.stop()


RECORD = "{SCRAM-SHA-256}4096,c2FsdA==,AAAA,BBBB"


def test_plain(make, tmp_path):
    redis = make(Redis, tmp_path)
    redis.set_user("bob", record=RECORD, limit_class="bulk", senders="*@example.org", upstream="other", phone="7")
    redis.set_user("off", record=RECORD, disabled=1)
    redis.set_user("scram", scram="4096,c2FsdA==,AAAA,BBBB")
    redis.command("SET", "gatepost:user:string", "x")
    asker = make(Asker, f"redis://127.0.0.1:{redis.port}/0")
    assert asker.ask("bob") == "found {SCRAM-SHA-256} limit_class=bulk senders=*@example.org upstream=other"
    assert asker.ask("off") == "found {SCRAM-SHA-256} disabled"
    assert asker.ask("scram") == "found {SCRAM-SHA-256}"
    assert asker.ask("nobody") == "unknown"
    assert asker.ask("string") == "unavailable"
    redis.set_user("bob", disabled=1)
    assert "disabled" in asker.ask("bob"), "a change takes effect at once"
    assert "name=gatepost" in redis.command("CLIENT", "LIST")


def test_unix_socket_and_database(make, tmp_path):
    redis = make(Redis, tmp_path)
    client = redis.client()
    client("SELECT", 3)
    client("HSET", "gatepost:user:bob", "record", "{PLAIN}x")
    client.close()
    assert make(Asker, f"unix://{redis.unix}?db=3").ask("bob") == "found {PLAIN}"
    assert make(Asker, f"unix://{redis.unix}").ask("bob") == "unknown"


def test_tls(make, tmp_path, tls):
    redis = make(Redis, tmp_path, tls=tls)
    redis.set_user("bob", record=RECORD)
    for host in ("localhost", "127.0.0.1"):
        assert make(Asker, f"rediss://{host}:{redis.tls_port}", tls.ca).ask("bob") == "found {SCRAM-SHA-256}"
    stranger = make(Asker, f"rediss://localhost:{redis.tls_port}", tls.other.certificate)
    assert stranger.ask("bob") == "unavailable"
    assert any("TLS: self-signed certificate" in line for line in stranger.lines), stranger.lines
    plain = make(Asker, f"rediss://localhost:{redis.port}", tls.ca)
    assert plain.ask("bob") == "unavailable"
    # Redis waits for the rest of what it takes for a command.
    assert wait_until(lambda: any("does not answer in time" in line for line in plain.lines)), plain.lines


def test_acl_user(make, tmp_path):
    redis = make(Redis, tmp_path, "user default off", "user admin on >root ~* &* +@all", "user gate on >s3cret ~gatepost:user:* -@all +hgetall +auth +ping +client|setname")
    client = redis.client()
    client("AUTH", "admin", "root")
    client("HSET", "gatepost:user:bob", "record", "{PLAIN}x")
    client.close()
    assert make(Asker, f"redis://gate:s3cret@127.0.0.1:{redis.port}").ask("bob") == "found {PLAIN}"
    wrong = make(Asker, f"redis://gate:wr0ng@127.0.0.1:{redis.port}")
    assert wrong.ask("bob") == "unavailable"
    assert any("AUTH was refused: WRONGPASS" in line for line in wrong.lines), wrong.lines
    none = make(Asker, f"redis://127.0.0.1:{redis.port}")
    assert none.ask("bob") == "unavailable"
    assert any("PING was refused: NOAUTH" in line for line in none.lines), none.lines
    assert "wr0ng" not in "".join(wrong.lines)


def test_death_under_load_is_unavailable_and_it_comes_back(make, tmp_path):
    redis = make(Redis, tmp_path)
    redis.set_user("bob", record=RECORD)
    asker = make(Asker, f"redis://127.0.0.1:{redis.port}")
    asker.ask_until("bob", "found {SCRAM-SHA-256}")
    sent = len(asker.answers())
    for turn in range(150):
        asker.send(*["bob"] * 20)
        sent += 20
        if turn == 50:
            redis.kill()
        time.sleep(0.01)
    assert wait_until(lambda: len(asker.answers()) == sent), "every look-up is answered"
    assert set(asker.answers()) == {"bob found {SCRAM-SHA-256}", "bob unavailable"}
    again = make(Redis, tmp_path, port=redis.port, name="again")
    again.set_user("bob", record="{PLAIN}x")
    asker.ask_until("bob", "found {PLAIN}", 10)
    assert "# breaker open" in asker.lines and asker.lines.count("# breaker closed") >= 1


def test_server_that_hangs(make, tmp_path):
    redis = make(Redis, tmp_path)
    redis.set_user("bob", record=RECORD)
    asker = make(Asker, f"redis://127.0.0.1:{redis.port}")
    asker.ask_until("bob", "found {SCRAM-SHA-256}")
    redis.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    assert asker.ask("bob") == "unavailable"
    assert time.monotonic() - start < 3
    redis.process.send_signal(signal.SIGCONT)
    asker.ask_until("bob", "found {SCRAM-SHA-256}")


def test_sentinel_failover_under_load(make, tmp_path):
    master = make(Redis, tmp_path, name="master")
    replica = make(Redis, tmp_path, name="replica", replica_of=master)
    sentinel = make(RedisSentinel, tmp_path, master)
    master.set_user("bob", record=RECORD)
    assert wait_until(lambda: sentinel.knows_replicas() == 1, 30), sentinel.log
    assert wait_until(lambda: replica.command("EXISTS", "gatepost:user:bob") == 1, 30), replica.log
    asker = make(Asker, f"redis-sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/main/0")
    asker.ask_until("bob", "found {SCRAM-SHA-256}")
    assert f"# connected 127.0.0.1:{master.port}" in asker.lines
    time.sleep(1)
    master.kill()
    end = time.monotonic() + 40
    while time.monotonic() < end and f"# connected 127.0.0.1:{replica.port}" not in asker.lines:
        asker.send(*["bob"] * 10)
        time.sleep(0.05)
    asker.ask_until("bob", "found {SCRAM-SHA-256}")
    assert f"# connected 127.0.0.1:{replica.port}" in asker.lines, asker.lines[-20:] + [sentinel.log[-2000:]]
    assert set(asker.answers()) <= {"bob found {SCRAM-SHA-256}", "bob unavailable"}, "never unknown"
