"""What tests/bench/sizing measures: Gatepost with the configuration that the chart renders by default, the mail server behind it, and the clients in front."""

import json
import pathlib
import subprocess
import time
import urllib.request

import yaml
from harness import client
from harness.process import Program, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What `helm template` makes of deploy/helm/gatepost/ci/minimal-values.yaml; tests/run chart holds it.
RENDERED = ROOT / "tests/chart/golden/minimal.yaml"
CONTEXT = client.trusting_context()
PASSWORD = "bench password 42"


def chart_configuration():
    for one in yaml.safe_load_all(RENDERED.read_text(encoding="utf-8")):
        if one and one["kind"] == "ConfigMap":
            return yaml.safe_load(one["data"]["gatepost.yaml"])
    raise AssertionError(f"no configuration in {RENDERED}")


def cpu_us(program):
    """Microseconds on a CPU so far, of all its threads."""
    tasks = pathlib.Path(f"/proc/{program.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


class Pod(Program):
    """One replica: what the chart renders, but for addresses, paths and what `changes` say. `users` is the text of the users file, `key` the certificate's kind."""

    def __init__(self, folder, bench, users, changes, key):
        self.bench, self.admin_port = bench, free_port()
        config = {**chart_configuration(), **changes}
        self.ports = {}
        for listener in config["listeners"]:
            self.ports[listener["name"]] = free_port()
            listener["address"] = f"127.0.0.1:{self.ports[listener['name']]}"
        (folder / "users").write_text(users)
        config["admin"] = {"address": f"127.0.0.1:{self.admin_port}", "socket": str(folder / "admin.sock")}
        config["backends"]["local"]["path"] = str(folder / "users")
        pair = getattr(bench.tls, key)
        config["tls"]["certificates"] = [{"certificate": str(pair.certificate), "key": str(pair.key)}]
        config["upstreams"][0]["servers"] = [f"127.0.0.1:{bench.sink.port}"]
        config["drain"] = {"delay": "0s", "timeout": "1s"}
        (folder / "gatepost.yaml").write_text(json.dumps(config))
        began = time.monotonic()
        super().__init__(folder, "gatepost", [bench.program("gatepost"), "serve", "--config", folder / "gatepost.yaml"])
        self.assert_started(wait_until(lambda: not self.alive() or self.is_ready(), 20))
        self.ready_ms = (time.monotonic() - began) * 1000

    def admin(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=5) as answer:
            return answer.read().decode()

    def is_ready(self):
        try:
            return bool(self.admin("/readyz"))
        except OSError:  # refused, or 503
            return False

    def accepted(self):
        lines = [line for line in self.admin("/metrics").splitlines() if line.startswith("gatepost_messages_total{") and 'result="accepted"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def peak_memory(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def load(self, tls, **options):
        """A run of the load tool under way, which measures this process too."""
        port = self.ports["submission" if tls == "starttls" else "submissions"]
        words = [self.bench.program("gatepost-load"), "--target", f"127.0.0.1:{port}", "--tls", tls, "--user", "user0", "--password-file", self.bench.password, "--pid", self.pid]
        for name, value in {"warmup": self.bench.warmup, **options}.items():
            words += ["--" + name.replace("_", "-"), value]
        return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True)

    def measured(self, tls, **options):
        return answer(self.load(tls, **options))

    def sessions(self, count):
        """Clients in TLS, greeted."""
        return [client.Client(self.ports["submissions"], implicit_tls=True, timeout=60, context=CONTEXT) for _ in range(count)]


def answer(load):
    text = load.communicate(timeout=120)[0]
    told = json.loads(text.splitlines()[-1])
    assert load.returncode == 0 and not told["errors"], told
    return told


def login_us(pod, count):
    """CPU of one AUTH PLAIN that no cache knows: each is of another user, and all come at once."""
    clients = pod.sessions(count)
    for one in clients:
        one.ehlo()
    before = cpu_us(pod)
    for number, one in enumerate(clients):
        one.send(f"AUTH PLAIN {client.plain(f'user{number}', PASSWORD)}\r\n")
    assert {one.reply().code for one in clients} == {235}
    spent = (cpu_us(pod) - before) / count
    for one in clients:
        one.socket.close()
    return spent


def handshakes_us(pod, count):
    """CPU of a connection with implicit TLS, greeting and QUIT: (a full handshake, one that resumes)."""

    def visit(session):
        with client.Client(pod.ports["submissions"], greeting=False, context=CONTEXT) as one:
            one.wrap(session)
            assert one.reply() == 220 and one.socket.session_reused == bool(session)
            ticket = one.socket.session
            one.quit()
            return ticket

    visit(None)
    costs, ticket = [], None
    for resumes in (False, True):
        before = cpu_us(pod)
        for _ in range(count):
            given = visit(ticket if resumes else None)
            ticket = given if not resumes else ticket
        costs.append((cpu_us(pod) - before) / count)
    return costs
