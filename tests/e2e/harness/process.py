"""A program of a test: started in its own folder, its output kept, ended by SIGTERM, and looked at when it is over."""
import itertools
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

SANITIZER = re.compile(r"(ERROR|WARNING): \w*Sanitizer|runtime error:|LeakSanitizer")


def build_folder():
    root = pathlib.Path(__file__).resolve().parents[3]
    return pathlib.Path(os.environ.get("GATEPOST_BUILD", root / "build" / "debug"))


def sanitized():
    return build_folder().name in ("asan", "tsan")


def wait_until(what, seconds=10.0, step=0.01):
    """Calls `what` until it gives something true, and returns that; None when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            return None
        time.sleep(step)


FIRST_PORT, END_OF_PORTS = 10000, 32768  # those of outgoing connections begin there
_ports = None
_ports_lock = threading.Lock()


def _own_ports():
    """Round and round those of this pytest worker; which is the first differs by process, for two runs at a time."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = (END_OF_PORTS - FIRST_PORT) // max(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), worker + 1)
    first, begin = FIRST_PORT + worker * size, os.getpid() * 500
    return (first + number % size for number in itertools.count(begin))


def free_port():
    """A port of 127.0.0.1 that nobody listens on, below the range of outgoing ports; each pytest worker has its own range."""
    global _ports
    while True:
        with _ports_lock:
            _ports = _ports or _own_ports()
            port = next(_ports)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def answers(port, address="127.0.0.1"):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class Program:
    """Runs `command`; standard output and error go to folder/<name>.log."""

    def __init__(self, folder, name, command, **more):
        self.folder, self.name = pathlib.Path(folder), name
        self.log_path = self.folder / f"{name}.log"
        self._log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [str(word) for word in command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True, **more)  # fmt: skip

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def wait_for_log(self, text, seconds=10.0):
        found = wait_until(lambda: text in self.log, seconds)
        assert found, f"{self.name} did not log {text!r} within {seconds} s:\n{self.log[-4000:]}"

    def assert_started(self, up, log=""):
        """Leaves nothing running when it did not start."""
        if not (up and self.alive()):
            said = f"{self.name} did not start ({self.process.poll()}):\n{self.log[-4000:]}\n{log}"
            self.terminate()
            raise AssertionError(said)

    def memory(self):
        """Resident octets."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def terminate(self, seconds=20.0):
        """SIGTERM, and the exit status."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM:\n{self.log[-4000:]}") from None
        finally:
            self._log.close()

    def assert_no_sanitizer_report(self):
        found = SANITIZER.search(self.log)
        assert not found, f"{self.name}:\n{self.log[max(found.start() - 200, 0):][:6000]}"
