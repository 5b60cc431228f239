"""A rolling update as Kubernetes makes it, with processes for pods: what the Deployment, the endpoints controller and the kubelet do, in their order."""
import contextlib
import dataclasses
import http.client
import signal
import subprocess
import threading
import time

from .gatepost import program
from .process import wait_until

CUT, STORE_ERRORS = "gatepost_drain_transactions_cut_total", "gatepost_rate_limit_store_errors_total"


class Timeline:
    def __init__(self):
        self.began, self.entries = time.monotonic(), []

    def now(self):
        return time.monotonic() - self.began

    def note(self, who, what):
        self.entries.append((self.now(), who, what))


class Endpoints:
    """A pod gets connections, and gets no more, `delay` seconds after it is said: the endpoints controller and the balancer take their time.

    At first the balancer checks nothing, so that what it is told is all that it knows. From tell_no_more() on nobody tells it that a pod goes: it must find out by its own checks of /readyz.
    """

    def __init__(self, balancer, timeline, delay=1.0):
        self.balancer, self.timeline, self.delay, self.told = balancer, timeline, delay, True

    def tell_no_more(self):
        self.told = False
        self.balancer.check()

    def add(self, pod):
        time.sleep(self.delay)
        self.balancer.add(pod.name, {"submission": pod.port, "submissions": pod.tls_port, "internal": pod.plain_port}, pod.admin_port)
        self.timeline.note(pod.name, "gets connections")

    def remove(self, pod):
        if self.told:
            time.sleep(self.delay)
            self.balancer.drain(pod.name)
            self.timeline.note(pod.name, "gets no new connections: the balancer was told")
        else:
            assert wait_until(lambda: self.balancer.is_down(pod.name), 30, 0.05), f"haproxy still sends to {pod.name}"
            self.timeline.note(pod.name, "gets no new connections: the balancer's checks of /readyz failed")


@dataclasses.dataclass
class Ending:
    """How a pod ended: what its preStop hook and its process gave back, and the counters that were read last."""

    pod: object
    hook: int | None = None
    status: int | None = None
    seconds: float = 0.0
    killed: bool = False
    cut: float | None = None
    store_errors: float | None = None
    connection_errors: int | None = None


class Kubelet:
    """`grace` is terminationGracePeriodSeconds: it runs from the deletion, and the hook's time is part of it. The preStop of a pod that is in `failing_hooks` is a command that fails."""

    def __init__(self, endpoints, timeline, grace, failing_hooks=()):
        self.endpoints, self.timeline, self.grace, self.failing_hooks = endpoints, timeline, grace, failing_hooks
        self.endings, self.faults, self._threads = [], [], []

    def admit(self, pod):
        self._begin(self.endpoints.add, pod)

    def delete(self, pod):
        """Both begin at once, and neither waits for the other: the endpoints forget it, and the kubelet ends it."""
        self.timeline.note(pod.name, "is deleted; preStop " + ("fails, so SIGTERM at once" if pod.name in self.failing_hooks else "is gatepost drain --wait"))
        self.endings.append(Ending(pod))
        self._begin(self.endpoints.remove, pod)
        self._begin(self._watch, self.endings[-1])
        self._begin(self._end, self.endings[-1])

    def join(self, seconds):
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))
            assert not thread.is_alive(), "a pod does not end"
        self._threads.clear()
        assert not self.faults, self.faults[0]

    def _begin(self, act, whom):
        def run():
            try:
                act(whom)
            except Exception as fault:  # noqa: BLE001  the test says it, not a thread
                self.faults.append(fault)

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def _hook(self, pod):
        """As the chart has it. The socket of a hook that fails is not there."""
        wrong = ".wrong" if pod.name in self.failing_hooks else ""
        return [program(), "drain", "--wait", "--admin", f"unix:{pod.config['admin']['socket']}{wrong}"]

    def _end(self, ending):
        pod, began = ending.pod, time.monotonic()
        hook = subprocess.Popen(self._hook(pod), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            hook.wait(self.grace)
        hook.kill()
        ending.hook = hook.wait()
        pod.process.send_signal(signal.SIGTERM)
        try:
            ending.status = pod.process.wait(max(began + self.grace - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            pod.process.kill()
            ending.status, ending.killed = pod.process.wait(), True
        ending.seconds = time.monotonic() - began
        self.timeline.note(pod.name, f"has ended after {ending.seconds:.1f} s" + (": SIGKILL" if ending.killed else ""))
        ending.connection_errors = self.endpoints.balancer.connection_errors(pod.name)
        self.endpoints.balancer.remove(pod.name)

    def _watch(self, ending):
        """Until the pod ends, which may be while it is asked."""
        is_unready = False
        while ending.pod.alive():
            with contextlib.suppress(OSError, http.client.HTTPException):
                ending.cut, ending.store_errors = ending.pod.metric(CUT), ending.pod.metric(STORE_ERRORS)
                if not is_unready and ending.pod.admin("/readyz")[0] == 503:
                    is_unready = True
                    self.timeline.note(ending.pod.name, "/readyz is 503")
            time.sleep(0.1)


class Deployment:
    """maxSurge 1, maxUnavailable 0: a new pod has been ready for `min_ready` seconds before an old one is deleted, and the next new one does not wait until that has ended."""

    def __init__(self, start, kubelet, timeline, replicas=3, min_ready=2.0):
        self.start, self.kubelet, self.timeline, self.min_ready = start, kubelet, timeline, min_ready
        self.pods = [self._one_more() for _ in range(replicas)]

    def _one_more(self):
        began = time.monotonic()
        pod = self.start()
        self.timeline.note(pod.name, f"is ready, {time.monotonic() - began:.1f} s after its start")
        self.kubelet.admit(pod)
        return pod

    def restart(self, replaced=lambda old, new: None):
        """`replaced` is called for each pair before the old one is deleted."""
        for old in list(self.pods):
            new = self._one_more()
            replaced(old, new)
            time.sleep(self.min_ready)
            self.pods.remove(old)
            self.pods.append(new)
            self.kubelet.delete(old)

    def end(self):
        """All that are left, at once."""
        while self.pods:
            self.kubelet.delete(self.pods.pop())
