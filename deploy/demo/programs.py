"""Programs that the quickstart runs: commands that end, with their output kept in a log, and servers that it must end itself, by their pid."""
import os
import re
import socket
import subprocess
import time


class Problem(Exception):
    """What a person can do something about: which step, a sentence, and the lines that show why."""

    def __init__(self, where, sentence, *lines):
        super().__init__(sentence)
        self.where, self.lines = where, lines


def tail(path, count=25):
    try:
        return path.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def run(where, command, log, on_line=lambda line: None, **more):
    """Runs a command to its end, its output in `log`; a Problem with the log's end if it fails."""
    with open(log, "a") as out, subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more) as process:
        try:
            for line in process.stdout:
                out.write(line)
                on_line(line)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise Problem(where, f"`{' '.join(map(str, command))}` failed; the last lines of {log}:", *tail(log))


def build_progress(line):
    """Ninja's "[12/110] Building …" → (12, 110)."""
    found = re.match(r"\[(\d+)/(\d+)\]", line)
    return (int(found.group(1)), int(found.group(2))) if found else None


def in_use(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


def wait_until(what, seconds=15.0):
    end = time.monotonic() + seconds
    while not (value := what()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


class Server:
    """A server of the demonstration; it ends with the quickstart however that ends (setpriv --pdeathsig)."""

    def __init__(self, name, command, log):
        self.name, self.log = name, log
        with open(log, "w") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env=os.environ | {"LC_ALL": "C.UTF-8"})  # fmt: skip

    def alive(self):
        return self.process.poll() is None

    def text(self):
        return self.log.read_text(errors="replace")

    def ready(self, what):
        """Waits until `what` is true; a Problem with the log's end if the server ends before, or takes too long."""
        if not wait_until(lambda: what() or not self.alive()) or not self.alive():
            raise Problem(self.name, f"did not start; the last lines of {self.log}:", *tail(self.log))

    def stop(self):
        """Ends it if it has not ended by itself, within five seconds; its exit status if it had to be asked, else 0."""
        if not self.alive():
            return 0
        self.process.terminate()
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
