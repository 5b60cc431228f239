"""Users in sasldb, in SQL and in LDAP, found by the plugins of Cyrus SASL: every form of login, and stores that are gone, broken or silent."""
import json
import os
import pathlib
import smtplib
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from harness.client import Client, b64, plain, scram_challenge, scram_keys, trusting_context
from harness.gatepost import USERS, command, merged
from harness.process import free_port, wait_until
from harness.sasl_users import Ldap, Sasldb, Sqlite, backend

USER = "alice@example.com"
PASSWORD = USERS[USER]
MECHANISMS = ["SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"]
STORES = {"sasldb": Sasldb, "sql": Sqlite, "ldapdb": Ldap}
DEADLINE = 5  # seconds that a look-up may take
THREADS, SPARES = 4, 4
LIBLDAP = 10  # seconds after which a silent LDAP server is given up, and the thread comes back


@pytest.fixture(params=STORES)
def users(request, tmp_path):
    store = STORES[request.param](tmp_path, USERS)
    yield store
    store.stop()


def changes(plugin, options, ttl="0s", **more):
    auth = {"backends": ["users"], "mechanisms": MECHANISMS, "cache": {"ttl": ttl}}
    return {"auth": auth, "backends": {"local": None, "users": backend(plugin, options, MECHANISMS, **more)}}


@pytest.fixture
def make_gatepost(make_gatepost):
    """Under ASan without its search for leaks on LDAP: libdigestmd5's client, by which ldapdb binds, and libldapdb lose memory at each look-up."""

    def make(upstream, settings=None, environment=None, **more):
        if settings and settings["backends"]["users"]["auxprop_plugin"] == "ldapdb":
            environment = {**os.environ, **(environment or {}), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        return make_gatepost(upstream, settings, environment=environment, **more)

    return make


@pytest.fixture
def gate(users, make_gatepost, sink):
    return make_gatepost(sink.port, changes(users.plugin, users.options))


def auth(gate, user=USER, password=PASSWORD):
    with Client(gate.tls_port, implicit_tls=True, timeout=30) as client:
        client.ehlo()
        return client.command(f"AUTH PLAIN {plain(user, password)}")


def timed(gate, **who):
    begin = time.monotonic()
    return auth(gate, **who), time.monotonic() - begin


def msmtp(gate, tls, mechanism, user=USER, password=PASSWORD):
    secret = gate.folder / "password"
    secret.write_text(password + "\n")
    words = ["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={gate.tls_port}", "--tls=on", "--tls-starttls=off", f"--tls-trust-file={tls.ca}",
             f"--auth={mechanism}", f"--user={user}", f"--passwordeval=cat {secret}", "--from=alice@example.com", "--", "bob@example.net"]  # fmt: skip
    return subprocess.run(words, input=b"Subject: hello\n\n", capture_output=True, timeout=60)


def swaks(gate, mechanism, password=PASSWORD):
    words = ["swaks", "--server", f"127.0.0.1:{gate.port}", "--tls", "--auth", mechanism, "--auth-user", USER, "--auth-password", password, "--from", USER,
             "--to", "bob@example.net", "--silent", "2"]  # fmt: skip
    return subprocess.run(words, capture_output=True, timeout=60)


def smtplib_cram(gate, user=USER, password=PASSWORD):
    with smtplib.SMTP_SSL("localhost", gate.tls_port, context=trusting_context(), timeout=30) as client:
        client.ehlo()
        client.user, client.password = user, password
        return client.auth("CRAM-MD5", client.auth_cram_md5)[0]


# ---- what works


def test_real_clients_by_every_mechanism(gate, tls):
    with Client(gate.tls_port, implicit_tls=True) as client:
        assert client.ehlo()["AUTH"].split() == MECHANISMS
    for mechanism in ("plain", "login", "cram-md5", "scram-sha-256"):
        for user, password in (USERS.items() if mechanism == "scram-sha-256" else [(USER, PASSWORD)]):
            done = msmtp(gate, tls, mechanism, user, password)
            assert done.returncode == 0, (mechanism, user, done.stderr)
        assert b"535" in msmtp(gate, tls, mechanism, password="wrong").stderr
        assert b"535" in msmtp(gate, tls, mechanism, user="nobody@example.com").stderr
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        assert swaks(gate, mechanism).returncode == 0, mechanism
        assert swaks(gate, mechanism, "wrong").returncode != 0
    assert smtplib_cram(gate) == 235
    with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
        smtplib_cram(gate, password="wrong")


def test_wrong_and_unknown_are_one_reply(gate, users):
    # The test's directory takes names with and without its realm.
    strangers = ["nobody@example.com", "alice@elsewhere.example", "a'--", "alice@example.com' OR '1'='1", "al*", *([] if users.plugin == "ldapdb" else ["alice"])]
    refused = {auth(gate, user, password).lines[0] for user, password in [(USER, "wrong"), *((stranger, PASSWORD) for stranger in strangers)]}
    assert refused == {"535 5.7.8 Authentication credentials invalid"}
    assert "backend_down" not in gate.log, "an unknown user is no fault of the store"


# ---- stores that cannot answer


def test_a_store_that_is_gone_is_454_and_found_again_when_it_is_back(gate, users):
    assert auth(gate) == 235
    users.go()
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        for _ in range(4):  # more than max_attempts: an outage is nobody's bad password
            assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == "454 4.7.0"
        assert client.command(f"AUTH PLAIN {plain('nobody@example.com', PASSWORD)}") == "454 4.7.0", "nobody can say that he is unknown"
        assert client.command("AUTH CRAM-MD5").code == 334
        assert client.command(b64(f"{USER} {'0' * 32}")) == "454 4.7.0"
    gate.wait_for_log("backend_down backend=users")
    assert gate.log.count("backend_down") == 1, "one line a change"
    users.come_back()
    assert auth(gate) == 235
    assert auth(gate, password="wrong") == 535
    gate.wait_for_log("backend_up backend=users")


def test_whoever_is_remembered_goes_on_while_the_store_is_gone(users, make_gatepost, sink):
    gate = make_gatepost(sink.port, changes(users.plugin, users.options, ttl="60s"))
    assert auth(gate) == 235
    users.go()
    assert auth(gate) == 235
    assert auth(gate, password="wrong") == "454 4.7.0"
    users.come_back()
    assert auth(gate, password="wrong") == 535


@pytest.fixture
def silent():
    """Takes connections and never answers; close() hangs up on all of them."""
    server = Silent()
    yield server
    server.close()


class Silent:
    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", free_port()), backlog=256)
        self.uri = f"ldap://127.0.0.1:{self.socket.getsockname()[1]}"
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self.connections.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self):
        self.socket.close()
        for connection in self.connections:
            connection.close()


