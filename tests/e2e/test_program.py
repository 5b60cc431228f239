"""The program as an operator meets it: exit codes, errors with their place, signals, admin HTTP, ports in use, many idle sessions."""
import json
import re
import resource
import signal
import subprocess
import time

import pytest
from harness.client import Client, trusting_context
from harness.gatepost import USERS, command
from harness.packages import ROOT, unpack
from harness.process import free_port, sanitized, wait_until

USER = "alice@example.com"


def test_version():
    done = command("version")
    assert done.returncode == 0 and "gatepost" in done.stdout.lower() and "OpenSSL" in done.stdout


@pytest.mark.parametrize("words", [["frobnicate"], ["serve", "--no-such-option"], []])
def test_wrong_usage_is_2(words):
    assert command(*words).returncode == 2


def test_check_says_one_line(gatepost):
    done = command("check", "--config", gatepost.config_path)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1, done.stdout + done.stderr


def test_check_and_serve_say_who_keeps_a_mechanism_from_being_offered(make_gatepost, sink, tmp_path):
    record = command("hash", "--scheme", "SHA512-CRYPT", input="a password\n").stdout.strip()
    users = tmp_path / "hashed-users"
    users.write_text("".join(f"{user}:{record}\n" for user in USERS))
    gate = make_gatepost(sink.port, {"auth": {"mechanisms": ["SCRAM-SHA-256", "PLAIN"]}, "backends": {"local": {"path": str(users)}}})
    done = command("check", "--config", gate.config_path)
    note = f"backends.local: {len(USERS)} of {len(USERS)} users cannot use SCRAM-SHA-256"
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    assert done.stderr.count("note: ") == 1 and note in done.stderr, done.stderr
    assert wait_until(lambda: note in gate.log) and gate.log.count(note) == 1, gate.log


def test_check_dump_holds_every_part_and_no_secret(gatepost):
    done = command("check", "--config", gatepost.config_path, "--dump")
    assert done.returncode == 0
    for part in ("listeners:", "tls:", "session:", "auth:", "backends:", "upstreams:", "admin:", "drain:"):
        assert re.search(rf"(?m)^{part}", done.stdout), part
    assert not any(password in done.stdout for password in USERS.values())


WRONG = """\
hostname: "gate.example"
listeners:
  - name: submission
    address: "127.0.0.1:notaport"
    tls: sometimes
sesion: {}
auth:
  backends: [nowhere]
  max_attempts: many
backends:
  local: {type: file, path: /nonexistent/users}
upstreams:
  - name: default
    servers: ["127.0.0.1:25"]
"""


@pytest.mark.parametrize("words", [["check"], ["serve"]])
def test_every_error_at_once_with_its_place(tmp_path, words):
    path = tmp_path / "wrong.yaml"
    path.write_text(WRONG)
    done = command(*words, "--config", path)
    assert done.returncode == 1
    text = done.stdout + done.stderr
    places = {tuple(map(int, found)) for found in re.findall(r"wrong\.yaml:(\d+):(\d+): ", text)}
    assert {line for line, _ in places} >= {4, 5, 6, 8, 9, 11}, text


def test_missing_and_broken_files(tmp_path):
    done = command("check", "--config", tmp_path / "none.yaml")
    assert done.returncode == 1 and "none.yaml" in done.stdout + done.stderr
    (tmp_path / "broken.yaml").write_text("listeners: [\n  {name: a,\n")
    done = command("check", "--config", tmp_path / "broken.yaml")
    assert done.returncode == 1 and re.search(r"broken\.yaml:\d+:\d+: ", done.stdout + done.stderr)


def test_what_is_not_built_yet_is_refused_by_name(gatepost, tmp_path):
    config = dict(gatepost.config)
    config["session"] = {"greeting_delay": "1s"}
    path = tmp_path / "session.yaml"
    path.write_text(json.dumps(config, indent=1))
    done = command("check", "--config", path)
    assert done.returncode == 1 and "session.greeting_delay: 1s: not available yet" in done.stdout + done.stderr


