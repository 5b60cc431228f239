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
from harness.scripted_upstream import ScriptedUpstream

MODES = {"alone": {"max_idle": 0}, "pooled": {"max_idle": 16}, "xclient": {"max_idle": 16}}
REUSE = ["alone", "pooled"]

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
    "drip": (lambda: scripted.drip(0.001), 250),
    "extra": (scripted.extra, 250),
}  # fmt: skip
IN_DATA = {
    "frozen": (scripted.frozen, LOST),
    "early 250": (lambda: scripted.reply("250 2.0.0 Taken already"), NONSENSE),
    "early 452": (lambda: scripted.reply("452 4.3.1 Full"), NONSENSE),
}  # fmt: skip
WRONG_2XX = {"greeting": "250 Hello", "ehlo": "220 Hello", "data": "250 2.0.0 Taken, whatever it was"}
OPENING = ("connect", "greeting", "ehlo", "starttls", "handshake")
WAITS = ("black hole", "drip without end", "frozen")


def action(step, fault):
    return scripted.reply(WRONG_2XX[step]) if fault == "2xx" else {**FAULTS, **IN_DATA}[fault][0]()


def expected(step, fault, how="data"):
    """What ends the transaction: 250, a code with its enhanced code, or the lines of the upstream's own reply."""
    refusal = {"4xx": TRANSIENT, "5xx": PERMANENT}.get(fault)
    if step in OPENING:
        if fault == "drip" or (step == "ehlo" and fault == "5xx") or (step == "starttls" and refusal):
            return 250
        if fault == "extra":
            return NONSENSE
        return BUSY if refusal else 451
    if refusal:
        return refusal.split("\r\n")
    if fault == "2xx":
        return NONSENSE
    if fault == "early 452" and how == "bdat":
        return ["452 4.3.1 Full"]  # a chunk may be refused before it has come
    if fault == "extra" and step in ("mail", "rcpt", "data"):
        return NONSENSE if step == "data" or how == "pipelined" else LOST
    return {**FAULTS, **IN_DATA}[fault][1]


def cases():
    for step in ("greeting", "ehlo", "starttls", "mail", "rcpt", "data", "end_of_data"):
        for fault in FAULTS:
            if (step, fault) != ("data", "3xx"):  # which belongs there
                yield step, fault
        if step in WRONG_2XX:
            yield step, "2xx"
    for step, faults in {
        "connect": ("reset", "close", "half-close", "black hole"),
        "handshake": ("reset", "close", "half-close", "black hole", "no code"),
        "body": ("reset", "close", "half-close", "black hole", "421", "no code", "3xx", *IN_DATA),
    }.items():  # fmt: skip
        for fault in faults:
            yield step, fault


def other_ways():
    for step, fault in cases():
        if step not in OPENING and fault not in WAITS:
            yield step, fault, "pipelined"
            if step in ("body", "end_of_data"):
                yield step, fault, "bdat"
            if step == "end_of_data" or (step == "body" and not fault.startswith("early")):  # of a chunk whose octets are there, 250 is not early
                yield step, fault, "chunks"


class Scene:
    """One Gatepost before one scripted upstream; probes are over when the first case begins."""

    def __init__(self, folder, tls, mode):
        self.upstream = ScriptedUpstream(self.extensions(mode))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(tls.ecdsa.certificate, tls.ecdsa.key)
        self.has_identity = mode == "xclient"
        upstream = {"connect_timeout": "1s", "reply_timeout": "700ms", "tls": "opportunistic", "health": {"interval": "1h", "timeout": "2s"}, "pool": MODES[mode]}
        if self.has_identity:
            upstream["identity"] = "xclient_login"
        # One worker: each has idle connections of its own.
        changes = {"workers": 1, "upstreams": [{"name": "default", "servers": [f"127.0.0.1:{self.upstream.port}"], **upstream}], "auth": {"plaintext_without_tls": True}, "session": {"data_timeout": "1500ms"}}
        self.gate = Gatepost(folder, tls, self.upstream.port, changes)
        self.begin()

    @staticmethod
    def extensions(mode):
        return (*scripted.EXTENSIONS, scripted.XCLIENT) if mode == "xclient" else scripted.EXTENSIONS

    def begin(self):
        """Nothing is pooled, and nothing remembered."""
        self.upstream.tls = None
        self.upstream.extensions = self.extensions("xclient" if self.has_identity else "")
        self.upstream.disconnect()
        self.upstream.clear()
        self.ledger = Ledger()

    def client(self, user="alice@example.com"):
        client = Client(self.gate.plain_port)
        client.ehlo()
        if self.has_identity:
            client.login(user, self.gate.users[user])
        return Sender(self.ledger, client, user)

    def leave_an_idle_connection(self):
        """By another client, who has gone."""
        before = self.client("carol")
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