def threads(gate):
    return len(list(pathlib.Path(f"/proc/{gate.pid}/task").iterdir()))


def test_a_silent_directory_is_454_at_the_deadline_and_costs_others_nothing(make_gatepost, sink, silent):
    # A users file is asked first, so that some can log in at any time.
    settings = changes("ldapdb", {"ldapdb_uri": silent.uri, "ldapdb_id": "gate", "ldapdb_pw": "service-8842-tulip", "ldapdb_mech": "DIGEST-MD5"})
    settings["auth"] |= {"backends": ["local", "users"], "mechanisms": ["PLAIN"]}
    del settings["backends"]["local"]
    gate = make_gatepost(sink.port, settings)
    assert auth(gate) == 235
    idle = threads(gate)
    replies = []
    asking = [threading.Thread(target=lambda: replies.append(timed(gate, user="nobody@example.com"))) for _ in range(THREADS + SPARES)]
    for thread in asking:
        thread.start()
    slowest = most = 0
    with Client(gate.tls_port, implicit_tls=True, timeout=30) as other:
        other.ehlo()
        other.login(USER, PASSWORD)
        while any(thread.is_alive() for thread in asking):
            begin = time.monotonic()
            assert other.mail(b"Subject: meanwhile\r\n\r\n") == 250
            slowest = max(slowest, time.monotonic() - begin)
            most = max(most, threads(gate))
    assert {reply.code for reply, _ in replies} == {454} and len(replies) == THREADS + SPARES
    times = [took for _, took in replies]
    assert DEADLINE - 0.5 < min(times) and max(times) < DEADLINE + 5, times
    assert slowest < 2, "others waited for the directory"
    assert most <= idle + THREADS + SPARES, (idle, most)
    gate.wait_for_log("backend_breaker backend=users reason=open")
    reply, took = timed(gate, user="nobody@example.com")
    assert reply == "454 4.7.0" and took < 2, "nobody is asked any more"
    # libldap gives up by itself, the threads come back, and the directory is asked again.
    gate.wait_for_log("backend_breaker backend=users reason=closed", LIBLDAP * 2)
    gate.wait_for_log('what="all look-ups have returned"', LIBLDAP * 2)
    assert wait_until(lambda: threads(gate) <= idle + THREADS, 10)


