"""The servers of the table of limits: Redis (Debian's, unpacked), one that is slow, one that stops, and Gatepost with rules."""

import os
import signal
import subprocess
import sys

import peers
from peers import ROOT

RULE = "  - {{name: bench-{name}, count: messages, per: {per}, rate: {rate}, action: defer{when}}}\n"
AMPLE = "1000000000/1h"  # nobody is ever refused: what is measured is the asking
CONCERNED, UNCONCERNED = peers.USER, peers.OTHER_USER
DEADLINE_MS, SLOW_MS = 200, 50


def rules(only_user=""):
    """Three rules on each message; `only_user` is whom they concern, else everybody."""
    when = f', when: {{user: "{only_user}"}}' if only_user else ""
    return "limits:\n" + "".join(RULE.format(name=per.replace("_", "-"), per=per, rate=AMPLE, when=when)
                                 for per in ("user", "sender_domain", "all"))


def in_redis(port, only_user=""):
    return rules(only_user) + f'limit_store: {{type: redis, url: "redis://127.0.0.1:{port}/0", timeout: {DEADLINE_MS}ms}}\n'


class Redis:
    """A Redis without persistence on the load's CPU, which can be stopped, killed and revived on its port."""

    def __init__(self, bench, name):
        sys.path.insert(0, str(ROOT / "tests/e2e"))
        from harness.packages import unpack
        folder, libraries = unpack("redis-server", "redis-sentinel")
        self.folder, self.cpu = bench.folder / name, bench.load_cpu
        self.folder.mkdir()
        self.command = [str(folder / "usr/bin/redis-server")]
        self.environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
        self.port = peers.free_ports(1)[0]
        self.command += ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.server = None
        self.start()

    def start(self):
        self.server = peers.Server(self.command, self.cpu, self.folder / "redis.log", env=self.environment)
        peers.wait_for_port(self.port, self.server.process)

    def halt(self):
        """It accepts, by the kernel, and never answers."""
        self.server.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.server.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.server.process.kill()

    def revive(self):
        self.server.stop()
        self.start()

    def stop(self):
        self.go_on()  # one that stands still does not hear SIGTERM
        self.server.stop()


class SlowRedis(peers.Server):
    """What the clients of `redis` see when each answer takes SLOW_MS longer."""

    def __init__(self, bench, redis):
        super().__init__([sys.executable, str(peers.HERE / "redis_delay"), "--to", str(redis.port), "--delay", str(SLOW_MS / 1000)],
                         bench.load_cpu, bench.folder / "redis_delay.log", stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        super().stop()
        self.process.stdout.close()


class Stores:
    """The stores of a run, each started when the first asks for it."""

    def __init__(self, bench):
        self.bench, self.servers = bench, {}

    def redis(self, name="redis"):
        if name not in self.servers:
            self.servers[name] = Redis(self.bench, name)
        return self.servers[name]

    def slow(self):
        redis = self.redis()
        if "slow" not in self.servers:
            self.servers["slow"] = SlowRedis(self.bench, redis)
        return self.servers["slow"]

    def stop(self):
        for server in reversed(self.servers.values()):
            server.stop()


def makers(stores):
    """How each Gatepost of the table is made: its name, and what its configuration has beside the common part."""
    return {
        "gatepost-memory": rules,
        "gatepost-redis": lambda: in_redis(stores.redis().port),
        "gatepost-slow": lambda: in_redis(stores.slow().port, CONCERNED),
        "gatepost-halted": lambda: in_redis(stores.redis("redis-halted").port, CONCERNED),
        "gatepost-killed": lambda: in_redis(stores.redis("redis-killed").port, CONCERNED),
    }
