"""`gatepost user` and `gatepost auth test` as operators use them: on a users file and a real Redis, with the files of real htpasswd and saslpasswd2."""
import json
import os
import pty
import signal
import subprocess
import time

import pytest
from harness.client import Client, plain
from harness.gatepost import command, program
from harness.packages import unpack
from harness.process import free_port, wait_until
from harness.redis import Redis, RedisSentinel
from harness.sasldb import dump_sasldb, make_sasldb

SECRET = "s3cret zebra-7421"
KEY = "gatepost:user:"
MECHANISMS = ["SCRAM-SHA-256", "PLAIN", "LOGIN"]


class Users:
    """`gatepost user` with one configuration; no run of it may show the secret, nor be given it as an argument."""

    def __init__(self, folder, backend, name="store"):
        self.path = folder / f"{name}.yaml"
        config = {
            "hostname": "gate.example",
            "listeners": [{"name": "s", "address": "127.0.0.1:1", "tls": "none", "require_tls": False}],
            "auth": {"backends": [name], "mechanisms": MECHANISMS, "plaintext_without_tls": True},
            "backends": {name: backend},
            "upstreams": [{"name": "default", "servers": ["127.0.0.1:25"]}],
        }
        self.path.write_text(json.dumps(config))

    def __call__(self, verb, *words, input=""):
        return self.run("user", verb, *words, input=input)

    def run(self, *words, input=""):
        assert not any(SECRET in str(word) for word in words)
        done = command(*words[:2], "--config", self.path, *words[2:], input=input)
        assert SECRET not in done.stdout + done.stderr
        for part in ("StoredKey", "$2y$05$", "$6$"):
            assert part not in done.stdout + done.stderr
        return done

    def good(self, verb, *words, input=""):
        done = self(verb, *words, input=input)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture(params=["file", "redis"])
