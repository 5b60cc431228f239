"""Every fault at every step of the upstream's side, alone and on a connection that was used before: both sides agree about every message.

"Alone": a fresh connection meets the fault. "Pooled": another client's transaction was clean, its connection is used again, and the fault hits the second
one; what fails before anything of it was accepted is replaced in silence.
"""
import ssl

import pytest
from harness import scripted_upstream as scripted
from harness.client import Client
from harness.gatepost import Gatepost
from harness.ledger import Ledger, Sender
from harness.process import wait_until
from harness.scripted_upstream import HAS_POOL, ScriptedUpstream, pool

MODES = {"alone": {"max_idle": 0}, "pooled": {"max_idle": 16}}

LOST, BUSY, NONSENSE = "451 4.4.2", "451 4.3.2", "451 4.3.0"
TRANSIENT = "450 4.2.1 Come again, said the upstream"
PERMANENT = "553-5.7.1 Never, said the upstream\r\n553 5.7.1 In two lines"

# name: (what is done, what the client hears; None = the reply itself)
FAULTS = {
    "reset": (scripted.reset, LOST),
    "close": (scripted.close, LOST),
    "close within a reply": (lambda: scripted.close("250-2.0.0 One line\r\n250 2"), LOST),
    "half-close": (scripted.half_close, LOST),
    "black hole": (scripted.black_hole, LOST),
    "drip without end": (lambda: scripted.drip(0.15, takes_effect=False), LOST),
    "421": (lambda: scripted.reply("421 4.3.2 Going down"), BUSY),
    "long line": (scripted.long_line, NONSENSE),
    "many lines": (scripted.many_lines, NONSENSE),
    "3xx": (lambda: scripted.reply("354 Go on"), NONSENSE),
    "no code": (lambda: scripted.reply("Hello?"), NONSENSE),
    "code 999": (lambda: scripted.reply("999 9.9.9 What"), NONSENSE),
    "mixed codes": (lambda: scripted.reply("250-2.0.0 Yes\r\n550 5.0.0 No"), NONSENSE),
    "4xx": (lambda: scripted.reply(TRANSIENT), None),
    "5xx": (lambda: scripted.reply(PERMANENT), None),
    "drip": (lambda: scripted.drip(0.003), 250),
    "extra": (scripted.extra, 250),
}  # fmt: skip
WAITS = ("black hole", "drip without end", "frozen")
IN_DATA = {
    "frozen": (scripted.frozen, LOST),
    "early 250": (lambda: scripted.reply("250 2.0.0 Taken already"), NONSENSE),
    "early 452": (lambda: scripted.reply("452 4.3.1 Full"), NONSENSE),
}  # fmt: skip


def expected(step, fault, pooled=False):
    """What ends the transaction: 250, a code with its enhanced code, or the lines of the upstream's own reply."""
    refusal = {"4xx": TRANSIENT, "5xx": PERMANENT}.get(fault)
    usual = {**FAULTS, **IN_DATA}[fault][1] if refusal is None else refusal.split("\r\n")
    if step in ("connect", "greeting", "ehlo", "starttls", "handshake"):
        if fault == "drip" or (step == "ehlo" and fault == "5xx") or (step == "starttls" and refusal):
            return 250
        if fault == "extra":
            return NONSENSE
        return BUSY if refusal else 451
    if pooled and (step == "rset" or (step == "mail" and not refusal)) and fault not in (*WAITS, "drip", "extra"):
        return 250  # replaced in silence
    if fault == "extra" and step in ("mail", "rcpt"):
        return LOST
    if fault == "extra" and step == "data":
        return NONSENSE
    if fault == "3xx" and step == "data":
        return 250
    return usual


def cases():
    for step in ("greeting", "ehlo", "starttls", "mail", "rcpt", "data", "end_of_data"):
        for fault in FAULTS:
            if step == "data" and fault == "3xx":
                continue  # is what belongs there
            yield step, fault
    for fault in ("2xx",):
        yield "data", fault
    for step, faults in {
        "connect": ("reset", "close", "half-close", "black hole"),
        "handshake": ("reset", "close", "half-close", "black hole", "no code"),
        "body": ("reset", "close", "half-close", "black hole", "421", "no code", "3xx", *IN_DATA),
    }.items():  # fmt: skip
        for fault in faults:
            yield step, fault