def test_a_configuration_with_limits_is_fine(gatepost, tmp_path):
    config = dict(gatepost.config)
    config["limits"] = [{"name": "logins", "count": "auth_failures", "per": "network", "rate": "20/10m", "action": "close"}]
    path = tmp_path / "limits.yaml"
    path.write_text(json.dumps(config, indent=1))
    done = command("check", "--config", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_file_passes_once_its_paths_exist(tmp_path, tls):
    text = (ROOT / "conf/gatepost.yaml").read_text().replace("/etc/gatepost/tls/tls.crt", str(tls.rsa.certificate)).replace("/etc/gatepost/tls/tls.key", str(tls.rsa.key))
    (tmp_path / "users").write_text("a:{PLAIN}b\n")
    (tmp_path / "gatepost.yaml").write_text(text.replace("/etc/gatepost/users", str(tmp_path / "users")))
    done = command("check", "--config", tmp_path / "gatepost.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_port_in_use_is_3(gatepost, tmp_path):
    done = command("serve", "--config", gatepost.config_path)
    assert done.returncode == 3 and str(gatepost.port) in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(make_gatepost, sink, number):
    gate = make_gatepost(sink.port)
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        gate.process.send_signal(number)
        assert gate.process.wait(20) == 0
    gate.assert_no_sanitizer_report()


def test_a_second_signal_ends_it_at_once(make_gatepost, make_sink):
    gate = make_gatepost(make_sink("--slow", "EOD=30000").port)
    with Client(gate.plain_port) as client:
        client.ehlo()
        client.commands("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA")
        client.send("x\r\n.\r\n")
        time.sleep(0.2)
        gate.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        if gate.alive():
            gate.process.send_signal(signal.SIGTERM)
        start = time.monotonic()
        gate.process.wait(10)
        assert time.monotonic() - start < 3


def test_an_expired_drain_waits_for_the_answer_to_a_complete_message(make_gatepost, make_sink):
    gate = make_gatepost(make_sink("--slow", "EOD=3000").port, {"drain": {"delay": "0s", "timeout": "500ms"}})
    with Client(gate.plain_port) as waiting, Client(gate.plain_port) as unfinished:
        for client in (waiting, unfinished):
            client.ehlo()
            client.commands("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA")
        waiting.send("x\r\n.\r\n")
        unfinished.send("x\r\n")
        time.sleep(0.2)
        gate.process.send_signal(signal.SIGTERM)
        assert waiting.reply() == 250
        assert unfinished.at_end()
        assert gate.process.wait(10) == 0


def test_passwords_come_from_standard_input_and_records_verify(gatepost, tmp_path):
    for scheme in ([], ["--scheme", "PLAIN"], ["--scheme", "ARGON2ID"]):
        done = command("hash", *scheme, input="some secret 12\n")
        assert done.returncode == 0 and done.stdout.count("\n") == 1, done.stderr
        if scheme != ["--scheme", "PLAIN"]:
            assert "some secret 12" not in done.stdout
    added = command("user", "set", "erin", "--config", gatepost.config_path, "--backend", "local", input="erin secret 77\n")
    assert added.returncode == 0, added.stderr
    gatepost.users["erin"] = "erin secret 77"
    assert "erin" in command("user", "list", "--config", gatepost.config_path, "--backend", "local").stdout
    good = command("user", "verify", "erin", "--config", gatepost.config_path, "--backend", "local", input="erin secret 77\n")
    bad = command("user", "verify", "erin", "--config", gatepost.config_path, "--backend", "local", input="erin secret 78\n")
    assert (good.returncode, bad.returncode) == (0, 1)
    assert "erin secret" not in gatepost.users_path.read_text()
    assert command("user", "delete", "erin", "--config", gatepost.config_path, "--backend", "local").returncode == 0


def test_admin_pages(gatepost):
    assert gatepost.admin("/livez")[0] == 200
    assert gatepost.admin("/readyz")[0] == 200
    assert gatepost.admin("/nothing")[0] == 404
    status, text = gatepost.admin("/metrics")
    assert status == 200
    for name in ("gatepost_build_info", "gatepost_connections_accepted_total", "gatepost_auth_attempts_total", "gatepost_messages_total", "process_resident_memory_bytes"):
        assert f"# HELP {name} " in text and f"# TYPE {name} " in text


def test_promtool_has_nothing_to_say(gatepost):
    folder, _ = unpack("prometheus", alone=True)
    done = subprocess.run([folder / "usr/bin/promtool", "check", "metrics"], input=gatepost.admin("/metrics")[1], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr


def test_not_ready_while_no_upstream_is_there_and_ready_again(make_gatepost, make_sink):
    port = free_port()
    gate = make_gatepost(port, ready=False, changes={"upstreams": [upstream(port, fall=1, rise=1)]})
    assert wait_until(lambda: gate.admin("/readyz")[0] == 503)
    assert "upstream" in gate.admin("/readyz")[1]
    assert gate.admin("/livez")[0] == 200
    make_sink(port=port)
    assert wait_until(gate.is_ready)


def upstream(port, **health):
    return {"name": "default", "servers": [f"127.0.0.1:{port}"], "health": {"interval": "200ms", "timeout": "1s", **health}}


def test_sessions_and_messages_are_counted_and_gauges_return_to_zero(make_gatepost, make_sink):
    gate = make_gatepost(make_sink().port)
    accepted = gate.metric("gatepost_connections_accepted_total", listener="submissions")
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        assert client.mail(b"Subject: counted\r\n\r\n") == 250
        assert gate.metric("gatepost_connections_active") == 1
        client.quit()
    gate.wait_for_metric("gatepost_connections_active", 0)
    assert gate.metric("gatepost_connections_accepted_total", listener="submissions") == accepted + 1
    assert gate.metric("gatepost_messages_total", result="accepted") == 1


def test_log_has_one_line_a_message_and_one_a_session(make_gatepost, make_sink):
    gate = make_gatepost(make_sink().port)
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        for _ in range(2):
            assert client.mail(b"Subject: logged\r\n\r\n") == 250
        client.quit()
    gate.wait_for_log("reason=quit")
    lines = [line.split(" ") for line in gate.log.splitlines() if USER in line]
    assert [line[2] for line in lines] == ["message", "message", "session"]
    assert len({line[3] for line in lines}) == 1, "one session= in all of them"


def test_two_thousand_idle_sessions(make_gatepost, make_sink):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    gate = make_gatepost(make_sink().port)
    before, files, clients, context = gate.memory(), gate.descriptors(), [], trusting_context()
    try:
        for _ in range(2000):
            clients.append(Client(gate.tls_port, implicit_tls=True, context=context))
        grown = (gate.memory() - before) / 2000
        assert grown < 40_000 or sanitized(), f"{grown:.0f} octets an idle TLS session"
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            client.login(USER, USERS[USER])
            assert client.mail(b"Subject: in the crowd\r\n\r\n") == 250
    finally:
        for client in clients:
            client.socket.close()
    gate.wait_for_metric("gatepost_connections_active", 0)
    assert wait_until(lambda: gate.descriptors() <= files + 2)


def test_too_many_connections_on_a_listener(make_gatepost, make_sink):
    gate = make_gatepost(make_sink().port, {"listeners": {"submission": {"max_connections": 3}}})
    clients = [Client(gate.port) for _ in range(3)]
    gate.wait_for_metric("gatepost_connections_active", 3, listener="submission")
    with Client(gate.port, greeting=False) as fourth:
        assert fourth.reply() == "421 4.3.2"
        assert fourth.at_end()
    for client in clients:
        client.socket.close()
    gate.wait_for_metric("gatepost_connections_active", 0)
    with Client(gate.port) as client:
        client.ehlo()
