"""Gatepost as a service: what systemd hears, sockets that it hands over, the unit itself, and run_as."""
import grp
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess

import pytest
from harness.client import Client
from harness.gatepost import USERS, command, merged, program
from harness.packages import ROOT
from harness.process import Program, answers, free_port, wait_until

USER = "alice@example.com"
NOBODY = 65534
SYSTEMD = ROOT / "deploy/systemd"


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        self.socket.settimeout(10)

    def next(self):
        """What is said next besides WATCHDOG=1, as a map; None when nothing is."""
        while True:
            said = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
            if "WATCHDOG" not in said:
                return said

    def watchdogs(self, count):
        heard = 0
        while heard < count:
            heard += self.socket.recv(4096) == b"WATCHDOG=1"
        return heard


@pytest.fixture(params=["file", "abstract"])
def systemd(request, short_folder):
    name = str(short_folder / "notify") if request.param == "file" else f"@gatepost-e2e-{os.getpid()}"
    listening = Systemd(name)
    listening.name = name
    yield listening
    listening.socket.close()


def send_one(port, sink):
    before = len(sink.messages())
    with Client(port) as client:
        client.ehlo()
        client.starttls()
        client.login(USER, USERS[USER])
        assert client.mail(b"Subject: x\r\n\r\nhello\r\n") == 250
    sink.wait_for(before + 1)


