"""Debian's HAProxy, unpacked privately: a balancer in front of replicas that tells them the client's address by PROXY protocol v2, and is told at run time who they are."""
import contextlib
import csv
import os
import socket

from .packages import unpack
from .process import Program, answers, free_port, wait_until

# Nothing is tried twice: a connection that a replica refuses is one that a client loses, and so must not be.
CONFIG = """
global
    log stdout format raw local0 notice
    stats socket {socket} level admin
defaults
    mode tcp
    log global
    balance roundrobin
    retries 0
    timeout connect 10s
    timeout client 120s
    timeout server 120s
    timeout check 5s
"""
LISTENER = """
listen {name}
    bind 127.0.0.1:{port}
    option httpchk GET /readyz
    http-check expect status 200
"""


class HAProxy(Program):
    """`ports` are by the names of the listeners. It checks no server before check() is called. `socket_path` must be short; see the fixture short_folder."""

    def __init__(self, folder, socket_path, listeners):
        root, libraries = unpack("haproxy")
        self.socket_path = str(socket_path)
        self.ports = {name: free_port() for name in listeners}
        self.servers, self.is_checking = [], False
        path = folder / "haproxy.cfg"
        path.write_text(CONFIG.format(socket=self.socket_path) + "".join(LISTENER.format(name=name, port=port) for name, port in self.ports.items()))
        super().__init__(folder, "haproxy", [root / "usr/sbin/haproxy", "-db", "-f", path], env=os.environ | {"LD_LIBRARY_PATH": libraries})
        self.assert_started(wait_until(lambda: not self.alive() or all(map(answers, self.ports.values()))))

    def command(self, line):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(self.socket_path)
            peer.sendall(line.encode() + b"\n")
            said = b""
            while more := peer.recv(65536):
                said += more
        return said.decode().strip()

    def _for_each_listener(self, line, name, expected=""):
        for listener in self.ports:
            said = self.command(line.format(server=f"{listener}/{name}"))
            assert said == expected, f"haproxy, {line.format(server=f'{listener}/{name}')}: {said}"

    def add(self, name, ports, health_port):
        """A server `name`: `ports` are by the names of the listeners; `health_port` answers /readyz."""
        for listener, port in ports.items():
            words = f"127.0.0.1:{port} send-proxy-v2 check port {health_port} inter 500ms fall 2 rise 1"
            assert self.command(f"add server {listener}/{name} {words}") == "New server registered."
        self.servers.append(name)
        if self.is_checking:
            self._for_each_listener("enable health {server}", name)
        self._for_each_listener("enable server {server}", name)

    def check(self):
        """From now on it asks every server, those that come later too, whether it is ready."""
        self.is_checking = True
        for name in self.servers:
            self._for_each_listener("enable health {server}", name)

    def drain(self, name):
        """No new connection is sent there; those that are there stay."""
        self._for_each_listener("set server {server} state drain", name)

    def is_down(self, name):
        """Its own checks say so, for every listener."""
        states = [line.split() for line in self.command("show servers state").splitlines() if not line.startswith("#")]
        return all(words[5] == "0" for words in states if len(words) > 5 and words[3] == name)

    def connection_errors(self, name):
        """How many connections to it came to nothing, of all listeners."""
        lines = self.command("show stat").removeprefix("# ").splitlines()
        rows = [row for row in csv.DictReader(lines) if row["svname"] == name]
        assert sorted(row["pxname"] for row in rows) == sorted(self.ports), rows
        return sum(int(row["econ"]) for row in rows)

    def remove(self, name):
        """Waits until the last connection to it has ended."""
        self.servers.remove(name)
        self._for_each_listener("set server {server} state maint", name)
        for listener in self.ports:
            said = []
            assert wait_until(lambda listener=listener: said.append(self.command(f"del server {listener}/{name}")) or said[-1] == "Server deleted.", 20, 0.2), said[-1]

    def stop(self):
        """At once, whoever is connected."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._log.close()