def test_a_directory_that_stops_and_goes_on(tmp_path, make_gatepost, sink):
    users = Ldap(tmp_path, USERS)
    gate = make_gatepost(sink.port, changes("ldapdb", users.options))
    try:
        assert auth(gate) == 235
        users.slapd.freeze()
        reply, took = timed(gate)
        assert reply == "454 4.7.0" and DEADLINE - 0.5 < took < DEADLINE + 5, (reply, took)
        gate.wait_for_log("backend_stuck backend=users")
        users.slapd.thaw()
        gate.wait_for_log('what="all look-ups have returned"')
        assert auth(gate) == 235
    finally:
        users.stop()


def test_the_end_does_not_wait_for_a_look_up_that_never_returns(make_gatepost, sink, silent):
    gate = make_gatepost(sink.port, changes("ldapdb", {"ldapdb_uri": silent.uri, "ldapdb_id": "gate", "ldapdb_pw": "p", "ldapdb_mech": "DIGEST-MD5"}),
                         environment={"LDAPTIMEOUT": "600", "LDAPNETWORK_TIMEOUT": "600"})  # fmt: skip
    assert auth(gate) == "454 4.7.0"
    begin = time.monotonic()
    gate.stop()
    assert time.monotonic() - begin < 10


# ---- each plugin's own ways


@pytest.fixture
def one(tmp_path, make_gatepost, sink):
    """A Gatepost with this store."""
    made = []

    def make(kind, *words, mechanisms=MECHANISMS, options=(), **more):
        made.append(kind(tmp_path, USERS, *words))
        settings = changes(made[-1].plugin, {**made[-1].options, **dict(options)}, **more)
        settings["auth"]["mechanisms"] = settings["backends"]["users"]["mechanisms"] = mechanisms
        return made[-1], make_gatepost(sink.port, settings)

    yield make
    for store in made:
        store.stop()


def test_sasldb_realms(one):
    users, gate = one(Sasldb, realm="other.example")
    users.set("dora@other.example", "dora-pass-11")
    users.set("dora@gate.example", "gate-pass-22")
    gate.secrets |= {"dora-pass-11", "gate-pass-22"}
    assert auth(gate, "dora", "dora-pass-11") == 235, "who names no realm is of the configured one"
    assert auth(gate, "dora", "gate-pass-22") == 535
    assert auth(gate, "dora@gate.example", "gate-pass-22") == 235


@pytest.mark.parametrize("kind", STORES.values(), ids=STORES)
def test_a_password_is_nobody_elses_in_another_realm(one, kind):
    """Also where SQL is asked without the realm, of which it would see nothing."""
    users, gate = one(kind, options=[("sql_select", "SELECT %p FROM users WHERE name = '%u'")] if kind is Sqlite else [])
    assert auth(gate, "carol", USERS["carol"]) == 235
    for stranger in ("carol@elsewhere", "carol@", "carol@elsewhere@gate.example", "carol@elsewhere,cn=x"):
        assert auth(gate, stranger, USERS["carol"]) == 535, stranger
    assert "backend_down" not in gate.log
    assert gate.log.count("the SQL statement has no %r") == (kind is Sqlite)