FAULTS["2xx"] = (lambda: scripted.reply("250 2.0.0 Taken, whatever it was"), NONSENSE)
OPENING = ("connect", "greeting", "ehlo", "starttls", "handshake")


class Scene:
    """One Gatepost before one scripted upstream; probes are over when the first case begins."""

    def __init__(self, folder, tls, mode, **more):
        self.upstream = ScriptedUpstream()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(tls.ecdsa.certificate, tls.ecdsa.key)
        self.pooled = mode == "pooled"
        upstream = {"connect_timeout": "700ms", "reply_timeout": "700ms", "tls": "opportunistic", "health": {"interval": "1h", "timeout": "2s"}, **pool(**MODES[mode]), **more}
        self.gate = Gatepost(folder, tls, self.upstream.port, {"upstreams": [{"name": "default", "servers": [f"127.0.0.1:{self.upstream.port}"], **upstream}]})
        self.begin()

    def begin(self, extensions=scripted.EXTENSIONS):
        """Nothing is pooled, and nothing remembered."""
        self.upstream.tls = None
        self.upstream.extensions = extensions
        self.upstream.disconnect()
        self.upstream.clear()
        self.ledger = Ledger()

    def client(self):
        client = Client(self.gate.plain_port)
        client.ehlo()
        return Sender(self.ledger, client)

    def leave_an_idle_connection(self):
        """By another client, who has gone."""
        before = self.client()
        assert before.send() == 250
        before.client.quit()
        assert len(self.upstream.live()) == 1, self.upstream.dialogue()

    def stop(self):
        self.gate.stop()
        self.upstream.stop()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory, tls):
    made = {}

    def scene(mode):
        if mode not in made:
            made[mode] = Scene(tmp_path_factory.mktemp(mode), tls, mode)
        made[mode].begin()
        return made[mode]

    yield scene
    for scene in made.values():
        scene.stop()


def hears(reply, wanted, scene):
    if isinstance(wanted, list):
        assert reply.lines == wanted, f"{reply}, not the upstream's own {wanted}\n{scene.upstream.dialogue()}"
    else:
        assert reply == wanted, f"{reply}, not {wanted}\n{scene.upstream.dialogue()}"


def suffers(scene, armed, wanted, how="data"):
    """A transaction meets the fault, and the same client's next one is as good as ever."""
    client = scene.client()
    reply = client.send(how, midway=lambda: armed.step != "body" or wait_until(armed.fired.is_set, 5))
    assert armed.fired.is_set(), f"{armed.step} was never reached\n{scene.upstream.dialogue()}"
    hears(reply, wanted, scene)
    scene.upstream.disarm()
    scene.upstream.tls = None
    hears(client.send(how), 250, scene)
    client.client.quit()
    # A reply that was lost, or that nobody can understand, may have said yes: then the client was told to try again.
    scene.ledger.assert_agrees(scene.upstream)


def action(fault):
    return {**FAULTS, **IN_DATA}[fault][0]()


@pytest.mark.parametrize("step, fault", cases())
def test_alone(step, fault, scenes):
    scene = scenes("alone")
    if step in ("starttls", "handshake"):
        scene.upstream.tls = scene.tls
    suffers(scene, scene.upstream.arm(step, action(fault)), expected(step, fault))


def other_ways():
    for step, fault in cases():
        if fault not in WAITS and step in ("mail", "rcpt", "data", "body", "end_of_data"):
            yield step, fault, "pipelined"
            if step in ("body", "end_of_data"):
                yield step, fault, "bdat"
                yield step, fault, "chunks"


@pytest.mark.parametrize("step, fault, how", other_ways())
def test_alone_sent_in_another_way(step, fault, how, scenes):
    scene = scenes("alone")
    suffers(scene, scene.upstream.arm(step, action(fault)), expected(step, fault), how)
