"""What operators see and do while Gatepost runs: status, who, kick, drain, reload, bans and log, over the admin socket and over HTTP."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest
from harness.client import Client, Closed
from harness.gatepost import command, program
from harness.limits import ALICE, ELSEWHERE, HERE, attempt, begun, limited, visit
from harness.process import free_port, wait_until

MESSAGE = b"Subject: seen\r\n\r\ntext\r\n"
NOBODY, ROOTS_GROUP = "65534", "0"


@pytest.fixture
def operated(make_gatepost, short_folder):
    """operated(upstream, changes): a Gatepost with an admin socket."""

    def make(upstream, changes=None, **more):
        return make_gatepost(upstream, {"admin": {"socket": str(short_folder / "admin.sock")}, **(changes or {})}, **more)

    return make


def ask(gate, *words):
    return command(*words, "--config", gate.config_path)


def said(gate, *words):
    done = ask(gate, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(gate):
    code, body = gate.admin("/status.json")
    assert code == 200
    return json.loads(body)


def who(gate, *filter):
    """{id: {column: value}}; the columns hold no blanks in these tests, but for AGE."""
    lines = said(gate, "who", *filter).splitlines()
    if lines[0].startswith("no session"):
        return {}
    begins = [lines[0].index(name) for name in lines[0].split()]
    names = lines[0].split()
    rows = [{name: line[begin : end and end - 1].strip() for name, begin, end in zip(names, begins, begins[1:] + [None])} for line in lines[1:]]
    return {row["SESSION"]: row for row in rows}


def phases(gate, *filter):
    return [row["PHASE"] for row in who(gate, *filter).values()]


def open_session(gate, user=None, source="127.0.0.1"):
    client = Client(gate.tls_port, implicit_tls=True, source=source)
    client.ehlo()
    if user:
        client.login(user, gate.users[user])
    return client


def in_data(client):
    begun(client, "RCPT TO:<bob@example.net>", "DATA")
    client.send(MESSAGE)
    return client


def kicked_with_421(client):
    reply = client.reply()
    return reply == "421 4.3.2" and client.at_end()


def as_user(user, group, *words):
    other = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
    return subprocess.run([*other, str(program()), *words], capture_output=True, text=True, timeout=60, cwd="/")


def test_who_shows_each_session_and_its_phase(operated, sink):
    gate = operated(sink.port)
    assert said(gate, "who") == "no session is open\n"
    with open_session(gate, ALICE) as alice, open_session(gate, "carol", "127.0.0.2") as carol, Client(gate.port) as nobody:
        nobody.ehlo("device.example")
        assert carol.mail(MESSAGE) == 250
        in_data(alice)
        rows = sorted(who(gate).values(), key=lambda row: row["USER"])
        assert [(row["USER"], row["LISTENER"], row["PHASE"], row["TLS"], row["IP"], row["MESSAGES"]) for row in rows] == [
            ("-", "submission", "idle", "-", "127.0.0.1", "0"),
            (ALICE, "submissions", "data", "TLSv1.3", "127.0.0.1", "0"),
            ("carol", "submissions", "idle", "TLSv1.3", "127.0.0.2", "1"),
        ]
        assert rows[1]["UPSTREAM"] == "default" and rows[2]["UPSTREAM"] == "-" and rows[0]["HELO"] == "device.example"
        assert list(who(gate, "--user", "carol").values()) == [rows[2]]
        assert phases(gate, "--ip", "127.0.0.1", "--listener", "submissions") == ["data"]
        assert who(gate, "--session", rows[0]["SESSION"]).keys() == {rows[0]["SESSION"]}
        assert said(gate, "who", "--user", "dave") == "no session is like that\n"
        assert ask(gate, "who", "--ip", "nonsense").returncode == 1
        assert {row["USER"] for row in who(gate, "--ip", "127.0.0.2/31").values()} == {"carol"}
        assert len(who(gate, "--ip", "127.0.0.0/8")) == 3 and ask(gate, "who", "--ip", "127.0.0.1/8").returncode == 1
        alice.send(b".\r\n")
        assert alice.reply() == 250
        assert alice.command("AUTH LOGIN") == 503 and nobody.command("STARTTLS") == 220
        assert phases(gate, "--listener", "submission") == ["tls"]


def test_who_is_for_programs_too(operated, sink):
    gate = operated(sink.port)
    assert json.loads(said(gate, "who", "--json")) == []
    with open_session(gate, "carol", "127.0.0.2") as carol, Client(gate.port) as nobody:
        nobody.ehlo("127")
        assert carol.mail(MESSAGE) == 250
        session, stranger = sorted(json.loads(said(gate, "who", "--json")), key=lambda one: one["user"] is None)
        ids, columns = said(gate, "who").splitlines()[1:], said(gate, "who").split("\n")[0].lower().split()
        assert list(session) == [*columns, "mechanism", "backend"], "what the table shows, and more"
        assert session["session"] in "".join(ids) and isinstance(session["age"], int) and session["received"] > 100 and session["sent"] > 100
        told = {name: session[name] for name in ("listener", "ip", "user", "tls", "phase", "upstream", "messages", "mechanism", "backend")}
        assert told == {"listener": "submissions", "ip": "127.0.0.2", "user": "carol", "tls": "TLSv1.3", "phase": "idle", "upstream": None,
                        "messages": 1, "mechanism": "PLAIN", "backend": "local"}  # fmt: skip
        assert (stranger["user"], stranger["helo"], stranger["mechanism"]) == (None, "127", None), "text stays text"
        assert json.loads(said(gate, "who", "--json", "--ip", "127.0.0.2")) != [] == json.loads(said(gate, "who", "--json", "--ip", "192.0.2.0/24"))


def test_kick_ends_whom_it_names_and_nobody_else(operated, sink):
    gate = operated(sink.port)
    with open_session(gate, ALICE) as alice, open_session(gate, "carol", "127.0.0.2") as carol, open_session(gate, source="127.0.0.2") as other:
        assert ask(gate, "kick").returncode == 2
        done = ask(gate, "kick", "--user", "carol", "--ip", "127.0.0.1")
        assert done.returncode == 1 and "there is no such session: user carol, ip 127.0.0.1" in done.stderr
        assert ask(gate, "kick", "--ip", "127.0.0.4/30").returncode == 1 and ask(gate, "kick", "--ip", "127.0.0.2/24").returncode == 1
        assert said(gate, "kick", "--user", "carol", "--ip", "127.0.0.2/31") == "1 session was ended\n"
        assert kicked_with_421(carol)
        assert alice.command("NOOP") == 250 and other.command("NOOP") == 250
        assert said(gate, "kick", "--all") == "2 sessions were ended\n"
        assert kicked_with_421(alice) and kicked_with_421(other)
    gate.wait_for_metric("gatepost_connections_closed_total", 3, reason="kicked")
    assert wait_until(lambda: gate.log.count("reason=kicked") == 3)
    assert wait_until(lambda: f'admin_command uid={os.geteuid()} what="kick user carol, ip 127.0.0.2/31"' in gate.log)
    assert wait_until(lambda: 'kicked sessions=1 what="user carol, ip 127.0.0.2/31"' in gate.log)


def test_kick_in_message_data_leaves_no_message(operated, make_sink):
    sink = make_sink()
    gate = operated(sink.port)
    with in_data(open_session(gate, ALICE)) as client:
        assert said(gate, "kick", "--user", ALICE) == "1 session was ended\n"
        assert kicked_with_421(client)
    assert wait_until(lambda: "result=aborted origin=client" in gate.log)
    assert sink.messages() == []


def test_kick_while_the_answer_is_awaited_waits_for_it(operated, make_sink):
    sink = make_sink("--slow", "EOD=2000")
    gate = operated(sink.port)
    with in_data(open_session(gate, ALICE)) as client:
        client.send(b".\r\n")
        assert wait_until(lambda: phases(gate) == ["relay"])
        assert said(gate, "kick", "--all") == "1 session was ended\n"
        assert client.reply() == 250
        assert kicked_with_421(client)
    assert len(sink.messages()) == 1


def test_kick_inside_a_handshake_says_nothing(operated, sink):
    gate = operated(sink.port)
    with Client(gate.tls_port, greeting=False) as client:
        assert wait_until(lambda: phases(gate) == ["tls"])
        assert said(gate, "kick", "--listener", "submissions") == "1 session was ended\n"
        assert client.at_end()


def test_status_says_that_mail_flows_and_whose_fault_it_is_when_not(operated, make_sink):
    first, second = make_sink(), free_port()
    gate = operated([f"127.0.0.1:{first.port}", f"127.0.0.1:{second}"])
    assert wait_until(lambda: f"endpoint=127.0.0.1:{second}" in gate.log)
    with open_session(gate, ALICE) as client:
        assert client.mail(MESSAGE) == 250
        assert wait_until(lambda: status(gate)["messages"]["accepted"] == 1)
        text = said(gate, "status")
        assert text.startswith("mail flows    Gatepost ") and f"warning  upstream  default: server 127.0.0.1:{second} is down (connection failed)" in text
        assert "sessions now      1\nmessages          1 accepted, 0 refused for now" in text
    first.terminate()
    assert wait_until(lambda: not gate.is_ready())
    done = ask(gate, "status")
    assert done.returncode == 1 and done.stdout.startswith("mail does not flow    ") and "\x1b" not in done.stdout
    assert f"BROKEN   upstream  default: no server is up: 127.0.0.1:{first.port} (connection failed), 127.0.0.1:{second} (connection failed)" in done.stdout
    page = gate.admin("/status")[1]
    assert '<h1 class="stopped">Gatepost: mail does not flow</h1>' in page and '<td class="down">down</td>' in page
    assert gate.admin("/readyz") == (503, "no server of upstream default is healthy\n")


def test_status_json_is_the_same_through_each_door(operated, sink):
    limits = [{"name": "hourly", "count": "messages", "per": "user", "rate": "2/1h", "action": "defer"}]
    gate = operated(sink.port, {"limits": limits})
    with open_session(gate, ALICE) as client:
        assert client.mail(MESSAGE) == 250 and client.mail(MESSAGE) == 250
        assert client.command("MAIL FROM:<alice@example.com>") == 451
        seen = status(gate)
        assert (seen["ready"], seen["draining"], seen["health"], seen["findings"], seen["unready_because"]) == (True, False, "flows", [], [])
        assert seen["pid"] == gate.process.pid and seen["messages"]["accepted"] == 2
        assert [(one["name"], one["tls"], one["connections"], one["max_connections"]) for one in seen["listeners"]] == [
            ("submission", "starttls", 0, 10000), ("submissions", "implicit", 1, 10000), ("internal", "none", 0, 10000)]  # fmt: skip
        assert seen["upstreams"][0]["name"] == "default" and seen["upstreams"][0]["waiting"] == 0
        assert (seen["upstreams"][0]["servers"][0]["up"], seen["upstreams"][0]["servers"][0]["idle"]) == (True, 1)
        assert seen["backends"] == [{"name": "local", "type": "file", "connections": 0, "answered": 1, "failed": 0}]
        assert seen["limits"] == [{"name": "hourly", "allowed": 2, "refused": 1}] and seen["limit_store"] == {"type": "memory", "up": True}
        assert seen["configuration"]["file"] == str(gate.config_path) and abs(seen["configuration"]["loaded_timestamp_seconds"] - time.time()) < 60
        assert seen["certificates"][0]["not_after_timestamp_seconds"] > time.time()
        doors = [("--config", gate.config_path), ("--admin", gate.config["admin"]["socket"]), ("--admin", f"unix:{gate.config['admin']['socket']}"), ("--admin", f"localhost:{gate.admin_port}")]
        for door in doors:
            told = json.loads(command("status", "--json", *door).stdout)
            assert {**told, "up_seconds": 0} == {**seen, "up_seconds": 0}, door
    gate.wait_for_metric("gatepost_admin_requests_total", 2, route="/status.json", code_class="2xx")


def test_status_without_a_socket_asks_over_http(make_gatepost, sink):
    gate = make_gatepost(sink.port)
    assert said(gate, "status").startswith("mail flows")
    done = ask(gate, "who")
    assert done.returncode == 2 and "names no admin.socket" in done.stderr
    assert command("who", "--admin", f"127.0.0.1:{gate.admin_port}").returncode == 2


def test_a_configuration_that_is_wrong_keeps_no_operator_out(operated, sink):
    gate = operated(sink.port)
    asked = (["status"], ["who"], ["bans", "list"], ["limits", "list"], ["log", "level", "info"], ["kick", "--user", "nobody"])
    fine = [ask(gate, *words) for words in asked]
    written = gate.config_path.read_text()
    for wrong in ('"nonsense": 1,', '"hostname": "${CREDENTIALS_DIRECTORY}/name",', '"hostname": ["a"], "session": 1,'):
        gate.config_path.write_text(written.replace("{", "{" + wrong, 1))
        for words, before in zip(asked, fine):
            done = ask(gate, *words)
            assert (done.returncode, done.stderr) == (before.returncode, before.stderr), words
        failed = gate.metric("gatepost_config_reloads_total", result="failed")
        done = ask(gate, "reload", "--wait")
        assert done.returncode == 1 and done.stderr.startswith(f"gatepost reload: nothing changed: {gate.config_path}:1:"), done
        assert gate.metric("gatepost_config_reloads_total", result="failed") == failed + 1
    said_of_it = [line for line in gate.log.splitlines() if " reload_failed " in line]
    shown = status(gate)["configuration"]["hash"]
    assert all(f" hash={shown} duration=" in line for line in said_of_it) and len(shown) == 16, said_of_it
    drained = ask(gate, "drain", "--wait")
    assert drained.returncode == 0, drained.stderr
    assert wait_until(lambda: not gate.alive(), 10)


def test_where_the_configuration_cannot_tell_it_is_asked_at_the_usual_place_or_at_admin(operated, sink, tmp_path):
    gate = operated(sink.port)
    socket_path = gate.config["admin"]["socket"]
    broken = tmp_path / "broken.yaml"
    broken.write_text("admin: {socket: [\n")
    for words in (["reload"], ["limits", "list"]):
        done = command(*words, "--config", broken)
        assert done.returncode == 3 and "not YAML" in done.stderr and "; asking at /run/gatepost/admin.sock\n" in done.stderr, done
        assert command(*words, "--config", broken, "--admin", f"unix:{socket_path}").returncode == 0
    done = command("status", "--config", tmp_path / "none.yaml")
    assert "; asking at 127.0.0.1:9587\n" in done.stderr


def test_where_nobody_listens_the_commands_say_so(tmp_path):
    for words in (("status",), ("who",), ("kick", "--all"), ("drain", "--wait"), ("reload",), ("bans",), ("log", "level", "info")):
        done = command(*words, "--admin", f"unix:{tmp_path}/none.sock")
        assert done.returncode == 3 and done.stdout == "" and f"gatepost {words[0]}: nobody answers at {tmp_path}/none.sock" in done.stderr
    port = free_port()
    done = command("status", "--admin", f"127.0.0.1:{port}")
    assert done.returncode == 3 and f"nobody answers at 127.0.0.1:{port} (Connection refused)" in done.stderr
    assert command("log", "level", "loud", "--admin", f"unix:{tmp_path}/none.sock").returncode == 2


def test_the_group_may_look_and_others_are_not_answered(operated, sink, short_folder):
    gate = operated(sink.port)
    path = gate.config["admin"]["socket"]
    short_folder.chmod(0o755)
    with open_session(gate, ALICE):
        looked = as_user(NOBODY, ROOTS_GROUP, "who", "--admin", f"unix:{path}")
        assert looked.returncode == 0 and ALICE in looked.stdout
        for words in (("kick", "--all"), ("drain",), ("reload", "--wait"), ("bans", "lift", "guess:ip:192.0.2.1"), ("log", "level", "debug")):
            done = as_user(NOBODY, ROOTS_GROUP, *words, "--admin", f"unix:{path}")
            assert done.returncode == 1 and "may change anything" in done.stderr, (words, done)
        done = as_user(NOBODY, NOBODY, "who", "--admin", f"unix:{path}")
        assert done.returncode == 3 and "not allowed to ask" in done.stderr
        os.chmod(path, 0o666)
        done = as_user(NOBODY, NOBODY, "who", "--admin", f"unix:{path}")
        assert done.returncode == 3 and "closed without an answer" in done.stderr
        assert len(who(gate)) == 1 and gate.is_ready()
    assert "admin_command" not in gate.log


def test_drain_with_wait_returns_when_the_last_transaction_has_ended(operated, make_sink):
    sink = make_sink()
    gate = operated(sink.port)
    idle, busy = open_session(gate, ALICE), in_data(open_session(gate, "carol"))
    done = []
    waiting = threading.Thread(target=lambda: done.append(ask(gate, "drain", "--wait")))
    waiting.start()
    assert kicked_with_421(idle)
    assert gate.admin("/readyz") == (503, "draining\n") and status(gate)["findings"][0]["whose"] == "operator"
    time.sleep(0.3)
    assert not done
    gate.process.send_signal(signal.SIGTERM)  # the first, so it changes nothing
    assert wait_until(lambda: "signal signal=SIGTERM what=draining" in gate.log)
    busy.send(b".\r\n")
    assert busy.reply() == 250 and kicked_with_421(busy)
    waiting.join(20)
    assert done[0].returncode == 0 and done[0].stdout == "drained: no session is left\n", done
    assert wait_until(lambda: not gate.alive()) and gate.process.returncode == 0
    assert len(sink.messages()) == 1


def test_drain_returns_at_once_and_the_process_ends(operated, sink):
    gate = operated(sink.port)
    with open_session(gate) as client:
        assert "draining" in said(gate, "drain")
        assert kicked_with_421(client)
    assert wait_until(lambda: not gate.alive()) and gate.process.returncode == 0
    assert "stop reason=drain" in gate.log


def test_bans_show_who_is_refused_and_lift_lets_them_try_again(make_gatepost, sink, short_folder):
    guessing = {"per_ip": "20/10m", "per_network": "off", "per_user_and_network": "off", "per_user_delay": "10s"}
    gate = limited(make_gatepost, sink.port, changes={"admin": {"socket": str(short_folder / "admin.sock")}, "auth": {"guessing": guessing}})
    assert said(gate, "bans") == "nobody is refused because of wrong passwords\n"
    with visit(gate, address=ELSEWHERE) as client:
        for number in range(20):
            assert attempt(client, user=f"user{number}", password="wrong") == 535
        assert attempt(client) == 454
        header, ban = said(gate, "bans", "list").splitlines()
        assert header.split() == ["SCOPE", "WHO", "FAILURES", "REFUSED", "FOR", "KEY"]
        assert ban.split()[:5] == ["per_ip", ELSEWHERE, "20", "of", "20"] and ban.endswith(f"guess:ip:{ELSEWHERE}")
        assert gate.metric("gatepost_auth_blocks_active", scope="ip") == 1
        assert said(gate, "bans", "lift", f"guess:ip:{ELSEWHERE}") == f"lifted the ban of guess:ip:{ELSEWHERE}\n"
        assert gate.metric("gatepost_auth_blocks_active", scope="ip") == 0
        assert attempt(client) == 235
    assert wait_until(lambda: f'admin_command uid={os.geteuid()} what="lifted the ban of guess:ip:{ELSEWHERE}"' in gate.log)
    for words, code in ((("lift", f"guess:ip:{HERE}"), 1), (("lift", "limit:x:y"), 1), (("lift",), 2), (("list", "x"), 2)):
        assert ask(gate, "bans", *words).returncode == code, words


def test_log_level_changes_what_is_logged(operated, sink):
    gate = operated(sink.port)

    def sessions():
        with open_session(gate) as client:
            client.quit()
        assert wait_until(lambda: gate.metric("gatepost_connections_active") == 0)
        time.sleep(0.3)
        return gate.log.count(" info session ")

    assert sessions() == 1
    assert "logged from now on: warning and above" in said(gate, "log", "level", "warning")
    assert sessions() == 1
    said(gate, "log", "level", "info")
    assert sessions() == 2


def test_hostile_names_break_no_table_and_no_page(operated, sink):
    gate = operated(sink.port, {"listeners": {"submission": {"require_tls": False}}})
    with Client(gate.port) as client:
        client.command("EHLO <script>alert(1)</script>")
        lines = said(gate, "who").splitlines()
        assert len(lines) == 2
    assert "<script" not in gate.admin("/status")[1]


def test_a_session_that_ends_while_it_is_kicked_harms_nobody(operated, sink):
    gate = operated(sink.port)
    for _ in range(20):
        clients = [open_session(gate) for _ in range(5)]
        kick = threading.Thread(target=ask, args=(gate, "kick", "--all"))
        kick.start()
        for client in clients:
            try:
                client.send("QUIT\r\n")
                client.reply()
            except (Closed, OSError):
                pass
            client.socket.close()
        kick.join()
    assert wait_until(lambda: who(gate) == {})
    assert gate.is_ready()


def test_a_backend_that_is_away_is_named(operated, sink, make_redis):
    redis = make_redis()
    gate = operated(sink.port, {"auth": {"backends": ["users"]}, "backends": {"local": None, "users": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/0"}}})
    assert wait_until(lambda: status(gate)["backends"][0]["connections"] >= 1) and status(gate)["findings"] == []
    redis.kill()
    assert wait_until(lambda: status(gate)["findings"] == [{"severity": "broken", "whose": "backend", "what": "users: no connection to it stands"}])
    assert said(gate, "status").startswith("some mail does not flow")
