"""The quickstart: builds Gatepost, starts it in front of an upstream that shows what arrives, sends one message through it, and shows who said
what. Everything it starts listens on 127.0.0.1 and ends with it; deploy/quickstart installs the packages first."""
import argparse
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from programs import Problem, Server, build_progress, in_use, run, tail, wait_until  # noqa: E402
from screen import Screen  # noqa: E402
from transcript import read_log, read_swaks, read_wire, rows  # noqa: E402
from watch import Watch, show_message  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
USER, SENDER, RECIPIENT = "demo", "demo@example.com", "you@example.net"
CONFIG = """\
# The configuration of deploy/quickstart; docs/getting-started.md explains one for your own mail server.
hostname: gatepost.example
listeners:
  - {{name: submission, address: "127.0.0.1:{port}", tls: starttls}}
  - {{name: submissions, address: "127.0.0.1:{tls_port}", tls: implicit}}
tls:
  certificates: [{{certificate: {certificate}, key: {key}}}]
auth:
  backends: [local]
  mechanisms: [PLAIN, LOGIN]
backends:
  local: {{type: file, path: {users}}}
upstreams:
  - {{name: demo, servers: ["127.0.0.1:{upstream_port}"]}}
admin: {{address: "127.0.0.1:{admin_port}"}}
drain: {{delay: 0s}}
"""


def arguments():
    parser = argparse.ArgumentParser(prog="deploy/quickstart", description="From nothing to a delivered message; runs until Ctrl-C.")
    parser.add_argument("--once", action="store_true", help="end after the first message (for scripts)")
    parser.add_argument("--port", type=int, default=2587, metavar="N", help="STARTTLS (%(default)s)")
    parser.add_argument("--tls-port", type=int, default=2465, metavar="N", help="implicit TLS (%(default)s)")
    parser.add_argument("--admin-port", type=int, default=9587, metavar="N", help="metrics (%(default)s)")
    parser.add_argument("--upstream-port", type=int, default=2525, metavar="N", help="the demonstration's upstream (%(default)s)")
    parser.add_argument("--state", type=pathlib.Path, default=ROOT / "build/quickstart", metavar="DIR", help="for certificate, user, logs and messages; emptied first (build/quickstart)")
    parser.add_argument("--programs", type=pathlib.Path, metavar="DIR", help="do not build: take gatepost and gatepost-sink from here")
    return parser.parse_args()


