"""What a newcomer meets: deploy/quickstart with --once to its end, and without until Ctrl-C; ports that are in use; the examples of the documentation."""
import os
import re
import signal
import socket
import subprocess

import pytest
from harness.client import plain
from harness.gatepost import command
from harness.packages import ROOT
from harness.process import Program, answers, build_folder, free_port, wait_until

PORTS = ("--port", "--tls-port", "--admin-port", "--upstream-port")


@pytest.fixture
def words(tmp_path):
    """The command line: programs of this build, free ports, a folder of its own."""
    ports = [str(word) for flag in PORTS for word in (flag, free_port())]
    return [ROOT / "deploy/quickstart", "--programs", build_folder(), "--state", tmp_path / "state", *ports]


def port(words, flag):
    return int(words[words.index(flag) + 1])


def once(words, **more):
    return subprocess.run([*map(str, words), "--once"], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **more)


def test_once_sends_shows_and_ends(words, tmp_path):
    done = once(words)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("STARTTLS", "TLSv1.", "AUTH PLAIN •", "235 2.7.0", "MAIL FROM:<demo@example.com>", "250 2.0.0 Message taken", "Subject: Hello through Gatepost", "It works.", "gatepost_messages_total 1"):
        assert said in done.stdout, (said, done.stdout)
    assert "\033" not in done.stdout, "colours without a terminal"
    assert not [line for line in done.stdout.splitlines() if len(line) > 80 and "/" not in line]
    (message,) = (tmp_path / "state/messages").glob("*.eml")
    assert b"\r\nIt works.\r\n" in message.read_bytes()
    assert not any(answers(port(words, flag)) for flag in PORTS), "something was left running"


def test_a_person_may_look_around_until_ctrl_c(words, tmp_path):
    program = Program(tmp_path, "quickstart", words)
    assert wait_until(lambda: "Waiting for your messages" in program.log or not program.alive(), 60), program.log
    password = re.search(r"PASSWORD=(\S+)", program.log).group(1)
    everything = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert password.encode() not in everything and plain("demo", password).encode() not in everything
    sent = subprocess.run(["swaks", "--server", f"127.0.0.1:{port(words, '--tls-port')}", "--tlsc", "--auth-user", "demo", "--auth-password", password, "--from", "demo@example.com", "--to", "x@example.net", "--header", "Subject: a second one"],
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert sent.returncode == 0, sent.stdout
    assert wait_until(lambda: "Subject: a second one" in program.log), program.log
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait(20) == 0
    assert "Goodbye" in program.log and not any(answers(port(words, flag)) for flag in PORTS)


@pytest.mark.parametrize("flag", PORTS)
def test_a_port_in_use_is_named(words, tmp_path, flag):
    with socket.create_server(("127.0.0.1", port(words, flag))):
        done = once(words)
    assert done.returncode == 1
    assert f"port {port(words, flag)} " in done.stdout and f"{flag} " in done.stdout, done.stdout
    assert not (tmp_path / "state").exists()


def test_a_folder_with_other_files_is_left_alone(words, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/precious").touch()
    assert once(words).returncode == 1 and (tmp_path / "state/precious").exists()


def test_a_build_that_fails_shows_the_end_of_its_log(words, tmp_path):
    """A copy of the quickstart in a tree that has nothing to build."""
    copy = tmp_path / "tree"
    copy.mkdir()
    subprocess.run(["cp", "-r", ROOT / "deploy", copy / "deploy"], check=True)
    words = [copy / "deploy/quickstart", *words[3:]]
    done = once(words, cwd=copy, env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 1 and "`cmake --preset release` failed" in done.stdout and "Could not read presets" in done.stdout, done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])
def test_configurations_in_the_documentation_are_fine(page, tmp_path, tls):
    (tmp_path / "users").touch()
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert examples
    for example in examples:
        for path, real in (("/etc/gatepost/tls/tls.crt", tls.rsa.certificate), ("/etc/gatepost/tls/tls.key", tls.rsa.key), ("/etc/gatepost/users", tmp_path / "users")):
            example = example.replace(path, str(real))
        (tmp_path / "gatepost.yaml").write_text(example)
        done = command("check", "--config", tmp_path / "gatepost.yaml")
        assert done.returncode == 0, done.stderr


def test_interrupted_before_it_is_done_is_no_success(words, tmp_path):
    """The programs are a pretence: `gatepost user set` never ends."""
    pretence = tmp_path / "programs"
    pretence.mkdir()
    for name in ("gatepost", "gatepost-sink"):
        (pretence / name).write_text("#!/bin/sh\nexec sleep 60\n")
        (pretence / name).chmod(0o755)
    words[words.index("--programs") + 1] = pretence
    program = Program(tmp_path, "quickstart", words)
    assert wait_until(lambda: "certificate" in program.log)
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(20) == 130 and "Goodbye" not in program.log