def suffers(scene, armed, wanted, how="data", **more):
    """A transaction meets the fault, and the same client's next one is as good as ever."""
    client = scene.client()

    def noticed():
        """What happens within the data is to be seen before its end is there, or it counts as the answer to it; silence is never seen."""
        if armed.step == "body":
            assert armed.begun.wait(5)
            wait_until(lambda: not scene.upstream.live(), 0.5)

    reply = client.send(how, **more, midway=noticed)
    assert armed.begun.is_set(), f"{armed.step} was never reached\n{scene.upstream.dialogue()}"
    hears(reply, wanted, scene)
    scene.upstream.disarm()
    scene.upstream.tls = None
    hears(client.send(how), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)
    scene.ledger.assert_unmixed(scene.upstream, identity=scene.has_identity)


@pytest.mark.parametrize("step, fault", cases())
def test_alone(step, fault, scenes):
    scene = scenes("alone")
    if step in ("starttls", "handshake"):
        scene.upstream.tls = scene.tls
    suffers(scene, scene.upstream.arm(step, action(step, fault)), expected(step, fault))


@pytest.mark.parametrize("step, fault, how", other_ways())
def test_alone_and_sent_in_another_way(step, fault, how, scenes):
    scene = scenes("alone")
    suffers(scene, scene.upstream.arm(step, action(step, fault)), expected(step, fault, how), how)


@pytest.mark.parametrize("how", ["data", "pipelined", "bdat"])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in (*WAITS, "extra")])
@pytest.mark.parametrize("mode", REUSE)
def test_the_second_of_three_recipients(mode, fault, how, scenes):
    """Refused by the upstream it alone is left out; lost, it takes the message with it, although another was accepted before."""
    scene = scenes(mode)
    if mode == "pooled":
        scene.leave_an_idle_connection()
    recipients = [f"{name}@example.net" for name in ("one", "two", "three")]
    is_refused = fault in ("4xx", "5xx")
    wanted = 250 if is_refused or fault == "drip" else 451 if how == "bdat" else expected("rcpt", fault)
    armed = scene.upstream.arm("rcpt", action("rcpt", fault), nth=2)
    suffers(scene, armed, wanted, how, recipients=recipients, taken=recipients[::2] if is_refused else recipients)


def test_one_that_takes_no_more_of_a_large_message_is_not_waited_for(scenes):
    scene = scenes("alone")
    armed = scene.upstream.arm("body", scripted.frozen())
    client = scene.client()
    hears(client.send(message=scene.ledger.message((b"m" * 998 + b"\r\n") * 12000)), LOST, scene)
    assert armed.begun.is_set() and not scene.upstream.complete
    hears(client.send(), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)


@pytest.mark.parametrize("mode", REUSE)
def test_refused_and_back(mode, scenes):
    scene = scenes(mode)
    scene.upstream.shut()
    client = scene.client()
    hears(client.send(), "451 4.4.1", scene)
    scene.upstream.listen()
    hears(client.send(), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)


IDLE = {name: FAULTS[name][0] for name in ("reset", "close", "half-close", "black hole", "421", "long line", "no code", "3xx", "4xx")}
IDLE["unasked 250"] = lambda: scripted.reply("250 2.0.0 By the way")


@pytest.mark.parametrize("fault", [fault for fault in IDLE if fault != "black hole"])
@pytest.mark.parametrize("mode", REUSE)
def test_between_two_messages_of_one_client_nobody_notices(mode, fault, scenes):
    scene = scenes(mode)
    armed = scene.upstream.arm("idle", IDLE[fault]())
    client = scene.client()
    assert client.send() == 250
    assert armed.fired.wait(5)
    hears(client.send(), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)


@pytest.mark.parametrize("how", ["data", "pipelined", "bdat"])
@pytest.mark.parametrize("mode", REUSE)
def test_closed_with_the_last_reply(mode, how, scenes):
    """The 250 counts, and what comes behind it hurts nobody."""
    scene = scenes(mode)
    scene.upstream.arm("end_of_data", scripted.close(usual_first=True))
    client = scene.client()
    assert client.send(how) == 250
    hears(client.send(how), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)


@pytest.mark.parametrize("fault", ["reset", "close", "half-close", "421", "no code", "4xx", "many lines"])
def test_a_bad_goodbye_hurts_nobody(fault, scenes):
    scene = scenes("alone")
    armed = scene.upstream.arm("quit", action("quit", fault))
    with Client(scene.gate.plain_port) as other:
        other.ehlo()
        assert Sender(scene.ledger, other).send() == 250
        other.quit()
    assert armed.fired.wait(5)
    client = scene.client()
    hears(client.send(), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)
    assert wait_until(lambda: not scene.upstream.live(), 10), scene.upstream.dialogue()


# Reuse


def pooled_cases():
    for step, fault in cases():
        if step not in OPENING:
            yield step, fault
    for fault in FAULTS:
        if fault != "extra":  # which cannot be told from the answer to what was pipelined behind
            yield "rset", fault
    for fault in ("reset", "421", "5xx"):  # of the others, test_alone knows
        yield "end_of_data", fault


def expected_when_reused(step, fault):
    """What fails before MAIL was accepted is replaced in silence; an answer that does not come is waited for, and not asked for again."""
    if fault in WAITS or fault == "drip":
        return FAULTS[fault][1] if fault in FAULTS else LOST
    if step == "rset" or (step == "mail" and fault not in ("4xx", "5xx", "extra")):
        return 250
    return expected(step, fault)