def test_systemd_hears_start_watchdog_reload_and_end(make_gatepost, sink, systemd):
    gate = make_gatepost(sink.port, {"workers": 2}, environment=os.environ | {"NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "400000"})
    assert systemd.next()["READY"] == "1"
    assert systemd.watchdogs(3) == 3
    gate.process.send_signal(signal.SIGHUP)
    begun = systemd.next()
    assert begun["RELOADING"] == "1" and int(begun["MONOTONIC_USEC"]) > 0
    assert systemd.next()["READY"] == "1"
    gate.stop()
    ended = systemd.next()
    assert ended["STOPPING"] == "1" and int(ended["EXTEND_TIMEOUT_USEC"]) >= 5_000_000


def test_a_worker_that_hangs_silences_the_watchdog(make_gatepost, sink, systemd):
    gate = make_gatepost(sink.port, {"workers": 2}, environment=os.environ | {"NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "200000"})
    assert systemd.watchdogs(2) == 2
    # Stopped as a whole it is silent too; that one thread is enough is held by ServiceManagerTest.
    gate.process.send_signal(signal.SIGSTOP)
    systemd.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        systemd.watchdogs(5)
    gate.process.send_signal(signal.SIGCONT)
    systemd.socket.settimeout(10)
    assert systemd.watchdogs(2) == 2


@pytest.fixture
def start(gatepost, short_folder):
    """start(address, changes, wrapper) runs the configuration of the file's Gatepost with one listener, on another address."""
    programs = []

    def run(address, changes=None, wrapper=(), environment=None):
        config = merged(gatepost.config, {"admin": {"address": f"127.0.0.1:{free_port()}"}, **(changes or {})})
        config["listeners"] = [{"name": "submission", "address": address}]
        path = short_folder / "gatepost.yaml"
        path.write_text(json.dumps(config))
        path.chmod(0o644)
        short_folder.chmod(0o755)
        programs.append(Program(short_folder, f"service-{len(programs)}", [*wrapper, program(), "serve", "--config", path], env=environment))
        return programs[-1]

    yield run
    for one in programs:
        if one.alive():
            assert one.terminate() == 0, one.log
        one.assert_no_sanitizer_report()


def activated(given, *words, at="127.0.0.1:"):
    passed_on = [f"-E{name}" for name in os.environ if name.endswith("SAN_OPTIONS")]
    return ["systemd-socket-activate", "-l", f"{at}{given}", *passed_on, *words]


# Port 1 is for root alone and nobody's: whoever is given a socket by its name need not open it.
@pytest.mark.parametrize("name, address", [("gatepost.socket", "127.0.0.1:{given}"), ("submission", "127.0.0.1:1")], ids=["by address", "by name"])
def test_a_listening_socket_comes_from_systemd(start, sink, name, address):
    given = free_port()
    gate = start(address.format(given=given), wrapper=activated(given, f"--fdname={name}"))
    gate.wait_for_log("Listening on")
    send_one(given, sink)  # the first who connects has it started, and waits in its queue until it serves
    assert gate.terminate() == 0
    assert f"address=127.0.0.1:{given}" in gate.log and "inherited" not in gate.log, gate.log


@pytest.mark.parametrize("at, warns", [("", False), ("0.0.0.0:", True)], ids=["both families", "IPv4 alone"])
def test_a_socket_of_both_families_is_for_the_listener_on_every_address(start, sink, at, warns):
    given = free_port()
    gate = start(f"*:{given}", wrapper=activated(given, at=at))
    gate.wait_for_log("Listening on")
    send_one(given, sink)
    if not warns:
        with Client(given, host="::1", source="::1") as client:
            client.ehlo()
    assert gate.terminate() == 0
    assert (f"address=0.0.0.0:{given}" if warns else f'address="*:{given}"') in gate.log and ("inherited" in gate.log) == warns, gate.log


def test_a_socket_that_no_listener_wants_is_named(start, sink):
    given, own = free_port(), free_port()
    gate = start(f"127.0.0.1:{own}", wrapper=activated(given, "--fdname=web"))
    gate.wait_for_log("Listening on")
    socket.create_connection(("127.0.0.1", given), 5).close()
    gate.wait_for_log(f"the inherited descriptor 3 (web), 127.0.0.1:{given}, is for no listener")
    send_one(own, sink)


def test_a_socket_that_cannot_accept_ends_the_start(start):
    given = free_port()
    gate = start("127.0.0.1:1", wrapper=activated(given, "--datagram", "--fdname=submission"))
    gate.wait_for_log("Listening on")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", given))
    assert gate.process.wait(20) == 3
    assert "the inherited descriptor 3 (submission) is no stream socket" in gate.log


def status_of_threads(pid):
    return [dict(re.findall(r"(?m)^(\w+):\s*(.*)$", path.read_text())) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status")]


def test_run_as_leaves_no_thread_a_right(start, sink, tls, gatepost, short_folder):
    # A port that only root can open, and a key that only root can read.
    address = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}.7:587"
    key = short_folder / "tls.key"
    key.write_bytes(tls.rsa.key.read_bytes())
    key.chmod(0o600)
    changes = {"run_as": "nobody:mail", "workers": 2, "tls": {"certificates": [{"certificate": str(tls.rsa.certificate), "key": str(key)}]},
               "admin": {"address": f"127.0.0.1:{free_port()}", "socket": str(short_folder / "admin.sock")}}  # fmt: skip
    gate = start(address, changes)
    gate.wait_for_log("workers=2")
    assert wait_until(lambda: (short_folder / "admin.sock").exists())
    mail = grp.getgrnam("mail").gr_gid
    for thread in status_of_threads(gate.pid):
        assert thread["Uid"].split() == [str(NOBODY)] * 4 and thread["Gid"].split() == [str(mail)] * 4, thread
        assert not set(thread["Groups"].split()) & {"0"} and thread["NoNewPrivs"] == "1", thread
        assert all(int(thread[name], 16) == 0 for name in ("CapEff", "CapPrm", "CapAmb", "CapInh")), thread
    found = (short_folder / "admin.sock").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (NOBODY, mail, 0o660)
    assert command("limits", "list", "--config", short_folder / "gatepost.yaml").returncode == 0  # root may still ask
    gate.wait_for_log(f"tls.certificates[0].key: {key}: Permission denied")
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), 5) as client:
        assert client.recv(100).startswith(b"220 ")


def as_user(user):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


@pytest.fixture
def reachable(gatepost, tls):
    """The folders of the harness are root's alone; a user must reach his files in them."""
    for file in (gatepost.users_path, tls.rsa.certificate, tls.rsa.key, program()):
        for parent in pathlib.Path(file).parents:
            if parent != pathlib.Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        file.chmod(file.stat().st_mode | 0o044)


def test_run_as_is_fine_for_that_user_and_refused_to_another(start, reachable):
    address = f"127.0.0.1:{free_port()}"
    gate = start(address, {"run_as": "nobody"}, wrapper=as_user(NOBODY))
    assert wait_until(lambda: answers(int(address.split(":")[1])) or not gate.alive()) and gate.alive(), gate.log
    other = start(f"127.0.0.1:{free_port()}", {"run_as": "nobody"}, wrapper=as_user(1))
    assert other.process.wait(20) == 3
    assert "run_as: to become user nobody Gatepost must be started as root, or as that user; it is user id 1" in other.log


@pytest.mark.parametrize("run_as, what", [("no-such-user", 'there is no user "no-such-user"'), ("nobody:no-such", 'there is no group "no-such"'), ("root", "is root")])
def test_check_says_where_run_as_is_wrong(gatepost, tmp_path, run_as, what):
    path = tmp_path / "gatepost.yaml"
    path.write_text("run_as: " + json.dumps(run_as) + "\n" + "\n".join(f"{key}: {json.dumps(value)}" for key, value in gatepost.config.items()))
    done = command("check", "--config", path)
    assert done.returncode == 1 and f"gatepost.yaml:1:9: run_as: " in done.stderr and what in done.stderr, done.stderr


def test_check_notes_what_the_user_could_not_read_again(gatepost, tls, tmp_path):
    path = tmp_path / "gatepost.yaml"
    path.write_text(json.dumps({**gatepost.config, "run_as": "nobody"}))
    key = tls.rsa.key
    key.chmod(0o600)
    done = command("check", "--config", path)
    assert done.returncode == 0 and f"tls.certificates[0].key: {key}: Permission denied; run_as: nobody cannot read it, so a reload will fail" in done.stderr, done.stderr


@pytest.fixture
def units(tmp_path):
    """The units, with a program that is there."""
    for unit in SYSTEMD.glob("gatepost.*"):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/gatepost", str(program())))
    return sorted(tmp_path.glob("gatepost.*"))


def test_the_units_are_what_systemd_understands(units):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert len(units) == 2 and done.returncode == 0 and not done.stdout + done.stderr, done.stderr


def test_the_service_is_exposed_to_little(units):
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", units[0]], capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for gatepost.service: ([\d.]+)", done.stdout)
    assert exposure and float(exposure.group(1)) <= 2.0 and done.returncode == 0, done.stdout


def test_the_unit_waits_longer_than_a_drain_takes():
    def seconds(text):
        return sum(int(number) * {"s": 1, "m": 60}[unit] for number, unit in re.findall(r"(\d+)([ms])", text))

    keys = dict(re.findall(r"(?m)^\s+(?:- )?(delay|timeout|reply_timeout): (\w+)", (ROOT / "conf/gatepost.yaml").read_text()))
    drain = re.search(r"(?ms)^drain:.*?delay: (\w+).*?timeout: (\w+)", (ROOT / "conf/gatepost.yaml").read_text())
    stop = re.search(r"(?m)^TimeoutStopSec=(\w+)", (SYSTEMD / "gatepost.service").read_text()).group(1)
    assert seconds(stop) > sum(map(seconds, drain.groups())) + seconds(keys["reply_timeout"]) > 60
