"""Every mechanism and every way in which an AUTH can end: each has its reply and its event in the log. Kerberos has a file of its own."""
import functools
import subprocess

import pytest
from harness import sasl
from harness.client import Client, b64, trusting_context
from harness.gatepost import Gatepost, command
from harness.process import wait_until

PASSWORD = "staple, battery=horse"
USER, GONE, STRANGER = "ann@example.com", "gone@example.com", "nobody@example.com"
SHORT = "ann"  # for NTLM by those who take what stands behind an @ for a domain
HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
DIALOGUES = {
    "PLAIN": sasl.plain,
    "LOGIN": sasl.login,
    "CRAM-MD5": sasl.cram_md5,
    "DIGEST-MD5": sasl.digest_md5,
    "NTLM": sasl.ntlm_with_no_password,
    **{mechanism: functools.partial(sasl.scram, name) for mechanism, name in HASHES.items()},
}
# How many messages each has from the client, and one that is none of it.
MESSAGES = {"PLAIN": 1, "LOGIN": 2, "CRAM-MD5": 1, "DIGEST-MD5": 2, "NTLM": 2, "EXTERNAL": 1}
MALFORMED = {"PLAIN": "no nul", "CRAM-MD5": "ann 0123", "DIGEST-MD5": "username=ann,username=ann", "NTLM": "NTLMSSP", **dict.fromkeys(HASHES, "n=ann,r=abc")}
FROM_PLAIN = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM"]
BOUND = [f"{mechanism}-PLUS" for mechanism in HASHES]
ALL = [*FROM_PLAIN, *HASHES, *BOUND]


def unbound(mechanism):
    return mechanism.removesuffix("-PLUS")


class Gates:
    """A Gatepost for the mechanisms that {PLAIN} records serve, and one for each hash of SCRAM."""

    def __init__(self, start):
        self.start, self.made = start, {}

    def of(self, mechanism):
        scheme = unbound(mechanism) if unbound(mechanism) in HASHES else "PLAIN"
        if scheme not in self.made:
            done = command("hash", "--scheme", scheme, input=PASSWORD + "\n")
            assert done.returncode == 0, done.stderr
            record = done.stdout.strip()
            names = FROM_PLAIN if scheme == "PLAIN" else [f"{scheme}-PLUS", scheme]
            self.made[scheme] = self.start(scheme, [f"{USER}:{record}", f"{SHORT}:{record}", f"{GONE}:{record}:disabled=yes"], [*names, "EXTERNAL"])
        return self.made[scheme]


@pytest.fixture(scope="module")
def gates(tmp_path_factory, tls, sink):
    def start(name, lines, mechanisms):
        folder = tmp_path_factory.mktemp(name)
        (folder / "own-users").write_text("".join(f"{line}\n" for line in lines))
        changes = {"auth": {"mechanisms": mechanisms}, "backends": {"local": {"path": str(folder / "own-users")}}, "tls": {"client_ca": str(tls.ca)}}
        gate = Gatepost(folder, tls, sink.port, changes)
        gate.users[USER] = PASSWORD
        return gate

    made = Gates(start)
    yield made
    for gate in made.made.values():
        gate.stop()


class Attempt:
    """One AUTH on a connection of its own, and what the log says of it."""

    def __init__(self, gate, mechanism, user, password=PASSWORD, instead=None, context=None):
        self.gate, self.mechanism, self.begin = gate, mechanism, len(gate.log)
        with Client(gate.tls_port, implicit_tls=True, **({"context": context} if context else {})) as client:
            offer = client.ehlo()["AUTH"].split()
            assert mechanism in offer, offer
            if mechanism == "EXTERNAL":
                dialogue = sasl.external(user)
            elif mechanism in BOUND:
                dialogue = DIALOGUES[unbound(mechanism)](user, password, header="p=tls-server-end-point,,", binding=sasl.end_point(client))
            else:
                dialogue = DIALOGUES[mechanism](user, password)
            self.reply = sasl.talk(client, mechanism, dialogue, instead)

    def ends(self, reply, event=None, *fields):
        assert self.reply == reply, (self.mechanism, self.reply)

        def said():
            return any(f" {event} " in line and all(f"{field} " in line + " " for field in (f"mechanism={self.mechanism}", *fields)) for line in self.gate.log[self.begin :].splitlines())

        assert wait_until(said, 5), (event, fields, self.gate.log[self.begin :])


@pytest.mark.parametrize("mechanism", [mechanism for mechanism in ALL if mechanism != "NTLM"])
def test_right(gates, mechanism):
    Attempt(gates.of(mechanism), mechanism, USER).ends("235 2.7.0", "session", f"user={USER}")


@pytest.mark.parametrize("mechanism", ALL)
def test_wrong_and_unknown_are_the_same_but_in_the_log(gates, mechanism):
    wrong = Attempt(gates.of(mechanism), mechanism, USER, "wrong")
    wrong.ends("535 5.7.8", "auth_failed", f"user={USER}", "reason=wrong_password")
    unknown = Attempt(gates.of(mechanism), mechanism, STRANGER)
    unknown.ends("535 5.7.8", "auth_failed", f"user={STRANGER}", "reason=unknown_user")
    assert repr(wrong.reply) == repr(unknown.reply)


