"""A rolling restart as Kubernetes makes it: three replicas behind HAProxy, a shared Redis and shared keys, 200 clients, and each replica is replaced twice.

docs/rolling-restart.md shows what it prints (pytest -s) and says what of a cluster it is not.
"""
import collections
import itertools
import json
import re
import secrets
import ssl

import pytest
from harness.client import Client, scram_challenge, trusting_context
from harness.gatepost import command
from harness.haproxy import HAProxy
from harness.ledger import Ledger
from harness.load import Door
from harness.process import sanitized, wait_until
from harness.proxy_header import proxy_v2
from harness.returning_load import ReturningLoad
from harness.rollout import Deployment, Endpoints, Kubelet, Timeline
from harness.scripted_upstream import Message

pytestmark = pytest.mark.xdist_group("rolling-restart")
CLIENTS, QUOTA = 200, 300
LISTENERS = ("submission", "submissions", "internal")
ALICE, BOB, METERED = ("alice@example.com", "correct horse battery"), ("bob@example.com", "pa:ss\\wörd"), ("metered@example.com", "so-many-a-day-3")
# Under sanitizers, beside other tests, all takes longer: the balancer's checks, too.
DELAY, PAUSE = ("8s", 3.5) if sanitized() else ("5s", 1.5)
GRACE = 60  # seconds; drain.delay and drain.timeout take less than half of it
NOBODY = "nobody@example.com"


