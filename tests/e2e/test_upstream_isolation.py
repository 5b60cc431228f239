"""No state of one client ever shows in another's session: random sessions of several users over few upstream connections, strictly modelled upstream.

The seed is printed; GATEPOST_SEED=N runs it again.
"""
import os
import random
import socket
import struct
import threading

import pytest
from harness import scripted_upstream as scripted
from harness.client import Client, Closed
from harness.ledger import HOW, Ledger, Sender, stuffed
from harness.process import wait_until
from harness.scripted_upstream import ScriptedUpstream

USERS = {"ann": "staple-ann-1", "ben@example.com": "staple-ben-2", "c=d+e f": "staple-cde-3", "zoë": "staple-zoe-4", None: None}
CLIENTS = 6


class Scenario:
    """One thread's clients, one after another; what each does is drawn from `random`."""

    def __init__(self, gate, ledger, seed):
        self.gate, self.ledger, self.random = gate, ledger, random.Random(seed)
        self.done = []

    sessions = 30

    def run(self):
        for _ in range(self.sessions):
            self.session()

    def session(self):
        user = self.random.choice(list(USERS))
        with Client(self.gate.plain_port, timeout=20) as client:
            client.ehlo()
            if user:
                client.login(user, USERS[user])
            self.sender = Sender(self.ledger, client, user)
            for _ in range(self.random.choice((0, 1, 1, 2, 4))):
                act = self.random.choice(ACTS)
                self.done.append(f"{user}: {act.__name__}")
                if act(self) == "gone":
                    return
            if self.random.random() < 0.8:
                client.quit()

    def addresses(self, kind, most=1):
        word = f"{self.sender.user or 'nobody'}-{self.random.randrange(10**9)}".encode("ascii", "ignore").decode()
        word = word.replace("@", ".").replace("=", ".").replace(" ", ".").replace("+", ".")
        return [f"{kind}-{word}-{number}@example.com" for number in range(self.random.randint(1, most))]

    def message(self, fields=b""):
        lines = [self.random.choice((b"", b".", b"..", b"text", b"x" * 300, b"MAIL FROM:<evil@example.com>")) for _ in range(self.random.randrange(40))]
        return self.ledger.message(b"".join(line + b"\r\n" for line in lines), fields)

    def complete(self):
        reply = self.sender.send(self.random.choice(HOW), self.addresses("from")[0], self.addresses("to", 3), self.message())
        assert reply == 250, reply

    def a_recipient_is_refused(self):
        good, bad = self.addresses("to", 2), self.addresses("refused", 2)
        reply = self.sender.send(self.random.choice(HOW), self.addresses("from")[0], [*bad, *good], self.message(), taken=good)
        assert reply == 250, reply

    def all_recipients_are_refused(self):
        reply = self.sender.send(self.random.choice(HOW), self.addresses("from")[0], self.addresses("refused", 2), self.message())
        assert reply == 550, reply

    def the_sender_is_refused(self):
        reply = self.sender.send(self.random.choice(HOW), self.addresses("refused")[0], self.addresses("to"), self.message())
        assert reply == 550, reply

    def the_message_is_refused(self):
        reply = self.sender.send(self.random.choice(HOW), self.addresses("from")[0], self.addresses("to"), self.message(b"X-Refuse: yes\r\n"))
        assert reply == 554, reply
        assert self.sender.client.command("RSET") == 250

    def begin(self, recipients):
        client = self.sender.client
        for line in (f"MAIL FROM:<{self.addresses('aborted')[0]}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
            assert client.command(line) == 250

    def given_up(self):
        """In the middle, by RSET or by EHLO."""
        self.begin(self.random.choice(([], self.addresses("aborted", 3))))
        assert self.sender.client.command(self.random.choice(("RSET", "EHLO again.example"))) == 250

    def left_open(self):
        """QUIT inside a transaction."""
        self.begin(self.addresses("aborted", 2))
        self.sender.client.quit()
        return "gone"

    def gone(self):
        if self.random.random() < 0.5:
            self.sender.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sender.client.socket.close()
        return "gone"

    def gone_in_the_middle(self):
        self.begin(self.random.choice(([], self.addresses("aborted", 2))))
        return self.gone()

    def gone_in_data(self):
        self.begin(self.addresses("aborted", 2))
        _, data = self.message()
        if self.random.random() < 0.5:
            assert self.sender.client.command("DATA") == 354
            self.sender.client.send(stuffed(data)[: -self.random.randint(1, 20)])
        else:
            self.sender.client.send(b"BDAT %d LAST\r\n" % len(data) + data[: -self.random.randint(1, 20)])
        return self.gone()

    def gone_before_the_answer(self):
        sender, recipients, (number, data) = self.addresses("from")[0], self.addresses("to"), self.message()
        client = self.sender.client
        self.ledger.begin(number, sender, recipients, data, self.sender.user)
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipients[0]}>"):
            assert client.command(line) == 250
        assert client.command("DATA") == 354
        client.send(stuffed(data) + b".\r\n")
        return self.gone()


ACTS = [Scenario.complete] * 6 + [
    Scenario.a_recipient_is_refused, Scenario.all_recipients_are_refused, Scenario.the_sender_is_refused, Scenario.the_message_is_refused, Scenario.given_up,
    Scenario.left_open, Scenario.gone_in_the_middle, Scenario.gone_in_data, Scenario.gone_before_the_answer,
]  # fmt: skip