class Quickstart:
    def __init__(self, options, screen):
        self.options, self.screen = options, screen
        self.state = options.state.resolve()
        self.programs = (options.programs or ROOT / "build/release").resolve()
        self.servers = []
        self.password = pronounceable_password()
        self.complete = False

    def ports(self):
        """Before anything takes time: are the ports free?"""
        flags = {"--port": self.options.port, "--tls-port": self.options.tls_port, "--admin-port": self.options.admin_port, "--upstream-port": self.options.upstream_port}
        taken = {flag: port for flag, port in flags.items() if in_use(port)}
        if taken:
            raise Problem(
                "ports", f"port {' and '.join(map(str, taken.values()))} of 127.0.0.1 is in use already. Is another quickstart running?",
                f"who has it:     ss -ltnp | grep -E ':({'|'.join(map(str, taken.values()))}) '",
                f"other ports:    deploy/quickstart {' '.join(f'{flag} {port + 10000}' for flag, port in taken.items())}")  # fmt: skip

    def folder(self):
        marker = self.state / "gatepost.yaml"
        if self.state.exists() and any(self.state.iterdir()) and not marker.exists():
            raise Problem("folder", f"{self.state} has files that are not the quickstart's; give an empty folder: --state DIR")
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(parents=True, mode=0o700)
        files = {name: self.quoted(file) for name, file in {"certificate": "tls.crt", "key": "tls.key", "users": "users"}.items()}
        marker.write_text(CONFIG.format(**vars(self.options) | files))

    def quoted(self, file):
        """The path of a file of ours as a value of the configuration, whatever the folder is called."""
        return json.dumps(str(self.state / file), ensure_ascii=False).replace("$", "$$")

    def build(self):
        if self.options.programs:
            for name in ("gatepost", "gatepost-sink"):
                if not os.access(self.programs / name, os.X_OK):
                    raise Problem("programs", f"{shown(self.programs / name)} is not there; without --programs it is built")
            return self.screen.done("programs", shown(self.programs))
        start = time.monotonic()
        self.screen.doing("build", "cmake --preset release && cmake --build --preset release")

        def progress(line):
            if found := build_progress(line):
                width = 24
                full = width * found[0] // found[1]
                self.screen.doing("build", f"{'█' * full}{'░' * (width - full)} {found[0]} of {found[1]} (some minutes)")

        if not self.screen.terminal:
            self.screen.line(" · build       the first time takes some minutes")
        run("build", ["cmake", "--preset", "release"], self.state / "build.log", cwd=ROOT)
        run("build", ["cmake", "--build", "--preset", "release"], self.state / "build.log", progress, cwd=ROOT)
        self.screen.done("build", shown(self.programs / "gatepost"), time.monotonic() - start)

    def certificate(self):
        run("certificate", ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.state / "tls.key", "-out", self.state / "tls.crt"], self.state / "openssl.log")  # fmt: skip
        self.screen.done("certificate", f"{shown(self.state / 'tls.crt')}, for localhost and 127.0.0.1")

    def user(self):
        users = self.state / "users"
        users.touch(mode=0o600)
        done = subprocess.run([self.programs / "gatepost", "user", "set", USER, "--config", self.state / "gatepost.yaml", "--backend", "local"], input=self.password + "\n", capture_output=True, text=True)
        if done.returncode != 0:
            raise Problem("user", "`gatepost user set` failed:", *(done.stdout + done.stderr).splitlines())
        scheme = re.match(r"[^:]+:(\{[A-Z0-9-]+\})", users.read_text())
        self.screen.done("user", f"{USER}, with a random password; kept as a {scheme.group(1) if scheme else ''} record")

    def start(self):
        ports = self.options
        upstream = Server("gatepost-sink", [self.programs / "gatepost-sink", "--listen", f"127.0.0.1:{ports.upstream_port}", "--show", "--store", self.state / "messages", "--wire", self.state / "wire"], self.state / "upstream.log")  # fmt: skip
        self.servers.append(upstream)
        upstream.ready(lambda: "listening" in upstream.text())
        self.screen.done("upstream", f"127.0.0.1:{ports.upstream_port}, takes every message and shows it")
        gatepost = Server("gatepost", [self.programs / "gatepost", "serve", "--config", self.state / "gatepost.yaml"], self.state / "gatepost.log")
        self.servers.append(gatepost)
        gatepost.ready(lambda: self.admin("/readyz") is not None)
        self.screen.done("Gatepost", f"127.0.0.1:{ports.port} (STARTTLS) and :{ports.tls_port} (implicit TLS)")

    def admin(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.options.admin_port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def send(self):
        """One message with swaks, and the diagram of it."""
        mark = f"{secrets.token_hex(8)}@example.com"
        command = ["swaks", "--server", "127.0.0.1", "--port", str(self.options.port), "--tls", "--tls-verify", "--tls-ca-path", str(self.state / "tls.crt"), "--auth", "PLAIN", "--auth-user", USER, "--auth-hide-password",
                   "--ehlo", "client.example", "--from", SENDER, "--to", RECIPIENT, "--header", "Subject: Hello through Gatepost", "--header", f"Message-Id: <{mark}>", "--body", "It works.\n"]  # fmt: skip
        done = subprocess.run(command, env=os.environ | {"SWAKS_OPT_auth_password": self.password}, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=60)
        (self.state / "swaks.log").write_text(done.stdout + done.stderr)
        (self.state / "swaks.log").chmod(0o600)
        arrived = wait_until(lambda: next((path for path in sorted(self.state.glob("messages/*.eml")) if mark.encode() in path.read_bytes()), None), 5 if done.returncode == 0 else 0)
        if done.returncode != 0 or not arrived:
            raise Problem("message", "the message did not arrive. What the client saw, and what Gatepost logged:", *(done.stdout + done.stderr).splitlines()[-20:], *tail(self.state / "gatepost.log", 8))
        self.screen.title("One real message, sent with swaks over STARTTLS")
        envelope = json.loads(arrived.with_suffix(".env").read_text())
        wire = self.state / f"wire.{envelope['connection']}"
        wait_until(lambda: wire.read_bytes().endswith(b"\r\nQUIT\r\n"), 1)
        self.diagram(read_swaks(done.stdout), read_wire(wire.read_bytes()))
        self.screen.title("What arrived at the upstream")
        show_message(self.screen, arrived, envelope)

    def diagram(self, said, upstream):
        logged = wait_until(lambda: [fields for event, fields in filter(None, map(read_log, self.servers[-1].text().splitlines())) if event == "message"], 5)
        final = f"{logged[0]['code']} {logged[0]['reply']}" if logged else None
        self.screen.parties("swaks", "Gatepost", "upstream")
        for left, right in rows(said, upstream, final):
            self.screen.lanes(left, right)

    def counted(self):
        self.screen.title(f"What Gatepost counted (http://127.0.0.1:{self.options.admin_port}/metrics)")
        wanted = r"(gatepost_(?:auth_attempts|messages)_total)\{(.*)\} ([1-9]\d*)$"
        for name, labels, value in re.findall(wanted, self.admin("/metrics") or "", re.MULTILINE):
            self.screen.line(f"   {name} {self.screen.paint(value, 'bold', 'green')}")
            self.screen.line(f"     {self.screen.paint(labels.replace(',', ' '), 'dim')}")

    def try_next(self):
        screen, ports = self.screen, self.options
        certificate = shown(self.state / "tls.crt")
        screen.title("Try it yourself, in another terminal (in this folder)")
        for line in (
            f"   PASSWORD={screen.paint(self.password, 'bold', 'yellow')}   {screen.paint('# shown here only', 'dim')}",
            "",
            f"   {screen.paint('swaks', 'bold', 'cyan')} --server 127.0.0.1:{ports.port} --tls --to {RECIPIENT} \\",
            f"         --auth-user {USER} --auth-password \"$PASSWORD\"",
            "",
            f"   {screen.paint('openssl', 'bold', 'cyan')} s_client -quiet -crlf -connect 127.0.0.1:{ports.tls_port} \\",
            f"         -CAfile {certificate}     {screen.paint('# then type: EHLO me, and QUIT', 'dim')}",
            "",
            f"   echo 'Subject: Hello from curl' | {screen.paint('curl', 'bold', 'cyan')} -s --crlf smtps://127.0.0.1:{ports.tls_port} \\",
            f"         --cacert {certificate} --user {USER}:\"$PASSWORD\" \\",
            f"         --mail-from {SENDER} --mail-rcpt {RECIPIENT} -T -",
        ):
            screen.line(line)

    def all_of_it(self):
        self.ports()
        self.screen.line(f" {self.screen.paint('Gatepost', 'bold')}, an SMTP AUTH gateway: from nothing to a delivered message")
        self.screen.line()
        self.screen.done("packages", "all of deploy/packages.txt")
        self.folder()
        self.build()
        self.certificate()
        self.user()
        self.start()
        self.send()
        self.counted()
        self.complete = True
        if not self.options.once:
            self.try_next()
            self.screen.title("Waiting for your messages. Ctrl-C ends everything.")
            Watch(self.screen, self.state, self.servers).run()

    def stop(self):
        """Ends what was started; False if something did not end well."""
        statuses = {server: server.stop() for server in reversed(self.servers)}
        for server, status in statuses.items():
            if status != 0:
                self.screen.failed(server.name, f"ended with status {status}; see {shown(server.log)}")
        return not any(statuses.values())


def pronounceable_password():
    syllables = ["".join(secrets.choice(letters) for letters in ("bdfgklmnprstvz", "aeiou")) for _ in range(6)]
    return f"{''.join(syllables[:3])}-{''.join(syllables[3:])}-{secrets.randbelow(9000) + 1000}"


def shown(path):
    """As a person here would type it."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) and not relative.startswith("../..") else str(path)


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    options = arguments()
    screen = Screen()
    quickstart = Quickstart(options, screen)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    status = 0
    try:
        quickstart.all_of_it()
    except KeyboardInterrupt:
        screen.line()
        if not quickstart.complete:
            screen.failed("interrupted", "nothing is left running; deploy/quickstart goes on where the build was")
            status = 130
    except BrokenPipeError:  # whoever reads the screen has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Problem as problem:
        screen.failed(problem.where, str(problem))
        for line in problem.lines:
            screen.line(f"   {line}")
        status = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ended_well = quickstart.stop()
    if status == 0 and not ended_well:
        status = 1
    if status == 0:
        screen.line()
        screen.line(" Everything is stopped. Goodbye! docs/getting-started.md is the way from here")
        screen.line(" to Gatepost in front of your own mail server.")
    return status


if __name__ == "__main__":
    sys.exit(main())