def test_ldap_with_keys_instead_of_passwords(one, tls):
    record = command("hash", input="erna-pass-33\n").stdout.strip()
    iterations, salt, stored, server = record.removeprefix("{SCRAM-SHA-256}").split(",")
    users, gate = one(Ldap, "calculated", {"erna": f"SCRAM-SHA-256${iterations}:{salt}${stored}:{server}", "empty": "something else"}, mechanisms=["SCRAM-SHA-256", "PLAIN"])
    gate.secrets.add("erna-pass-33")
    for mechanism in ("plain", "scram-sha-256"):
        done = msmtp(gate, tls, mechanism, "erna", "erna-pass-33")
        assert done.returncode == 0, (mechanism, done.stderr)
        assert b"535" in msmtp(gate, tls, mechanism, "erna", "wrong").stderr
    assert auth(gate, "empty", "something else") == "454 4.7.0", "he is there, but not his password"
    assert auth(gate) == 235


def test_ldap_that_maps_names_by_a_search(one):
    """Whom it does not find, the plugin may not act for: it reports that as it does a defect, and still it is 535."""
    users, gate = one(Ldap, "searched")
    assert auth(gate) == 235
    assert auth(gate, password="wrong") == 535
    for stranger in ("nobody@example.com", "nobody", "*", "ali*", "a)(uid=alice"):
        assert auth(gate, stranger, PASSWORD) == 535, stranger
    assert "backend_down" not in gate.log
    users.go()
    assert auth(gate, "nobody", PASSWORD) == 454


@pytest.mark.parametrize("mapping", ["calculated", "searched"])
def test_ldap_that_does_not_let_gatepost_in_is_454(one, mapping):
    _, gate = one(Ldap, mapping, options={"ldapdb_pw": "not the password"})
    assert auth(gate) == "454 4.7.0"
    assert auth(gate, "nobody", PASSWORD) == "454 4.7.0"
    gate.wait_for_log("backend_down backend=users")
    assert "not the password" not in gate.log


def test_hashes_are_never_taken_for_passwords(one):
    users, gate = one(Sqlite)
    hashed = command("hash", "--scheme", "SHA512-CRYPT", input="frida-pass-44\n").stdout.strip()
    users.set("frida", hashed)
    users.set("greta", "{SSHA}DkMTwBl+a/3DfY+MHAbM2DLqQqZLxvkK")
    gate.secrets.add("frida-pass-44")
    assert auth(gate, "frida", "frida-pass-44") == 235
    assert auth(gate, "frida", hashed) == 535
    assert auth(gate, "greta", "{SSHA}DkMTwBl+a/3DfY+MHAbM2DLqQqZLxvkK") == "454 4.7.0"
    unknown = ["$sha1$40000$jtNX3nZ2$hBNaIXkt4wBI2o5rsi8KejSjNqIq", "$md5,rounds=904$iPPKEBnEkp3JV8uX$0L6m7rOFTVFn.SGqo2M9W1", "$3$$8846f7eaee8fb117ad06bdd830b7586c",
               "$apr1$r31...$HqJZimcKQFAMYayBlzkrA/", "$2$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", "$gy$j9T$cut$short"]  # fmt: skip
    for value in unknown:
        users.set(value.split("$")[1], value)
        assert auth(gate, value.split("$")[1], value) == "454 4.7.0", value
        assert auth(gate, value.split("$")[1], "wrong") == "454 4.7.0", value


def test_strangers_show_what_the_first_user_does_for_good(one):
    """If they followed the users, two first challenges of a stranger would differ, and nobody's of a user do."""
    users, gate = one(Sqlite)
    for name, record in {"broken": "{NOSUCH}x", "first": scram_keys(8192, 24), "second": scram_keys(20000, 9)}.items():
        users.set(name, record)

    def challenge(user):
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            return scram_challenge(client, user)

    assert challenge(USER) == challenge(USER) and challenge(USER)[1] == 4096
    before = challenge("nobody")
    assert (len(before[0]), before[1]) == (16, 4096), "as those whose password is stored"
    assert auth(gate, "broken", "x") == "454 4.7.0"
    assert challenge("first")[1] == 8192 and challenge("second")[1] == 20000
    assert challenge("nobody") == before


