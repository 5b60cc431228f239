"""What is around the pods of a release: a mail server, Redis, certificates, and the Secrets that somebody made; and pods of it."""
import secrets

import yaml
from conftest import CHART
from pod import Pod
from harness.certificates import Certificates  # pod.py knows where the harness is
from harness.gatepost import NO_GUESSING_RULES
from harness.process import free_port, wait_until
from harness.redis import Redis
from harness.sink import Sink

ALICE, BOB = ("alice@example.com", "a password of the trial"), ("bob@example.com", "another one")
IN_REDIS = [("carol@example.com", "carol's"), ("dora@example.com", "dora's")]
FIRST, SECOND = "the first of Redis", "the second of Redis"
DELAY = 2


def users(*them):
    return "".join(f"{name}:{{PLAIN}}{password}\n" for name, password in them).encode()


def record(them):
    return f"{{PLAIN}}{them[1]}"


class World:
    """`secrets` are those of all pods; each pod has volumes of its own."""

    def __init__(self, folder, program, helm):
        self.folder, self.program, self.helm, self.pods = folder, program, helm, []
        self.tls = Certificates(folder)
        self.sink = Sink(folder)
        self.redis = Redis(folder, f'user gatepost on ">{FIRST}" ~* &* +@all', tls=self.tls)
        for them in IN_REDIS:
            self.redis.set_user(them[0], record=record(them))
        self.ticket_keys = [secrets.token_bytes(80) for _ in range(2)]
        self.secrets = {
            "mail-users": {"users": users(ALICE)}, "mail-tls": self.pair("ecdsa"), "ticket-keys": {"ticket-keys": self.ticket_keys[0]},
            "redis-password": {"password": FIRST.encode()}, "redis-ca": {"ca.crt": self.tls.ca.read_bytes()}}  # fmt: skip

    def pair(self, name):
        pair = getattr(self.tls, name)
        return {"tls.crt": pair.certificate.read_bytes(), "tls.key": pair.key.read_bytes()}

    def values(self):
        """Those of a release whose addresses are of 127.0.0.1. The names of Secrets are those of ci/redis-values.yaml."""
        ports = {name: free_port() for name in ("submission", "submissions", "submission-internal", "admin")}
        listeners = {name: {"port": port, "config": {"address": f"127.0.0.1:{port}"}} for name, port in ports.items() if name != "admin"}
        config = {"hostname": "first.example", "workers": 1, "auth": {"concurrency": 1, "failure_delay": "0s", "guessing": NO_GUESSING_RULES},
                  "upstreams": [{"name": "default", "servers": [f"127.0.0.1:{self.sink.port}"]}], "limits": [{"name": "messages", "count": "messages", "per": "user", "rate": "1000/1h", "action": "defer"}]}  # fmt: skip
        return {"listeners": listeners, "metrics": {"port": ports["admin"]}, "config": config, "drain": {"delaySeconds": DELAY}, "tls": {"ticketKeys": {"existingSecret": "ticket-keys"}},
                "redis": {"external": {"addresses": [f"127.0.0.1:{self.redis.tls_port}"]}}}  # fmt: skip

    def render(self, values, name):
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(values))
        return self.helm.objects_of("--values", CHART / "ci/redis-values.yaml", "--values", file)

    def pod(self, values, more=None):
        folder = self.folder / f"pod-{len(self.pods)}"
        folder.mkdir()
        pod = Pod(folder, self.program, self.render(values, folder.name), self.secrets | (more or {}))
        pod.port, pod.tls_port = (values["listeners"][name]["port"] for name in ("submission", "submissions"))
        self.pods.append(pod)
        pod.start()
        assert wait_until(lambda: pod.probe("readinessProbe") == 200, 10), pod.program.log
        return pod

    def close(self):
        for one in self.pods:
            one.kill()
        self.redis.stop()
        self.sink.stop()
