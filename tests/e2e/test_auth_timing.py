"""An unknown user, a wrong password and a disabled user with the right password cannot be told apart: not by replies, not by the steps of a
mechanism, not by time. Times are compared by ranks; a comparison counts only when 2 ms more for one class would have been found by it."""
import base64
import collections
import contextlib
import crypt
import ctypes
import hashlib
import hmac
import pathlib
import random
import secrets
import selectors
import statistics
import time

import pytest
from harness.client import Client, b64, plain
from harness.gatepost import command
from harness.process import wait_until
from harness.timing import cpu_seconds, is_sharp, mann_whitney, told_apart

KNOWN, GONE, NOBODY = "known@example.com", "gone@example.com", "nobody@example.com"
PASSWORD, WRONG = "timing-3141-walnut", "timing-9999-walnut"
CLASSES = {"unknown": (NOBODY, PASSWORD), "wrong": (KNOWN, WRONG), "disabled": (GONE, PASSWORD)}
DELAY = 0.3
DIFFERENCE = 0.002  # seconds; must be seen
CHALLENGE = 0.00004  # seconds that the medians of the step before may differ by (a debug build)
EACH = 60  # attempts of a class in a round
ROUNDS = 4  # at most, when others disturb the machine
OFF = {"per_ip": "off", "per_network": "off", "per_user_and_network": "off", "per_user_delay": "off"}


def argon2id():
    size = ctypes.c_size_t
    out = ctypes.create_string_buffer(256)
    salt = secrets.token_bytes(16)
    status = ctypes.CDLL("libargon2.so.1").argon2id_hash_encoded(1, 1024, 1, PASSWORD.encode(), size(len(PASSWORD)), salt, size(16), size(32), out, size(256))
    assert status == 0
    return "{ARGON2ID}" + out.value.decode()