def test_strangers_show_the_keys_of_the_first_user(one):
    users, gate = one(Sqlite)
    for name, record in {"broken": "{NOSUCH}x", "first": scram_keys(8192, 24), "second": scram_keys(20000, 9)}.items():
        users.set(name, record)
    assert auth(gate, "broken", "x") == "454 4.7.0"
    shown = []
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        for user in ("first", "second", USER):
            scram_challenge(client, user)
            shown.append(scram_challenge(client, "nobody"))
    assert {(len(salt), iterations) for salt, iterations in shown} == {(24, 8192)}
    assert len(set(shown)) == 1, "the same salt each time"


def test_names_never_become_sql(one):
    """The plugin escapes quotes for SQLite as MySQL would have it, so such a name must not reach it."""
    _, gate = one(Sqlite)
    password = "char(112,97,115,115,45,53,53)"  # pass-55, without a quote
    for name in (f"x' UNION SELECT {password} --", f"x\\' UNION SELECT {password} --", "alice' --", 'x" OR ""="'):
        for user in (name, name + "@example.com", "alice@" + name):
            assert auth(gate, user, "pass-55") == 535, user
    assert "backend_down" not in gate.log


def test_a_locked_database_is_454(one):
    users, gate = one(Sqlite)
    database = sqlite3.connect(users.path, isolation_level=None)
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    assert auth(gate) == "454 4.7.0"
    assert auth(gate, "nobody", PASSWORD) == "454 4.7.0"
    database.execute("COMMIT")
    database.close()
    assert auth(gate) == 235


# ---- what `check` says


@pytest.mark.parametrize(
    ("plugin", "options", "expected"),
    [
        ("sql", {}, "backends.users.options: sql needs sql_select"),
        ("sql", {"sql_select": "SELECT 1", "sql_engine": "oracle"}, "backends.users.options.sql_engine: is none of mysql, pgsql, sqlite3"),
        ("ldapdb", {"ldapdb_id": "x"}, "backends.users.options: ldapdb needs ldapdb_uri"),
        ("sasldb", {"pwcheck_method": "saslauthd"}, "backends.users.options.pwcheck_method: is Gatepost's own to set"),
    ],
)
def test_check_names_the_place(make_gatepost, sink, plugin, options, expected):
    done = checked(make_gatepost, sink, changes(plugin, options))
    assert done.returncode == 1
    line = next(line for line in done.stderr.splitlines() if expected in line)
    assert line.split(": ")[0].rpartition(".yaml:")[2].count(":") == 1, line


def test_check_says_what_to_install(make_gatepost, sink, tmp_path):
    done = checked(make_gatepost, sink, changes("sql", {"sql_select": "SELECT %p"}), env={"SASL_PATH": str(tmp_path)})
    assert "backends.users.auxprop_plugin: Cyrus SASL has no plugin sql: install libsasl2-modules-sql" in done.stderr


@pytest.mark.parametrize(("statement", "is_noted"), [("SELECT %p FROM users WHERE name = '%u'", True), ("SELECT %p FROM users WHERE name = '%u@%r'", False)])
def test_check_notes_whom_sql_does_not_serve(make_gatepost, sink, statement, is_noted):
    done = checked(make_gatepost, sink, changes("sql", {"sql_engine": "sqlite3", "sql_database": "users", "sql_select": statement}))
    assert done.returncode == 0, done.stderr
    assert ("note: backends.users: the SQL statement has no %r, so names with an @ are unknown" in done.stderr) == is_noted


def test_two_backends_of_one_plugin(make_gatepost, sink):
    settings = changes("sql", {"sql_select": "SELECT %p"})
    settings["backends"]["more"] = dict(settings["backends"]["users"])
    settings["auth"]["backends"] = ["users", "more"]
    done = checked(make_gatepost, sink, settings)
    assert 'auth.backends[1]: "users" uses the same plugin of Cyrus SASL' in done.stderr


def checked(make_gatepost, sink, settings, **more):
    """`gatepost check` of what would be served."""
    gate = make_gatepost(sink.port)
    path = gate.folder / "checked.yaml"
    path.write_text(json.dumps(merged(gate.config, settings), indent=2))
    return command("check", "--config", path, **more)
