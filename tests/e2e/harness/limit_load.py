"""Clients of several Gateposts at once, who send messages against a limit."""
import collections
import threading
import time

from .client import Closed
from .limits import ALICE, send, visit
from .process import wait_until


class Load:
    """Clients of all the gates that send one message after the other, until `tries` are made; what they heard, and how long each command took."""

    def __init__(self, gates, tries, each=2, user=ALICE, pause=0.0):
        self.left, self.pause, self.lock = tries, pause, threading.Lock()
        self.replies, self.slowest, self.faults = [], 0.0, []
        self.threads = [threading.Thread(target=self._run, args=(gate, user), daemon=True) for gate in gates for _ in range(each)]
        for thread in self.threads:
            thread.start()

    def _take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def _run(self, gate, user):
        try:
            with visit(gate, user) as client:
                while self._take():
                    began = time.monotonic()
                    reply = send(client)
                    took = time.monotonic() - began
                    with self.lock:
                        self.replies.append(reply)
                        self.slowest = max(self.slowest, took)
                    time.sleep(self.pause)
        except (AssertionError, Closed, OSError) as error:
            self.faults.append(error)

    def seen(self, how_many):
        assert wait_until(lambda: len(self.replies) >= how_many or self.faults, 30), (len(self.replies), self.faults)

    def end(self):
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "it stalls"
        assert not self.faults, self.faults
        return collections.Counter(reply.code for reply in self.replies)
