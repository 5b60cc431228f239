"""A real saslauthd from Debian's package, unpacked privately (nothing is installed) and run in the foreground on a socket of its own.

Its sasldb mechanism reads /etc/sasldb2 and nothing else, so the daemon gets a mount namespace in which /etc is a folder of the test.
As sasldb does, it takes name and realm apart: a user `alice@example.com` is asked for as alice in realm example.com.
"""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess

from .packages import unpack
from .process import Program, wait_until

ETC = ("group", "hosts", "ld.so.cache", "nsswitch.conf", "passwd")


def ask(path, user, password, realm="", service="smtp", timeout=10):
    """One check by saslauthd's protocol; its reply, "" when it hung up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        client.connect(str(path))
        client.sendall(b"".join(struct.pack(">H", len(part)) + part for part in (text.encode() for text in (user, password, service, realm))))
        octets = b""
        while more := client.recv(4096):
            octets += more
    return octets[2 : 2 + struct.unpack(">H", octets[:2])[0]].decode() if octets else ""


class Saslauthd(Program):
    """Knows `users` (name: password); `path` is its socket, what Cyrus calls saslauthd_path. `mechanism`: sasldb, or shadow,
    which as PAM does knows no realms."""

    def __init__(self, folder, users, processes=2, mechanism="sasldb", words=()):
        self.package, libraries = unpack("sasl2-bin")
        self.work = pathlib.Path(folder) / "saslauthd"
        self.path = self.work / "mux"
        self.etc = self.work / "etc"
        self.processes, self.mechanism, self.words = processes, mechanism, words
        self.environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}
        self.etc.mkdir(parents=True)
        for name in ETC:
            shutil.copy(pathlib.Path("/etc") / name, self.etc)
        for user, password in users.items():
            self.set_user(user, password)
        self.start()

    def set_user(self, user, password):
        if self.mechanism == "shadow":
            record = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True).stdout.strip()
            with open(self.etc / "passwd", "a") as passwd, open(self.etc / "shadow", "a") as shadow:
                passwd.write(f"{user}:x:12345:12345::/:/bin/false\n")
                shadow.write(f"{user}:{record}:19000:0:99999:7:::\n")
            return
        name, _, realm = user.rpartition("@") if "@" in user else (user, "", socket.gethostname())
        tool = self.package / "usr/sbin/saslpasswd2"
        subprocess.run([tool, "-p", "-c", "-f", self.etc / "sasldb2", "-u", realm, name], input=password.encode(), check=True, env=self.environment)

    def start(self):
        """Also again, after kill()."""
        own_mounts = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        daemon = [self.package / "usr/sbin/saslauthd", "-a", self.mechanism, "-m", self.work, "-n", str(self.processes), "-d", *self.words]
        super().__init__(self.work, "saslauthd", [*own_mounts, "sh", "-ec", 'mount --bind "$1" /etc; shift; exec "$@"', "sh", self.etc, *daemon],
                         env=self.environment)  # fmt: skip
        up = wait_until(lambda: not self.alive() or self._answers(), 10)
        assert up and self.alive(), f"saslauthd did not start:\n{self.log[-4000:]}"

    def _answers(self):
        try:
            return ask(self.path, "nobody", "nothing", timeout=2).startswith("NO")
        except OSError:
            return False

    def freeze(self):
        """All its processes: connections are taken by the kernel, and nobody answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self):
        """At once; its socket file stays behind, and refuses connections."""
        os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def stop(self):
        if self.alive():
            self.kill()
