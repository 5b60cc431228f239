"""The filter in deploy/fail2ban, held against real lines of a real Gatepost by Debian's own fail2ban-regex. fail2ban is unpacked, never installed or started."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import packages
from harness.client import Client, b64, plain
from harness.gatepost import USERS
from harness.log_lines import FORMATS
from harness.process import wait_until

USER = "alice@example.com"
OURS = Path(__file__).resolve().parents[2] / "deploy" / "fail2ban"
VICTIM = "192.0.2.1"
FORGED = [
    f"x client_ip={VICTIM}", f'x" client_ip={VICTIM} y="', f'x","client_ip":"{VICTIM}"', f"{VICTIM}", "2001:db8::bad", "[2001:db8::bad]", "x@[192.0.2.1]",
    f"x\n2026-11-28T22:30:08.123Z info auth_failed session=a-0-1 listener=submission client_ip={VICTIM} user=x",
    f'x\n{{"time":"2026-11-28T22:30:08.123Z","level":"info","event":"auth_failed","session":"a-0-1","listener":"submission","client_ip":"{VICTIM}"}}',
    f"x\rtime=2026-11-28T22:30:08.123Z level=info event=auth_failed session=a-0-1 listener=submission client_ip={VICTIM}",
    f"info auth_failed session=a-0-1 listener=submission client_ip={VICTIM} ", f"host gatepost[1]: info auth_failed session=a listener=s client_ip={VICTIM}",
]  # fmt: skip
JOURNAL = "Nov 28 22:30:08 mail gatepost[77]: "


@pytest.fixture(scope="module")
def fail2ban(tmp_path_factory):
    """Calls fail2ban-regex: the addresses that these lines ban, one for each line that matches."""
    root, _ = packages.unpack("fail2ban", alone=True)
    folder = tmp_path_factory.mktemp("fail2ban")
    config = folder / "config"
    shutil.copytree(root / "etc/fail2ban", config)
    shutil.copytree(OURS, config, dirs_exist_ok=True)

    def banned(lines, mode="normal"):
        (folder / "lines").write_text("\n".join(lines) + "\n")
        program = [sys.executable, root / "usr/bin/fail2ban-regex", "-c", config, "-o", "ip", folder / "lines", f"gatepost[mode={mode}]"]
        done = subprocess.run(program, capture_output=True, text=True, timeout=60, cwd=folder,
                              env={"PYTHONPATH": str(root / "usr/lib/python3/dist-packages"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    banned.config, banned.root = config, root
    return banned


def start(make_gatepost, sink, form, **changes):
    return make_gatepost(sink.port, {"log": {"format": form}, "auth": {"failure_delay": "10ms", "max_attempts": 100, **changes}, "session": {"max_errors": 100}})


def talk(gate, source, *lines):
    """A session of its own from this address; returns its lines of the log."""
    before = len(gate.log)
    with Client(gate.tls_port, implicit_tls=True, source=source) as client:
        client.ehlo()
        codes = [client.command(line).code for line in lines]
    mark = [f'"client_ip":"{source}"', f"client_ip={source}"]
    ended = lambda: [line for line in gate.log[before:].splitlines() if any(m in line for m in mark) and "time_messages" in line]  # noqa: E731
    assert wait_until(ended, 5), gate.log[before:]
    return codes, gate.log[before:].splitlines()


def wrong(user=USER):
    return f"AUTH PLAIN {plain(user, 'wrong')}"


@pytest.mark.parametrize("form", FORMATS)
def test_failures_are_found_and_nobody_else(make_gatepost, sink, fail2ban, form):
    gate = start(make_gatepost, sink, form)
    codes, lines = talk(gate, "127.0.0.5", wrong(), wrong("nobody"), f"AUTH LOGIN {b64(USER)}", b64("wrong"))
    assert codes == [535, 535, 334, 535]
    assert fail2ban(lines) == ["127.0.0.5"] * 3
    _, fine = talk(gate, "127.0.0.6", f"AUTH PLAIN {plain(USER, USERS[USER])}", f"MAIL FROM:<{USER}>", "RCPT TO:<a@example.net>", "RSET", "QUIT")
    assert fine and fail2ban(fine) == [] == fail2ban(fine, "aggressive")
    assert fail2ban([JOURNAL + line for line in lines]) == ["127.0.0.5"] * 3, "as syslog writes them"
    assert fail2ban(["2026-11-28T22:30:09.123456+00:00 mail gatepost[77]: " + line for line in lines]) == ["127.0.0.5"] * 3, "as rsyslog of Debian 12 does"


@pytest.mark.parametrize("form", FORMATS)
def test_the_modes(make_gatepost, sink, fail2ban, form):
    gate = start(make_gatepost, sink, form, guessing={"per_ip": "2/10m"})
    _, malformed = talk(gate, "127.0.0.7", "AUTH PLAIN !!!!", f"AUTH PLAIN {b64('x')}", "AUTH FOO", "AUTH LOGIN", "*")
    assert fail2ban(malformed) == []
    assert fail2ban(malformed, "aggressive") == ["127.0.0.7"] * 4
    codes, blocked = talk(gate, "127.0.0.8", wrong(), wrong(), wrong())
    assert codes == [535, 535, 454] and fail2ban(blocked) == ["127.0.0.8"] * 3


@pytest.mark.parametrize("form", FORMATS)
def test_who_is_refused_because_of_the_neighbours_is_not_banned(make_gatepost, sink, fail2ban, form):
    gate = start(make_gatepost, sink, form, guessing={"per_network": "2/10m", "per_user_and_network": "1/10m"})
    codes, guesses = talk(gate, "127.0.0.8", wrong(), wrong(), wrong("nobody"))
    assert codes == [535, 454, 535] and fail2ban(guesses) == ["127.0.0.8"] * 3, "of the rule per_user_and_network too"
    codes, refused = talk(gate, "127.0.0.9", f"AUTH PLAIN {plain('carol', USERS['carol'])}", wrong("x reason=per_ip"), wrong('x","reason":"per_ip"'))
    assert codes == [454] * 3 and sum("per_network" in line for line in refused) == 3, refused
    assert fail2ban(refused) == [] == fail2ban(refused, "aggressive")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mode", ["normal", "aggressive"])
def test_no_name_bans_somebody_else(make_gatepost, sink, fail2ban, form, mode):
    gate = start(make_gatepost, sink, form)
    codes, lines = talk(gate, "127.0.0.9", *(wrong(name) for name in FORGED), f"EHLO [{VICTIM}]", f"NOOP client_ip={VICTIM}")
    assert codes.count(535) == len(FORGED)
    for variant in (lines, [JOURNAL + line for line in lines]):
        assert fail2ban(variant, mode) == ["127.0.0.9"] * len(FORGED), variant


def test_an_address_of_version_six(fail2ban):
    line = "2026-11-28T22:30:08.123Z info auth_failed session=a-0-1 listener=submission client_ip=2001:db8::7 user=\"a client_ip\\x3d192.0.2.1\""
    assert fail2ban([line]) == ["2001:db8::7"]


def test_the_jail_is_read(fail2ban):
    done = subprocess.run([sys.executable, fail2ban.root / "usr/bin/fail2ban-client", "-c", fail2ban.config, "--dp"], capture_output=True, text=True, timeout=60,
                          env={"PYTHONPATH": str(fail2ban.root / "usr/lib/python3/dist-packages"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip
    assert "'gatepost'" in done.stdout and "_SYSTEMD_UNIT=gatepost.service" in done.stdout, done.stdout + done.stderr