@pytest.mark.parametrize("mechanism", [mechanism for mechanism in ALL if mechanism != "NTLM"])
def test_disabled(gates, mechanism):
    Attempt(gates.of(mechanism), mechanism, GONE).ends("535 5.7.8", "auth_failed", f"user={GONE}", "backend=local", "reason=disabled")
    Attempt(gates.of(mechanism), mechanism, GONE, "wrong").ends("535 5.7.8", "auth_failed", f"user={GONE}", "reason=wrong_password")


@pytest.mark.parametrize("mechanism", ALL)
def test_cancelled_undecodable_and_malformed(gates, mechanism):
    for number in range(MESSAGES.get(mechanism, 3)):
        gate = gates.of(mechanism)
        Attempt(gate, mechanism, USER, instead=(number, "*")).ends(501, "auth_cancelled")
        Attempt(gate, mechanism, USER, instead=(number, "YQ=")).ends("501 5.5.2", "auth_malformed", "reason=malformed")
        malformed = MALFORMED.get(unbound(mechanism))
        if malformed:
            Attempt(gate, mechanism, USER, instead=(number, b64(malformed))).ends("501 5.5.2", "auth_malformed", "reason=malformed")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_names_that_nobody_can_have(gates, mechanism):
    Attempt(gates.of(mechanism), mechanism, "ann ").ends("535 5.7.8", "auth_failed", "reason=bad_message")


@pytest.mark.parametrize("mechanism", HASHES)
def test_downgrades_are_refused(gates, mechanism):
    """Ours can bind. Whoever believes that it cannot was lied to; and a -PLUS without a binding is none."""
    gate = gates.of(mechanism)
    for name, header, binding, reply in [
        (mechanism, "n,,", b"", 235),
        (mechanism, "y,,", b"", 535),
        (mechanism, "p=tls-server-end-point,,", None, 501),
        (f"{mechanism}-PLUS", "n,,", b"", 501),
        (f"{mechanism}-PLUS", "y,,", b"", 501),
        (f"{mechanism}-PLUS", "p=tls-unique,,", None, 501),
        (f"{mechanism}-PLUS", "p=tls-server-end-point,,", None, 235),
        (f"{mechanism}-PLUS", "p=tls-server-end-point,,", bytes(32), 535),
        (f"{mechanism}-PLUS", "p=tls-exporter,,", None, 535),
    ]:
        begin = len(gate.log)
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            bound = sasl.end_point(client) if binding is None else binding
            assert sasl.talk(client, name, sasl.scram(HASHES[mechanism], USER, PASSWORD, header, bound)) == reply, (name, header)
        if reply == 535:
            assert wait_until(lambda: "reason=downgraded" in gate.log[begin:], 5), (name, header, gate.log[begin:])


def test_realms_of_digest_md5(gates):
    gate = gates.of("DIGEST-MD5")
    for realm, reply in [(None, 235), ("", 235), ("gate.example", 235), ("example.com", 535)]:
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            assert sasl.talk(client, "DIGEST-MD5", sasl.digest_md5(USER, PASSWORD, realm)) == reply, realm
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        assert client.command(f"AUTH DIGEST-MD5 {b64('username=ann')}") == 501, "no subsequent authentication"


def context_of(pair):
    context = trusting_context()
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_external(gates, tls):
    key = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    known, gone, stranger = (context_of(tls.issue(f"ends-{name}", key, f"email:{name}")) for name in (USER, GONE, STRANGER))
    gate = gates.of("PLAIN")
    Attempt(gate, "EXTERNAL", USER, context=known).ends("235 2.7.0", "session", f"user={USER}")
    Attempt(gate, "EXTERNAL", "", context=known).ends("235 2.7.0", "session", f"user={USER}")
    Attempt(gate, "EXTERNAL", STRANGER, context=known).ends("535 5.7.8", "auth_failed", "reason=not_authorized")
    Attempt(gate, "EXTERNAL", "", context=stranger).ends("535 5.7.8", "auth_failed", f"user={STRANGER}", "reason=unknown_user")
    Attempt(gate, "EXTERNAL", "", context=gone).ends("535 5.7.8", "auth_failed", f"user={GONE}", "backend=local", "reason=disabled")
    Attempt(gate, "EXTERNAL", "", instead=(0, "*"), context=known).ends(501, "auth_cancelled")
    Attempt(gate, "EXTERNAL", "", instead=(0, "YQ="), context=known).ends("501 5.5.2", "auth_malformed")


