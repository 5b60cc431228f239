"""Upstreams die and come back under load: only transactions in flight see a 4xx, and who is back gets mail again within the probe's rise."""
import itertools
import threading
import time

import pytest
from harness.client import Client, Closed
from harness.ledger import Ledger, Sender
from harness.process import wait_until
from harness.scripted_upstream import ScriptedUpstream

CLIENTS, ROUNDS = 20, 2
INTERVAL, RISE = 0.2, 2
SLACK = 1.5  # for a loaded machine


@pytest.fixture
def upstreams():
    servers = [ScriptedUpstream(), ScriptedUpstream()]
    yield servers
    for server in servers:
        server.stop()


class Load:
    """`outcomes`: (when the transaction began, when it ended, its client, the reply)."""

    def __init__(self, gate, ledger):
        self.gate, self.ledger = gate, ledger
        self.is_over = threading.Event()
        self.outcomes, self.errors = [], []
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(20)

    def _run(self, number):
        try:
            while not self.is_over.is_set():
                with Client(self.gate.plain_port) as client:
                    client.ehlo()
                    sender = Sender(self.ledger, client)
                    for how, _ in zip(itertools.cycle(("data", "pipelined", "bdat")), range(3), strict=False):
                        began = time.monotonic()
                        reply = sender.send(how)
                        self.outcomes.append((began, time.monotonic(), number, reply))
                        time.sleep(0.02)
                    client.quit()
        except (AssertionError, Closed, OSError) as error:
            self.errors.append(f"client {number}: {error!r}")

    def failures(self):
        return [outcome for outcome in self.outcomes if outcome[3] != 250]


def mail_arrives(upstream, seconds):
    before = len(upstream.accepted)
    return wait_until(lambda: len(upstream.accepted) > before, seconds)


@pytest.mark.parametrize("mode", ["alone", "pooled"])
def test_only_transactions_in_flight_see_a_4xx(mode, upstreams, make_gatepost):
    settings = {"connect_timeout": "2s", "reply_timeout": "5s", "balance": "least_connections", "pool": {"max_idle": 16 if mode == "pooled" else 0}}
    health = {"interval": f"{INTERVAL * 1000:.0f}ms", "timeout": "500ms", "rise": RISE, "fall": 2}
    servers = [f"127.0.0.1:{upstream.port}" for upstream in upstreams]
    gate = make_gatepost(servers, {"upstreams": [{"name": "default", "servers": servers, "health": health, **settings}]})
    assert wait_until(lambda: gate.metric("gatepost_upstream_up") == 2, 5)
    ledger = Ledger()
    with Load(gate, ledger) as load:
        deaths = []
        for victim, other in (upstreams, upstreams[::-1]) * ROUNDS:
            assert mail_arrives(victim, 5) and mail_arrives(other, 5), "both share the load"
            begin = time.monotonic()
            victim.kill()
            deaths.append((begin, time.monotonic()))
            endpoint = f"127.0.0.1:{victim.port}"
            assert wait_until(lambda: gate.metric("gatepost_upstream_up", endpoint=endpoint) == 0, 5)
            assert mail_arrives(other, 5)
            victim.listen()
            begin = time.monotonic()
            assert mail_arrives(victim, RISE * INTERVAL + SLACK), f"no mail for {time.monotonic() - begin} s"
            assert wait_until(lambda: gate.metric("gatepost_upstream_up", endpoint=endpoint) == 1, RISE * INTERVAL + SLACK)
    assert not load.errors, load.errors
    ledger.assert_agrees(*upstreams, exactly=False)
    failures = load.failures()
    print(f"{len(load.outcomes)} messages, {len(failures)} failed")
    for began, ended, number, reply in failures:
        assert reply == 451, reply
        hit = [death for death in deaths if began <= death[1] and ended >= death[0]]
        assert hit, f"client {number} heard {reply} in a transaction of {began:.3f}-{ended:.3f} that no death of {deaths} was in"
    for begin, end in deaths:
        hit = [number for began, ended, number, _ in failures if began <= end and ended >= begin]
        assert len(hit) == len(set(hit)), f"a client was hit twice: {hit}"