def configuration(name, redis, keys, socket_path):
    """What the replicas share, and their names."""
    return {
        "hostname": name,
        "listeners": {listener: {"proxy_protocol_from": ["127.0.0.1/32"]} for listener in LISTENERS},
        "tls": {"ticket_keys": str(keys / "ticket_keys")},
        "auth": {"backends": ["shared"], "mechanisms": ["SCRAM-SHA-256", "PLAIN", "LOGIN"], "scram_secret_file": str(keys / "scram_secret")},
        "backends": {"local": None, "shared": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/0", "timeout": "10s"}},
        # What wears off is one a day, so nothing does while this runs.
        "limits": [{"name": "quota", "count": "messages", "per": "user", "rate": "1/1d", "burst": QUOTA, "action": "defer", "when": {"user": METERED[0]}}],
        # A store that does not answer in time would be asked no more: this is about restarts, so a slow machine may take its time.
        "limit_store": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/1", "timeout": "10s"},
        "admin": {"socket": str(socket_path)},
        "drain": {"delay": DELAY, "timeout": "20s"},
    }


@pytest.fixture
def start(make_gatepost, make_redis, make_sink, tmp_path, short_folder):
    """start() is one more replica, ready; start.sink is the upstream of all."""
    redis, sink = make_redis(), make_sink("--slow", "EOD=100")
    for name, octets in (("ticket_keys", 80), ("scram_secret", 32)):
        path = tmp_path / name
        path.write_bytes(secrets.token_bytes(octets))
        path.chmod(0o600)
    for user, password in (ALICE, BOB, METERED):
        redis.set_user(user, record="{PLAIN}" + password)
    upstream = {"name": "default", "servers": [f"127.0.0.1:{sink.port}"], "reply_timeout": "30s", "health": {"interval": "2s", "timeout": "10s"}}
    numbers = itertools.count(1)

    def one_more():
        name = f"gatepost-{next(numbers)}"
        changes = configuration(name, redis, tmp_path, short_folder / f"{name}.sock")
        pod = make_gatepost(sink.port, {**changes, "upstreams": [upstream]}, users=dict((ALICE, BOB, METERED)))
        pod.name = name
        assert wait_until(lambda: pod.metric("gatepost_rate_limit_store_up") == 1, 20, 0.05), pod.log
        return pod

    one_more.sink = sink
    return one_more


@pytest.fixture
def balancer(tmp_path, short_folder):
    server = HAProxy(tmp_path, short_folder / "haproxy.sock", LISTENERS)
    yield server
    server.stop()


class Traveller:
    """Sessions of both versions of TLS that were begun at one replica, and are shown to others, without the balancer."""

    def __init__(self, pod):
        self.contexts, self.sessions = [trusting_context() for _ in range(2)], {}
        self.salt = None
        for context, version in zip(self.contexts, (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), strict=True):
            context.minimum_version = context.maximum_version = version
            assert self._visit(pod, context) is False

    def _visit(self, pod, context):
        with Client(pod.tls_port, greeting=False, first=proxy_v2("192.0.2.7"), context=context) as client:
            client.wrap(self.sessions.get(context))
            assert client.reply() == 220
            client.ehlo()
            self.sessions.setdefault(context, client.socket.session)
            salt, _ = scram_challenge(client, NOBODY)
            self.salt = self.salt or salt
            assert salt == self.salt, f"{pod.name} tells who knows {NOBODY}"
            resumed = client.socket.session_reused
            client.quit()
            return resumed

    def is_known_to(self, pod):
        return all(self._visit(pod, context) for context in self.contexts)


class Delivered:
    """What the sink has, as a ledger reads it: what it saw whole it has accepted."""

    def __init__(self, sink):
        self.violations, self.connections = [], []
        self.accepted = self.complete = [self._message(octets, envelope) for octets, envelope in zip(sink.messages(), sink.envelopes(), strict=True)]

    @staticmethod
    def _message(octets, envelope):
        sender = re.match(r"MAIL FROM:<([^>]*)>", envelope["mail"], re.I).group(1)
        recipients = [re.match(r"RCPT TO:<([^>]*)>", line, re.I).group(1) for line in envelope["rcpt"]]
        return Message(sender, recipients, octets, None, envelope["connection"])


def used(pod):
    """How many messages of the metered user it says are counted."""
    listed = json.loads(command("limits", "list", "--json", "limit:quota:", "--config", pod.config_path).stdout)
    assert [row["key"] for row in listed] == [f"limit:quota:{METERED[0]}"], listed
    return int(listed[0]["used"])


def under_way(ending):
    """How many messages the pod took after it had begun to end sessions."""
    return len(re.findall(r" message .* result=accepted ", ending.pod.log.partition("no new sessions")[2]))


def crossings(load):
    return sum(count for (giver, taker), count in load.resumed.items() if giver != taker)


def report(timeline, load, endings, messages, spent):
    width = max(len(who) for _, who, _ in timeline.entries)
    rows = [f"{when:6.1f} s  {who:{width}}  {what}" for when, who, what in timeline.entries]
    figures = [
        ("clients, connections they made", f"{CLIENTS}, {load.seen['connections']}"),
        ("messages accepted, delivered, delivered twice", f"{load.seen['accepted']}, {len(messages)}, {len(messages) - len(set(messages))}"),
        ("failed", len(load.faults)),
        ("connections that the balancer could not open", sum(ending.connection_errors for ending in endings)),
        ("421 before a transaction", load.seen["421"]),
        ("messages that were under way when sessions were ended", sum(map(under_way, endings))),
        ("transactions cut by a drain", f"{sum(ending.cut for ending in endings):.0f}"),
        ("longest wait of a client for its 250", f"{load.longest:.1f} s"),
        ("TLS sessions resumed, of them at another replica", f"{load.seen['resumed']}, {crossings(load)}"),
        ("full handshakes after a client's first", load.seen["not resumed"]),
        (f"accepted of the user who may send {QUOTA}, refused", f"{spent}, {load.seen['limited']}"),
        ("longest end of a replica", f"{max(ending.seconds for ending in endings):.1f} s of {GRACE} s grace"),
    ]
    return "\n".join(["", *rows, "", *(f"{what:58} {value}" for what, value in figures), ""])


def test_each_replica_is_replaced_twice_while_200_clients_send(start, balancer, tmp_path):
    timeline, ledger, failing_hooks = Timeline(), Ledger(), ("gatepost-2", "gatepost-5")
    endpoints = Endpoints(balancer, timeline)
    kubelet = Kubelet(endpoints, timeline, GRACE, failing_hooks)
    deployment = Deployment(start, kubelet, timeline)
    kubelet.join(30)
    traveller, served_by = Traveller(deployment.pods[0]), [pod.name for pod in deployment.pods]
    assert all(map(traveller.is_known_to, deployment.pods[1:])), "a ticket of one replica resumes at another"

    ports = balancer.ports
    doors = [Door(ports["submission"], "starttls", *ALICE), Door(ports["submissions"], "implicit", *BOB), Door(ports["internal"])]
    load = ReturningLoad(doors, Door(ports["submissions"], "implicit", *METERED), ledger, CLIENTS, PAUSE)
    load.wait_for("accepted", CLIENTS)

    def replaced(old, new):
        load.check()
        served_by.append(new.name)
        assert Traveller(old).is_known_to(new), "a ticket of a replica resumes at its successor"
        assert traveller.is_known_to(new), "so does one of the first"

    for told in (True, False):
        if not told:
            load.hurry = True  # what is left of the quota is asked for before the last replicas come
            load.wait_for("limited", 1)
            load.hurry = False
            endpoints.tell_no_more()
        timeline.note("deployment", "rolling restart, and the balancer checks nothing" if told else "rolling restart, and nobody tells the balancer")
        deployment.restart(replaced)
        kubelet.join(GRACE + 40)
        load.wait_for("accepted", CLIENTS // 2)
    timeline.note("deployment", "done")

    load.stop()
    counted = used(deployment.pods[-1])
    deployment.end()
    kubelet.join(GRACE + 40)
    for ending in kubelet.endings:
        by_signal = ending.pod.name in failing_hooks
        facts = f"{vars(ending)} {ending.pod.log[-2000:]}"
        assert (ending.hook, ending.status, ending.killed, ending.cut, ending.store_errors, ending.connection_errors) == (3 if by_signal else 0, 0, False, 0, 0, 0), facts
        assert re.search(r" drain trigger=signal signal=SIGTERM " if by_signal else r" drain trigger=api ", ending.pod.log), facts
        assert " signal signal=SIGTERM what=draining" in ending.pod.log or sanitized(), f"it ends 0.2 s after its hook returns, and the signal came later? {facts}"
        assert re.search(r" drained sessions=0 ", ending.pod.log), facts
        ending.pod.assert_no_sanitizer_report()
        ending.pod.assert_no_secret()
    assert len(kubelet.endings) == 9

    delivered = Delivered(start.sink)
    times = collections.Counter(message.id for message in delivered.accepted)
    spent = sum(attempt.reply == 250 for attempts in ledger.attempts.values() for attempt in attempts if attempt.user == METERED[0])
    said = report(timeline, load, kubelet.endings, [message.id for message in delivered.accepted], spent)
    (tmp_path / "report.txt").write_text(said)
    print(said)

    ledger.assert_agrees(delivered)
    ledger.assert_unmixed(delivered)
    assert set(times.values()) == {1}, "nothing twice"
    assert sum(times.values()) == load.seen["accepted"], "nothing lost"
    addresses = {caller.sender: f"[{caller.address}]".encode() for caller in load.callers}
    assert all(addresses[message.sender] in message.data.split(b"\r\nX-Id:")[0] for message in delivered.accepted), "whose client it was"
    assert spent == QUOTA == counted, "the limit is one for all replicas, and outlives each"
    assert all(load.refusals[name] > 0 for name in served_by[-3:]), f"it was reached before these were there: {load.refusals}"
    assert load.seen["421"] > 0 and sum(map(under_way, kubelet.endings)) > 0, "some were between messages then, and some in one"
    assert load.seen["not resumed"] == 0 and load.seen["resumed"] > CLIENTS
    assert crossings(load) > CLIENTS, "tickets of one replica, shown to another"
    assert all(load.served[name] > 0 for name in served_by) and len(served_by) == 9, load.served