POOR = tuple(word for word in scripted.EXTENSIONS if word not in ("PIPELINING", "CHUNKING"))


@pytest.fixture
def upstream():
    server = ScriptedUpstream()
    yield server
    server.stop()


def run(scenarios):
    """All at once; the first thing that went wrong."""
    failures = []

    def guarded(scenario):
        try:
            scenario.run()
        except (AssertionError, Closed, OSError) as error:
            failures.append(f"{error!r} after {scenario.done[-5:]}")

    threads = [threading.Thread(target=guarded, args=(scenario,)) for scenario in scenarios]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures, failures
    assert not any(thread.is_alive() for thread in threads)


IDENTITIES = ["none", "xclient_login", "xclient"]


def start(identity, upstream, make_gatepost, **more):
    pool = {"max_connections": 3, "max_idle": 3, "max_messages": 25, "wait_timeout": "20s"}
    settings = {"reply_timeout": "10s", "connect_timeout": "5s", "health": {"interval": "1h"}, "pool": pool, **more}
    if identity != "none":
        settings["identity"] = identity
    users = {user: password for user, password in USERS.items() if user}
    changes = {"upstreams": [{"name": "default", "servers": [f"127.0.0.1:{upstream.port}"], **settings}], "auth": {"plaintext_without_tls": True}}
    return make_gatepost(upstream.port, changes, users=users)


@pytest.mark.parametrize("extensions", [scripted.EXTENSIONS, POOR], ids=["rich", "poor"])
@pytest.mark.parametrize("identity", IDENTITIES)
def test_nothing_of_one_client_shows_in_anothers_session(identity, extensions, upstream, make_gatepost):
    seed = int(os.environ.get("GATEPOST_SEED", random.randrange(10**6)))
    print(f"GATEPOST_SEED={seed}")
    if identity != "none":
        extensions = (*extensions, scripted.XCLIENT)
    upstream.extensions = extensions
    gate, ledger = start(identity, upstream, make_gatepost), Ledger()
    scenarios = [Scenario(gate, ledger, f"{seed}-{number}") for number in range(CLIENTS)]
    run(scenarios)
    gate.wait_for_metric("gatepost_connections_active", 0)
    assert wait_until(lambda: not any(connection.in_transaction for connection in upstream.live()), 10), upstream.dialogue()[-4000:]
    ledger.assert_agrees(upstream)
    ledger.assert_unmixed(upstream, identity=identity != "none")
    assert len(upstream.accepted) > 40, "or it proves little"
    assert not any(message.sender.startswith("aborted") for message in upstream.accepted)
    if identity != "xclient":
        used = [connection.transactions for connection in upstream.connections]
        assert max(used) > 3, f"few connections were used again: {used}"


ENDS = [scripted.reset, scripted.close, scripted.half_close, scripted.black_hole]
FAULTS = [
    *ENDS, lambda: scripted.close("250-2.0.0 Half a"), lambda: scripted.close(usual_first=True), lambda: scripted.reply("421 4.3.2 Bye"),
    lambda: scripted.reply("450 4.2.1 Later"), lambda: scripted.reply("550 5.7.1 Never"), lambda: scripted.reply("What?"), scripted.long_line, scripted.many_lines,
]  # fmt: skip


class Sufferer(Scenario):
    """Takes whatever reply comes, as long as it is one."""

    sessions = 15

    def session(self):
        user = self.random.choice(list(USERS))
        with Client(self.gate.plain_port, timeout=20) as client:
            client.ehlo()
            if user:
                client.login(user, USERS[user])
            self.sender = Sender(self.ledger, client, user)
            for _ in range(self.random.randint(1, 4)):
                how = self.random.choice(HOW)
                reply = self.sender.send(how, self.addresses("from")[0], self.addresses("to"), self.message())
                self.done.append(f"{user}: {how}: {reply}")
                assert reply and reply.code in (250, 450, 451, 550), reply
            client.quit()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_nothing_is_lost_doubled_or_mixed_when_much_goes_wrong(identity, upstream, make_gatepost):
    seed = int(os.environ.get("GATEPOST_SEED", random.randrange(10**6)))
    print(f"GATEPOST_SEED={seed}")
    if identity != "none":
        upstream.extensions = (*scripted.EXTENSIONS, scripted.XCLIENT)
    gate, ledger = start(identity, upstream, make_gatepost, reply_timeout="300ms", connect_timeout="1s"), Ledger()
    chance = random.Random(seed)

    def chaos(step, connection):
        """Where nothing is awaited only ends and silence: a reply that crosses the next command cannot be told from its answer."""
        if chance.random() > 0.03:
            return None
        return scripted.Fault(step, chance.choice(ENDS if step in ("body", "connect", "idle", "quit") else FAULTS)())

    upstream.chaos = chaos
    scenarios = [Sufferer(gate, ledger, f"{seed}-{number}") for number in range(CLIENTS)]
    run(scenarios)
    gate.wait_for_metric("gatepost_connections_active", 0)
    ledger.assert_agrees(upstream, exactly=False)
    ledger.assert_unmixed(upstream, identity=identity != "none")
    said = [attempt.reply.code for attempts in ledger.attempts.values() for attempt in attempts]
    assert said.count(250) > 40 and len(said) - said.count(250) > 10, "or it proves little"