POOR = tuple(word for word in scripted.EXTENSIONS if word != "PIPELINING")


@pytest.mark.parametrize("step, fault", dict.fromkeys(pooled_cases()))
def test_pooled(step, fault, scenes):
    scene = scenes("pooled")
    scene.leave_an_idle_connection()
    suffers(scene, scene.upstream.arm(step, action(step, fault), reused=True), expected_when_reused(step, fault))


@pytest.mark.parametrize("step, fault", [(step, fault) for step in ("rset", "mail") for fault in FAULTS if fault not in WAITS and (step, fault) != ("rset", "extra")])
@pytest.mark.parametrize("extensions, how", [(POOR, "data"), (scripted.EXTENSIONS, "pipelined")])
def test_pooled_and_asked_in_another_way(extensions, how, step, fault, scenes):
    scene = scenes("pooled")
    scene.upstream.extensions = extensions
    scene.leave_an_idle_connection()
    wanted = 451 if fault == "extra" else expected_when_reused(step, fault)
    suffers(scene, scene.upstream.arm(step, action(step, fault), reused=True), wanted, how)


@pytest.mark.parametrize("fault", IDLE)
def test_broken_while_it_lay_in_the_pool(fault, scenes):
    scene = scenes("pooled")
    armed = scene.upstream.arm("idle", IDLE[fault]())
    before = scene.client()
    assert before.send() == 250
    before.client.quit()
    assert armed.begun.wait(5)
    client = scene.client()
    hears(client.send(), LOST if fault == "black hole" else 250, scene)
    hears(client.send(), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)


@pytest.mark.parametrize("first", ["rset", "mail"])
@pytest.mark.parametrize("step, fault", [("connect", "reset"), ("greeting", "421"), ("greeting", "4xx"), ("greeting", "black hole"), ("ehlo", "close"), ("mail", "reset"), ("mail", "421"), ("mail", "4xx")])
def test_what_replaces_it_fails_too(first, step, fault, scenes):
    """It is not tried a third time."""
    scene = scenes("pooled")
    scene.leave_an_idle_connection()
    scene.upstream.arm(first, scripted.reset(), reused=True)
    suffers(scene, scene.upstream.arm(step, action(step, fault), reused=False), expected(step, fault))


def test_what_replaces_it_is_refused(scenes):
    scene = scenes("pooled")
    scene.leave_an_idle_connection()
    armed = scene.upstream.arm("rset", scripted.close(), reused=True)
    scene.upstream.shut()
    client = scene.client()
    hears(client.send(), "451 4.4.1", scene)
    assert armed.begun.is_set()
    scene.upstream.listen()
    hears(client.send(), 250, scene)
    client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)


def test_many_broken_ones_in_the_pool_cost_nobody_a_message(scenes):
    scene = scenes("pooled")
    clients = [scene.client() for _ in range(4)]
    for client in clients:  # four transactions at a time take four connections
        assert client.client.command("MAIL FROM:<alice@example.com>") == 250
    for client in clients:
        number, data = scene.ledger.message()
        attempt = scene.ledger.begin(number, "alice@example.com", ["bob@example.net"], data, None)
        assert client.client.command("RCPT TO:<bob@example.net>") == 250
        attempt.reply, attempt.after_data = client.client.data(data), True
    assert len(scene.upstream.live()) == 4
    for _ in range(4):
        scene.upstream.arm("rset", scripted.reset(), reused=True)
    for client in clients:
        hears(client.send(), 250, scene)
        client.client.quit()
    scene.ledger.assert_agrees(scene.upstream)


def test_clean_connections_are_used_again(scenes):
    """Or all the rest of this file proves nothing."""
    scene = scenes("pooled")
    for how in ("data", "pipelined", "bdat", "chunks"):
        client = scene.client()
        assert client.send(how) == 250 and client.send(how) == 250
        client.client.quit()
    assert len(scene.upstream.connections) == 1 and len(scene.upstream.accepted) == 8, scene.upstream.dialogue()
    scene.ledger.assert_agrees(scene.upstream)


# Identity: XCLIENT LOGIN comes before MAIL, and EHLO is said again behind it.


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("drip", "extra")])
@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
def test_xclient_goes_wrong(reused, fault, scenes):
    scene = scenes("xclient")
    if reused:
        scene.leave_an_idle_connection()
    suffers(scene, scene.upstream.arm("xclient", action("xclient", fault), reused=reused), 250 if reused and fault not in WAITS else 451)


@pytest.mark.parametrize("fault", ["reset", "close", "black hole", "421", "4xx", "no code", "mixed codes"])
@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
def test_ehlo_behind_xclient_goes_wrong(reused, fault, scenes):
    scene = scenes("xclient")
    if reused:
        scene.leave_an_idle_connection()
    armed = scene.upstream.arm("ehlo", action("ehlo", fault), reused=reused, nth=1 if reused else 2)
    suffers(scene, armed, 250 if reused and fault not in WAITS else 451)