@pytest.mark.parametrize("external_name", ["email", "uri", "cn"])
def test_external_by_each_name(make_gatepost, make_sink, tls, tmp_path, external_name):
    """The certificate's common name is its file's."""
    pair = tls.issue("by-each-name", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], f"email:{USER},URI:urn:gatepost:ann")
    name = {"email": USER, "uri": "urn:gatepost:ann", "cn": "by-each-name"}[external_name]
    users = tmp_path / "own-users"
    users.write_text(name.replace(":", "\\:") + ":{PLAIN}x\n")
    changes = {"auth": {"mechanisms": ["EXTERNAL"], "external_name": external_name}, "backends": {"local": {"path": str(users)}}, "tls": {"client_ca": str(tls.ca)}}
    gate = make_gatepost(make_sink().port, changes)
    Attempt(gate, "EXTERNAL", "", context=context_of(pair)).ends("235 2.7.0", "session", f"user={name}")


def curl(gate, tls, mechanism, user, password):
    done = subprocess.run(["curl", "--silent", "--show-error", "--verbose", f"smtp://localhost:{gate.port}/client.example", "--ssl-reqd", "--cacert", tls.ca, "--user", f"{user}:{password}",
                           "--login-options", f"AUTH={mechanism}", "--mail-from", user, "--mail-rcpt", "bob@example.net", "--upload-file", "-"],
                          input="Subject: by curl\r\n\r\n", capture_output=True, text=True, timeout=60)  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "NTLM", "CRAM-MD5"])
def test_curl(gates, tls, mechanism):
    gate = gates.of(mechanism)
    begin = len(gate.log)
    status, said = curl(gate, tls, mechanism, USER, PASSWORD)
    assert status == 0, said
    assert wait_until(lambda: f"user={USER} mechanism={mechanism} " in gate.log[begin:], 5)
    for user, password, reason in [(USER, "wrong", "wrong_password"), (GONE, PASSWORD, "disabled"), (GONE, "wrong", "wrong_password")]:
        begin = len(gate.log)
        status, said = curl(gate, tls, mechanism, user, password)
        assert status != 0 and "535" in said, said
        assert wait_until(lambda: f"user={user} mechanism={mechanism} backend=local reason={reason}" in gate.log[begin:], 5), gate.log[begin:]


def swaks(gate, tls, mechanism, user, password, folder):
    words = ["swaks", "--server", "127.0.0.1", "--port", str(gate.port), "--tls", "--auth", mechanism, "--auth-user", user, "--auth-password", password, "--from", USER, "--to", "bob@example.net"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def msmtp(gate, tls, mechanism, user, password, folder):
    secret = folder / "password"
    secret.write_text(password + "\n")
    words = ["msmtp", "--file=/dev/null", "--host=localhost", f"--port={gate.tls_port}", "--tls=on", "--tls-starttls=off", f"--tls-trust-file={tls.ca}", f"--auth={mechanism.lower()}",
             f"--user={user}", f"--passwordeval=cat {secret}", f"--from={USER}", "--", "bob@example.net"]  # fmt: skip
    done = subprocess.run(words, input="Subject: by msmtp\n\n", capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("client,mechanism", [(swaks, "DIGEST-MD5"), (msmtp, "DIGEST-MD5"), (swaks, "NTLM"), (msmtp, "NTLM"), (msmtp, "SCRAM-SHA-1")])
def test_other_clients(gates, tls, tmp_path, client, mechanism):
    gate, user = gates.of(mechanism), SHORT if mechanism == "NTLM" else USER
    begin = len(gate.log)
    status, said = client(gate, tls, mechanism, user, PASSWORD, tmp_path)
    assert status == 0, said
    assert wait_until(lambda: f"user={user} mechanism={mechanism} " in gate.log[begin:], 5)
    status, said = client(gate, tls, mechanism, user, "wrong", tmp_path)
    assert status != 0 and "535" in said, said


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
def test_the_exporter_by_gsasl(gates, tls, mechanism):
    """The raw client binds to tls-server-end-point, GNU SASL to tls-exporter; it knows no SHA-512."""
    for password, reply in [(PASSWORD, "\n235 "), ("wrong", "\n535 ")]:
        words = ["gsasl", "--smtp", f"--connect=localhost:{gates.of(mechanism).port}", f"--mechanism={mechanism}", f"--authentication-id={USER}", f"--password={password}",
                 f"--x509-ca-file={tls.ca}", "--starttls"]  # fmt: skip
        done = subprocess.run(words, input="QUIT\r\n", capture_output=True, text=True, timeout=60)
        assert reply in done.stdout, done.stdout + done.stderr


def test_deprecated_mechanisms_are_noted_and_nothing_else(gates):
    for mechanism, expected in [("PLAIN", ["CRAM-MD5", "DIGEST-MD5", "NTLM"]), ("SCRAM-SHA-256", [])]:
        gate = gates.of(mechanism)
        noted = [line for line in gate.log.splitlines() if " warning config_note " in line]
        done = command("check", "--config", gate.config_path)
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
        for lines in (noted, done.stderr.splitlines()):
            assert len(lines) == len(expected) and all(name in line for name, line in zip(expected, lines)), lines