def scram_record():
    done = command("hash", "--scheme", "SCRAM-SHA-256", input=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SCHEMES = {
    "SCRAM-SHA-256": scram_record,
    "bcrypt": lambda: "{CRYPT}" + crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=256)),
    "sha512-crypt": lambda: "{CRYPT}" + crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_SHA512)),
    "PLAIN": lambda: "{PLAIN}" + PASSWORD,
    "ARGON2ID": argon2id,
}
MECHANISMS = {"SCRAM-SHA-256": ["PLAIN", "LOGIN", "SCRAM-SHA-256"], "PLAIN": ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"]}
CASES = [(scheme, mechanism) for scheme in SCHEMES for mechanism in MECHANISMS.get(scheme, ["PLAIN", "LOGIN"])]


def users_text(scheme):
    make = SCHEMES[scheme]
    return "".join(f"{name}:{make()}{more}\n" for name, more in [(KNOWN, ""), ("other@example.com", ""), (GONE, ":disabled=yes")])


def make_gate(make_gatepost, sink, scheme, delay, **auth):
    gate = make_gatepost(sink.port, {"auth": {"mechanisms": MECHANISMS.get(scheme, ["PLAIN", "LOGIN"]), "failure_delay": delay, "plaintext_without_tls": True,
                                              "max_attempts": 1000, "guessing": OFF, **auth}})  # fmt: skip
    gate.users_path.write_text(users_text(scheme))
    # The first time it was the harness's own users, of whom there are as many.
    assert wait_until(lambda: gate.log.count("users=3") > 1 and offered(gate) == MECHANISMS.get(scheme, ["PLAIN", "LOGIN"]), 10, 0.1)
    gate.secrets.update({PASSWORD, WRONG})
    return gate


def offered(gate):
    with Client(gate.plain_port) as client:
        return client.ehlo().get("AUTH", "").split()


def undisturbed(gate):
    """Before other work on the machine, where we may say so."""
    for pid in (gate.pid, "self"):
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{pid}/autogroup").write_text("-10")


@pytest.fixture(autouse=True)
def as_before():
    yield
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/autogroup").write_text("0")


def scram_final(first, challenge, password):
    """The client's last message, its proof made from what the server told."""
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    bare = f"c=biws,r={fields['r']}"
    signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{bare}".encode(), "sha256")
    return f"{bare},p={base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()}"


class Attempt:
    """One AUTH on a connection of its own, up to before its last line; `flow` is all that was heard, without what is random in it."""

    def __init__(self, gate, mechanism, name):
        user, password = CLASSES[name]
        self.name, self.flow, self.first_step = name, [], 0.0
        self.client = Client(gate.plain_port)
        self.client.ehlo()
        if mechanism == "PLAIN":
            self.last = f"AUTH PLAIN {plain(user, password)}"
        elif mechanism == "LOGIN":
            self.ask("AUTH LOGIN")
            self.ask(b64(user))
            self.last = b64(password)
        elif mechanism == "CRAM-MD5":
            challenge = base64.b64decode(self.ask("AUTH CRAM-MD5", secret=True))
            # Its length is libsasl's dice.
            self.last = b64(user + " " + hmac.new(password.encode(), challenge, "md5").hexdigest())
        else:
            first = f"n={user},r=client-nonce-0000"
            challenge = base64.b64decode(self.ask(f"AUTH SCRAM-SHA-256 {b64('n,,' + first)}", secret=True)).decode()
            fields = dict(part.split("=", 1) for part in challenge.split(","))
            self.flow.append((list(fields), len(fields["r"]), len(fields["s"]), fields["i"]))
            self.last = b64(scram_final(first, challenge, password))

    def ask(self, line, secret=False):
        begin = time.perf_counter()
        reply = self.client.command(line)
        self.first_step = time.perf_counter() - begin
        assert reply.code == 334, reply
        self.flow.append(reply.code if secret else reply.lines)
        return reply.texts[0]


def timed(attempts, pace):
    """Sends the last line of each, one every `pace` seconds, and takes the time until the first octet of its reply."""
    times, waiting = collections.defaultdict(list), selectors.DefaultSelector()
    queue, sent, next_at = collections.deque(attempts), {}, time.perf_counter()
    while queue or sent:
        now = time.perf_counter()
        if queue and now >= next_at:
            attempt = queue.popleft()
            sent[attempt] = time.perf_counter()  # before: the answer to come may push us off the CPU
            attempt.client.send(attempt.last + "\r\n")
            waiting.register(attempt.client.socket, selectors.EVENT_READ, attempt)
            next_at = max(next_at + pace, now)
            continue
        for key, _ in waiting.select(max(0, next_at - now) if queue else 5):
            attempt = key.data
            times[attempt.name].append(time.perf_counter() - sent.pop(attempt))
            waiting.unregister(key.fileobj)
            attempt.flow.append(attempt.client.reply().lines)
            attempt.client.socket.close()
    return times


def assert_alike(times, what, but_for=0.0):
    """`but_for`: seconds that medians may differ by."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    apart = {pair: chance for pair, chance in told_apart(times).items() if abs(medians[pair[0]] - medians[pair[1]]) > but_for}
    assert not apart, f"{what}: {apart}, medians {medians}"


def sharp_times(measure):
    """Measures until the times are good enough to show DIFFERENCE. More noise than that in every round is a failure, not a pass."""
    times = collections.defaultdict(list)
    for _ in range(ROUNDS):
        for name, values in measure().items():
            times[name] += values
        if is_sharp(times, DIFFERENCE):
            return times
    raise AssertionError(f"too noisy to see {DIFFERENCE} s: {({name: statistics.quantiles(values) for name, values in times.items()})}")


def test_the_comparison_itself_sees_two_milliseconds_and_nothing_where_there_is_nothing():
    chance = random.Random(1)
    same = {name: [DELAY + chance.expovariate(1000) for _ in range(EACH)] for name in CLASSES}
    assert not told_apart(same) and is_sharp(same, DIFFERENCE)
    noisy = {name: [DELAY + chance.gauss(0, 0.03) for _ in range(EACH)] for name in CLASSES}
    assert not is_sharp(noisy, DIFFERENCE), "who sees nothing must not say that there is nothing"
    # The textbook's: U = 0 of two times twenty.
    assert mann_whitney(list(range(20)), list(range(20, 40))) == pytest.approx(6.8e-8, rel=0.1)
    assert mann_whitney([1] * 20, [1] * 20) == 1


@pytest.mark.parametrize("scheme, mechanism", CASES, ids=["-".join(case) for case in CASES])
def test_three_failures_look_and_last_alike(make_gatepost, sink, scheme, mechanism):
    gate = make_gate(make_gatepost, sink, scheme, f"{int(DELAY * 1000)}ms")
    flows, first_steps = collections.defaultdict(set), collections.defaultdict(list)

    undisturbed(gate)
    with Client(gate.plain_port) as client:
        client.ehlo()
        begin = cpu_seconds(gate.pid)
        client.command(f"AUTH PLAIN {plain(KNOWN, WRONG)}")
        hashing = cpu_seconds(gate.pid) - begin

    def measure():
        names = [name for name in CLASSES for _ in range(EACH)]
        random.shuffle(names)
        attempts = [Attempt(gate, mechanism, name) for name in names]
        for attempt in attempts:
            first_steps[attempt.name].append(attempt.first_step)
        times = timed(attempts, max(0.008, 3 * hashing))  # no queue
        for attempt in attempts:
            flows[attempt.name].add(repr(attempt.flow))
        return times

    times = sharp_times(measure)
    assert flows["unknown"] == flows["wrong"] == flows["disabled"] and len(flows["wrong"]) == 1, dict(flows)
    assert "535 5.7.8" in flows["wrong"].pop()
    assert min(min(values) for values in times.values()) >= DELAY - 0.005, "answered before its time"
    assert_alike(times, "last line to reply")
    # A challenge is not delayed: what it costs is what it takes. An attribute more in a line is some microseconds.
    medians = {name: statistics.median(values) for name, values in first_steps.items()}
    assert not told_apart(first_steps) or max(medians.values()) - min(medians.values()) < CHALLENGE, medians


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_a_delay_each_costs_the_same_cpu(make_gatepost, sink, scheme):
    gate = make_gate(make_gatepost, sink, scheme, "0s")
    undisturbed(gate)
    with Client(gate.plain_port) as client:
        client.ehlo()

        def measure():
            costs = collections.defaultdict(list)
            names = [name for name in CLASSES for _ in range(EACH)]
            random.shuffle(names)
            for name in names:
                begin = cpu_seconds(gate.pid)
                assert client.command(f"AUTH PLAIN {plain(*CLASSES[name])}") == 535
                costs[name].append(cpu_seconds(gate.pid) - begin)
            return costs

        # A disabled user's line has an attribute more to read: 7 us in a debug build.
        assert_alike(sharp_times(measure), "CPU", CHALLENGE)


def salts(gate, user, times=3):
    found = set()
    for _ in range(times):
        with Client(gate.plain_port) as client:
            client.ehlo()
            reply = client.command(f"AUTH SCRAM-SHA-256 {b64(f'n,,n={user},r=client-nonce-0000')}")
            assert reply.code == 334
            fields = dict(part.split("=", 1) for part in base64.b64decode(reply.texts[0]).decode().split(","))
            found.add((fields["s"], fields["i"]))
    return found


def test_salts_of_strangers_stay_over_attempts_and_replicas(make_gatepost, sink, tmp_path):
    secret = tmp_path / "scram-secret"
    secret.write_text("a secret of all replicas, long enough\n")
    one, two = (make_gate(make_gatepost, sink, "SCRAM-SHA-256", "10ms", scram_secret_file=str(secret)) for _ in range(2))
    alone = make_gate(make_gatepost, sink, "SCRAM-SHA-256", "10ms")
    mine = salts(one, NOBODY)
    assert len(mine) == 1 and mine == salts(two, NOBODY) and mine != salts(alone, NOBODY)
    assert mine != salts(one, "somebody.else@example.com")
    assert len(salts(one, KNOWN)) == 1