def users(request, tmp_path):
    """The same commands on either backend."""
    if request.param == "file":
        yield Users(tmp_path, {"type": "file", "path": str(tmp_path / "users")})
        return
    redis = request.getfixturevalue("redis")
    yield Users(tmp_path, {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/0"})


def test_a_users_life(users):
    assert users("verify", "ann", input=SECRET).returncode in (1, 3), "nobody is there, or not even a file"
    assert users.good("set", "zoe", input="x\n") == "added zoe: {SCRAM-SHA-256} 10000 iterations\n"
    added = users.good("set", "ann", "--senders", "*@x.org,b@y.org", "--limit-class", "bulk", input=SECRET + "\n")
    assert added == "added ann: {SCRAM-SHA-256} 10000 iterations, limit_class=bulk, senders=*@x.org,b@y.org\n"
    assert users.good("list") == "ann\t{SCRAM-SHA-256} 10000 iterations\nzoe\t{SCRAM-SHA-256} 10000 iterations\n"
    assert users("verify", "ann", input=SECRET).returncode == 0
    wrong = users("verify", "ann", input="wrong")
    assert wrong.returncode == 1 and "wrong password" in wrong.stderr
    unknown = users("verify", "bob", input=SECRET)
    assert unknown.returncode == 1 and "no user bob" in unknown.stderr
    assert users.good("set", "ann", "--disabled") == "changed ann: password kept, disabled\n"
    disabled = users("verify", "ann", input=SECRET)
    assert disabled.returncode == 1 and "disabled" in disabled.stderr
    assert users.good("show", "ann") == "name: ann\nrecord: {SCRAM-SHA-256} 10000 iterations\ndisabled: yes\nlimit_class: bulk\nsenders: *@x.org,b@y.org\n"
    users.good("set", "ann", "--enabled", "--unset", "senders", "--upstream", "other", "--keep-password", input="not read")
    assert users.good("show", "ann") == "name: ann\nrecord: {SCRAM-SHA-256} 10000 iterations\nlimit_class: bulk\nupstream: other\n"
    assert users("verify", "ann", input=SECRET).returncode == 0, "the password is the one of before"
    users.good("set", "ann", "--scheme", "ARGON2ID", input="another\n")
    assert users("verify", "ann", input="another").returncode == 0
    assert "limit_class: bulk" in users.good("show", "ann"), "a new password changes no attribute"
    assert users.good("delete", "ann") == "deleted ann\n"
    assert users("delete", "ann").returncode == 1
    assert users("show", "ann").returncode == 1
    nobody = users("set", "ann", "--disabled", "--keep-password")
    assert nobody.returncode == 1 and "no user ann" in nobody.stderr
    assert users.good("list").startswith("zoe\t")


def test_a_prompt_asks_twice_without_echo(users):
    def answer(*lines):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(program(), [str(program()), "user", "set", "ann", "--config", str(users.path)])
        shown = b""
        for line in lines:
            wait_until(lambda: b":" in os.read(terminal, 1024), 10)
            time.sleep(0.05)
            os.write(terminal, line.encode() + b"\n")
        try:
            while octets := os.read(terminal, 1024):
                shown += octets
        except OSError:
            pass
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()

    status, shown = answer(SECRET, SECRET + "x")
    assert status == 1 and "not the same" in shown and SECRET not in shown
    status, shown = answer(SECRET, SECRET)
    assert status == 0 and "added ann" in shown and SECRET not in shown
    assert users("verify", "ann", input=SECRET).returncode == 0


def test_import_of_a_real_htpasswd(users, tmp_path):
    folder, libraries = unpack("apache2-utils")
    made = tmp_path / "htpasswd"
    for option, name in (("-B", "ann"), ("-B", "bob"), ("-m", "md5"), ("-s", "sha")):
        command_line = [folder / "usr/bin/htpasswd", "-i", *([] if made.exists() else ["-c"]), option, made, name]
        subprocess.run(command_line, input=f"{SECRET}\n", text=True, check=True, capture_output=True, env={"LD_LIBRARY_PATH": libraries})
    done = users("import", "--format", "htpasswd", made)
    assert done.returncode == 1 and f"{made}:3: $apr1$" in done.stderr and f"{made}:4: {{SHA}}" in done.stderr and done.stdout == ""
    assert users("list").stdout == "", "nothing was imported"
    assert users.good("import", "--format", "htpasswd", "--skip-bad", made) == "imported 2, replaced 0, skipped 2\n"
    for name in ("ann", "bob"):
        assert users("verify", name, input=SECRET).returncode == 0
    assert users.good("import", "--format", "htpasswd", "--skip-bad", "--replace", made) == "imported 0, replaced 2, skipped 2\n"


def test_import_of_a_dovecot_passwd_file(users, tmp_path):
    made = tmp_path / "passwd"
    hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=SECRET, capture_output=True, text=True, check=True).stdout.strip()
    made.write_text(f"""# doveadm pw -s SHA512-CRYPT
ann:{{SHA512-CRYPT}}{hashed}:1000:1000::/home/ann::allow_nets=192.0.2.0/24
bob:{hashed}:1000:1000::/home/bob::
cid:{{PLAIN}}{SECRET}::::::
gone:!{hashed}::::::
never:*::::::
""")
    done = users("import", "--format", "dovecot", made)
    assert done.returncode == 0 and done.stdout == "imported 5, replaced 0, skipped 0\n", done.stderr
    assert f"{made}:2: allow_nets is ignored (1 user)" in done.stderr
    for name in ("ann", "bob", "cid"):
        assert users("verify", name, input=SECRET).returncode == 0, name
    for name in ("gone", "never"):
        assert users("verify", name, input=SECRET).returncode == 1
        assert "disabled: yes" in users.good("show", name)
    assert "record: {SCRAM-SHA-256}" in users.good("show", "cid")


@pytest.mark.parametrize("options", [["-p"], []], ids=["printed", "octets"])
def test_import_of_a_real_sasldb(users, tmp_path, options):
    make_sasldb(tmp_path / "sasldb2", {("ann", "example.org"): SECRET, ("bob", "mail"): "pä:ss\\w", ("cid", "mail"): SECRET})
    dump = tmp_path / "dump"
    dump.write_bytes(dump_sasldb(tmp_path / "sasldb2", *options))
    assert users.good("import", "--format", "sasldb", "--realm", "mail", dump) == "imported 3, replaced 0, skipped 0\n"
    assert users("verify", "ann@example.org", input=SECRET).returncode == 0
    assert users("verify", "bob", input="pä:ss\\w").returncode == 0
    assert "{SCRAM-SHA-256}" in users.good("show", "cid")
    assert users.good("import", "--format", "sasldb", "--realm", "mail", "--scheme", "PLAIN", "--replace", "-", input=dump.read_text()) == "imported 0, replaced 3, skipped 0\n"
    assert users.good("list").count("{PLAIN}") == 3


def test_thousands_of_users_are_imported_in_seconds(users, tmp_path):
    made = tmp_path / "many"
    made.write_text("".join(f"user{number:05}:{{CRYPT}}g8PYa.eYSSteg\n" for number in range(5000)))
    start = time.monotonic()
    assert users.good("import", "--format", "dovecot", made) == "imported 5000, replaced 0, skipped 0\n"
    assert time.monotonic() - start < 20
    assert len(users.good("list").splitlines()) == 5000


@pytest.mark.parametrize("backend", ["local", "redis"])
def test_a_login_right_after_the_command(request, make_gatepost, sink, backend):
    changes = None
    if backend == "redis":
        url = f"redis://127.0.0.1:{request.getfixturevalue('redis').port}"
        changes = {"auth": {"backends": ["redis"]}, "backends": {"local": None, "redis": {"type": "redis", "url": url}}}
    gate = make_gatepost(sink.port, changes)
    wait = 5 if backend == "local" else 0  # a users file is looked at every second

    def login(password):
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            return client.command(f"AUTH PLAIN {plain('new', password)}").code

    def user(verb, *words, input=""):
        assert command("user", verb, "new", *words, "--config", gate.config_path, input=input).returncode == 0

    gate.users["new"] = SECRET
    user("set", input=SECRET)
    assert wait_until(lambda: login(SECRET) == 235, wait, 0.2)
    user("set", "--disabled")
    assert wait_until(lambda: login(SECRET) == 535, wait, 0.2)
    user("set", "--enabled")
    assert wait_until(lambda: login(SECRET) == 235, wait, 0.2)
    user("set", input="another")
    assert wait_until(lambda: login(SECRET) == 535, wait, 0.2)
    assert login("another") == 235
    user("delete")
    assert wait_until(lambda: login("another") == 535, wait, 0.2)


# ---- what only Redis has


def test_a_new_password_takes_stored_keys_with_it(tmp_path, redis):
    users = Users(tmp_path, {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}"})
    redis.set_user("ann", record="{PLAIN}old", scram="4096,c2FsdA==,AAAA,BBBB", phone="7")
    users.good("set", "ann", "--limit-class", "bulk")
    assert "scram-sha-256: (hidden)\n" in users.good("show", "ann")
    assert redis.command("HGET", KEY + "ann", "scram-sha-256") == "4096,c2FsdA==,AAAA,BBBB"
    users.good("set", "ann", input=SECRET)
    fields = redis.command("HKEYS", KEY + "ann")
    assert sorted(fields) == ["limit_class", "phone", "record"], "and keeps what is not ours"
    redis.command("SET", KEY + "string", "x")
    assert users.good("list").splitlines() == ["ann\t{SCRAM-SHA-256} 10000 iterations"]
    wrong = users("delete", "string")
    assert wrong.returncode == 1 and "WRONGTYPE" in wrong.stderr and redis.command("GET", KEY + "string") == "x"


def test_every_kind_of_url(tmp_path, tls):
    password = tmp_path / "password"
    password.write_text("gate-s3cret\n")
    commands = "+hgetall +hlen +hset +hdel +del +scan +watch +unwatch +multi +exec +auth +ping +select +client|setname"
    master = Redis(tmp_path, f"user gate on >gate-s3cret ~gatepost:user:* -@all {commands}", tls=tls, name="master")
    sentinel = RedisSentinel(tmp_path, master)
    try:
        backends = {
            "unix": {"url": f"unix://{master.unix}?db=2"},
            "tls": {"url": f"rediss://localhost:{master.tls_port}/1", "tls_ca": str(tls.ca)},
            "acl": {"url": f"redis://127.0.0.1:{master.port}/3", "username": "gate", "password_file": str(password)},
            "sentinel": {"url": f"redis-sentinel://127.0.0.1:{sentinel.port}/main/4"},
        }
        for name, backend in backends.items():
            users = Users(tmp_path, {"type": "redis", **backend}, name)
            users.good("set", name, "--disabled", input=SECRET)
            assert users.good("list") == f"{name}\t{{SCRAM-SHA-256}} 10000 iterations\tdisabled\n"
            users.good("delete", name)
            assert users.good("list") == ""
    finally:
        sentinel.stop()
        master.stop()


def test_what_redis_does_not_allow_is_said(tmp_path, redis):
    redis.command("ACL", "SETUSER", "reader", "on", ">reader-s3cret", "~*", "-@all", "+hgetall", "+ping", "+auth", "+client|setname", "+watch", "+hlen", "+unwatch")

    def refusal(url, *words):
        start = time.monotonic()
        done = Users(tmp_path, {"type": "redis", "url": url, "timeout": "1s"})(*words, input=SECRET)
        assert time.monotonic() - start < 6
        assert "s3cret" not in done.stdout + done.stderr
        return done.returncode, done.stderr

    status, said = refusal(f"redis://reader:reader-s3cret@127.0.0.1:{redis.port}", "set", "ann")
    assert status == 3 and "NOPERM" in said, said
    status, said = refusal(f"redis://reader:wrong-s3cret@127.0.0.1:{redis.port}", "list")
    assert status == 3 and "AUTH was refused: WRONGPASS" in said, said
    status, said = refusal(f"redis://:x-s3cret@127.0.0.1:{free_port()}", "list")
    assert status == 3 and "cannot be connected to" in said, said
    redis.command("REPLICAOF", "127.0.0.1", str(free_port()))
    status, said = refusal(f"redis://127.0.0.1:{redis.port}", "set", "ann")
    assert status == 3 and "READONLY" in said, said
    redis.command("REPLICAOF", "NO", "ONE")
    redis.command("CONFIG", "SET", "requirepass", "root-s3cret")
    status, said = refusal(f"redis://127.0.0.1:{redis.port}", "list")
    assert status == 3 and "NOAUTH" in said, said
    redis.process.send_signal(signal.SIGSTOP)
    status, said = refusal(f"redis://127.0.0.1:{redis.port}", "list")
    redis.process.send_signal(signal.SIGCONT)
    assert status == 3 and "cannot be asked" in said, said


def test_which_backend_is_meant(gatepost, tmp_path):
    config = dict(gatepost.config)
    config["backends"] = {**config["backends"], "more": {"type": "file", "path": str(tmp_path / "more")}, "pam": {"type": "sasl", "method": "saslauthd"}}
    config["auth"] = {**config["auth"], "backends": ["local", "more"]}
    path = tmp_path / "several.yaml"
    path.write_text(json.dumps(config))
    several = command("user", "list", "--config", path)
    assert several.returncode == 2 and "local, more" in several.stderr
    for name, status in (("more", 3), ("local", 0), ("pam", 2), ("none", 2)):
        assert command("user", "list", "--config", path, "--backend", name).returncode == status, name


# ---- gatepost auth test


def test_auth_test_shows_each_step(users):
    users.good("set", "ann", input=SECRET)
    for mechanism in MECHANISMS:
        done = users.run("auth", "test", "--user", "ann", "--mechanism", mechanism, "--ip", "192.0.2.7", input=SECRET)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "store: found: {SCRAM-SHA-256} 10000 iterations" in done.stdout and "235 2.7.0" in done.stdout and "192.0.2.7: " in done.stdout
        times = [float(line.split()[0]) for line in done.stdout.splitlines()]
        assert times == sorted(times), done.stdout
    wrong = users.run("auth", "test", "--user", "ann", input="wrong")
    assert wrong.returncode == 1 and "wrong_password" in wrong.stdout and "535 5.7.8" in wrong.stdout
    assert users.run("auth", "test", "--user", "ann", "--mechanism", "NTLM", input=SECRET).returncode == 1


def test_auth_test_of_a_redis_that_is_not_there(tmp_path):
    users = Users(tmp_path, {"type": "redis", "url": f"redis://:x-s3cret@127.0.0.1:{free_port()}", "timeout": "1s"})
    done = users.run("auth", "test", "--user", "ann", input=SECRET)
    assert done.returncode == 3 and "store: cannot answer" in done.stdout and "454 4.7.0" in done.stdout, done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr
