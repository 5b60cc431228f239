"""Real Redis servers and Sentinels of Debian's packages, unpacked privately and started on free ports of 127.0.0.1."""
import os
import socket

from .packages import unpack
from .process import Program, answers, free_port, wait_until


def _package():
    """(the folder of the programs, the environment they need)"""
    folder, libraries = unpack("redis-server", "redis-sentinel")
    return folder / "usr/bin", os.environ | {"LD_LIBRARY_PATH": libraries}


def _encode(words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class RedisClient:
    """Commands of the tests themselves, over TCP without TLS or the unix socket."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(10)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        self.socket.sendall(_encode(words))
        return self._read()

    def _read(self):
        line = self.file.readline()
        assert line.endswith(b"\r\n"), "Redis ended the connection"
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RuntimeError(rest)
        if kind == b"*":
            return [self._read() for _ in range(int(rest))] if rest != "-1" else None
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2].decode() if rest != "-1" else None
        return int(rest) if kind == b":" else rest

    def close(self):
        self.file.close()
        self.socket.close()


class Redis(Program):
    """`port` speaks plainly, `tls_port` TLS (with `tls`, a Certificates), `unix` is a socket. `options` are lines of redis.conf."""

    def __init__(self, folder, *options, tls=None, name="redis", port=None, replica_of=None):
        programs, environment = _package()
        self.port, self.tls_port = port or free_port(), free_port() if tls else None
        self.unix = f"/tmp/gatepost-{os.getpid()}-{self.port}.sock"  # pytest's folders are too long for a socket
        lines = [f"port {self.port}", "bind 127.0.0.1", f"unixsocket {self.unix}", 'save ""', "appendonly no", f"dir {folder}", "repl-diskless-sync-delay 0", *options]
        if tls:
            lines += [f"tls-port {self.tls_port}", f"tls-cert-file {tls.ecdsa.certificate}", f"tls-key-file {tls.ecdsa.key}", f"tls-ca-cert-file {tls.ca}", "tls-auth-clients no"]
        if replica_of:
            lines.append(f"replicaof 127.0.0.1 {replica_of.port}")
        conf = folder / f"{name}.conf"
        conf.write_text("\n".join(lines) + "\n")
        super().__init__(folder, name, [programs / "redis-server", conf], env=environment)
        assert wait_until(lambda: answers(self.port) or not self.alive()) and self.alive(), f"redis-server did not start:\n{self.log}"

    def client(self):
        return RedisClient(("127.0.0.1", self.port))

    def command(self, *words):
        client = self.client()
        try:
            return client(*words)
        finally:
            client.close()

    def set_user(self, user, **fields):
        """The record and attributes of a user, under the reference configuration's key; `scram` stands for scram-sha-256."""
        words = [word for field, value in fields.items() for word in ("scram-sha-256" if field == "scram" else field, value)]
        self.command("HSET", f"gatepost:user:{user}", *words)

    def role(self):
        return self.command("ROLE")[0]

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.alive():
            self.terminate()


class RedisSentinel(Program):
    """Watches `master` under the name "main", alone: a quorum of one."""

    def __init__(self, folder, master, name="sentinel"):
        programs, environment = _package()
        self.port = free_port()
        conf = folder / f"{name}.conf"
        conf.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {master.port} 1\n"
                        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n")  # fmt: skip
        super().__init__(folder, name, [programs / "redis-server", conf, "--sentinel"], env=environment)
        assert wait_until(lambda: answers(self.port) or not self.alive()) and self.alive(), f"redis-sentinel did not start:\n{self.log}"

    def command(self, *words):
        client = RedisClient(("127.0.0.1", self.port))
        try:
            return client(*words)
        finally:
            client.close()

    def master_port(self):
        return int(self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")[1])

    def knows_replicas(self):
        return len(self.command("SENTINEL", "REPLICAS", "main"))

    def stop(self):
        if self.alive():
            self.terminate()
