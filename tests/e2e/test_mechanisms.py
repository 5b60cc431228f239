"""Mechanisms beyond PLAIN and LOGIN, each with a client of somebody else's: msmtp (by GNU SASL), swaks and Python's smtplib."""
import smtplib
import subprocess
import time

import pytest
from harness.client import Client, plain, trusting_context
from harness.gatepost import command
from harness.process import wait_until

USER, PASSWORD = "ann@example.com", "staple, battery=horse"
DEFAULTS = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"]


def record(scheme="SCRAM-SHA-256", password=PASSWORD):
    done = command("hash", "--scheme", scheme, input=password + "\n")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def make(make_gatepost, make_sink, tmp_path):
    """A Gatepost with this users file and these mechanisms."""

    def made(lines, mechanisms=None, **changes):
        users = tmp_path / "mechanism-users"
        users.write_text("".join(f"{line}\n" for line in lines))
        auth = {"mechanisms": mechanisms or DEFAULTS, **changes.pop("auth", {})}
        gate = make_gatepost(make_sink().port, {"auth": auth, "backends": {"local": {"path": str(users)}}, **changes})
        gate.mechanism_users = users
        gate.secrets.add(PASSWORD)
        return gate

    return made


def msmtp(gate, tls, mechanism, password=PASSWORD, implicit=True, user=USER, more=()):
    secret = gate.folder / "password"
    secret.write_text(password + "\n")
    words = ["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={gate.tls_port if implicit else gate.port}", "--tls=on", f"--tls-starttls={'off' if implicit else 'on'}",
             f"--tls-trust-file={tls.ca}", f"--auth={mechanism}", f"--user={user}", f"--passwordeval=cat {secret}", f"--from={user}", *more, "--", "bob@example.net"]  # fmt: skip
    return subprocess.run(words, input=b"Subject: by " + mechanism.encode() + b"\n\n", capture_output=True, timeout=60)


def offered(gate, context=None):
    with Client(gate.tls_port, implicit_tls=True, **({"context": context} if context else {})) as client:
        return client.ehlo().get("AUTH", "").split()


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_scram_by_msmtp(make, tls, implicit):
    gate = make([f"{USER}:{record()}"])
    assert offered(gate) == DEFAULTS
    good = msmtp(gate, tls, "scram-sha-256", implicit=implicit)
    assert good.returncode == 0, good.stderr.decode()
    gate.wait_for_log("mechanism=SCRAM-SHA-256 ")
    assert b"535" in msmtp(gate, tls, "scram-sha-256", "wrong", implicit).stderr
    assert b"535" in msmtp(gate, tls, "scram-sha-256", user="nobody@example.com", implicit=implicit).stderr


def gsasl(gate, tls, mechanism, password=PASSWORD):
    words = ["gsasl", "--smtp", f"--connect=localhost:{gate.port}", f"--mechanism={mechanism}", f"--authentication-id={USER}", f"--password={password}",
             f"--x509-ca-file={tls.ca}", "--starttls"]  # fmt: skip
    done = subprocess.run(words, input="QUIT\r\n", capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_scram_bound_to_the_channel_by_gsasl(make, tls):
    gate = make([f"{USER}:{record()}"])
    done = gsasl(gate, tls, "SCRAM-SHA-256-PLUS")
    assert "\n235 " in done, done
    gate.wait_for_log("mechanism=SCRAM-SHA-256-PLUS ")
    assert "\n535 " in gsasl(gate, tls, "SCRAM-SHA-256-PLUS", "wrong")


@pytest.mark.parametrize("hash_name", ["SHA-1", "SHA-512"])
def test_other_scrams_when_configured(make, tls, hash_name):
    gate = make([f"{USER}:{record(f'SCRAM-{hash_name}')}"], [f"SCRAM-{hash_name}", "PLAIN"])
    assert offered(gate) == [f"SCRAM-{hash_name}", "PLAIN"]
    if hash_name == "SHA-1":  # GNU SASL knows no SHA-512
        assert msmtp(gate, tls, "scram-sha-1").returncode == 0
    assert msmtp(gate, tls, "plain").returncode == 0


def test_only_what_every_enabled_record_can_serve_is_offered(make):
    gate = make([f"{USER}:{record()}", f"bob:{record('SHA512-CRYPT')}", "old:{PLAIN}secret:disabled=yes"], [*DEFAULTS, "CRAM-MD5"])
    assert offered(gate) == ["PLAIN", "LOGIN"]
    gate.mechanism_users.write_text(f"{USER}:{record()}\nold:{{PLAIN}}secret:disabled=yes\n")
    assert wait_until(lambda: offered(gate) == DEFAULTS), "a changed file changes the offer"
    gate.mechanism_users.write_text("bob:{PLAIN}secret\n")
    assert wait_until(lambda: offered(gate) == [*DEFAULTS, "CRAM-MD5"]), "a password serves them all"


def test_a1_cram_md5_by_swaks_msmtp_and_smtplib(make, tls):
    gate = make([f"{USER}:{{PLAIN}}{PASSWORD}"], ["CRAM-MD5", "PLAIN"])
    done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(gate.port), "--tls", "--auth", "CRAM-MD5", "--auth-user", USER, "--auth-password", PASSWORD,
                           "--from", USER, "--to", "bob@example.net"], capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert msmtp(gate, tls, "cram-md5").returncode == 0
    with smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context()) as client:
        client.login(USER, PASSWORD)
    with smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context()) as client, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        client.ehlo()
        client.user, client.password = USER, "wrong"
        client.auth("CRAM-MD5", client.auth_cram_md5)
    assert refused.value.smtp_code == 535
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        assert client.command("AUTH CRAM-MD5 AAAA") == 501, "it has no initial response"


def certificate_context(pair):
    context = trusting_context()
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_external_by_msmtp_and_who_may_use_it(make, tls):
    known = tls.issue("client-known", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], f"email:{USER}")
    stranger = tls.issue("client-stranger", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "email:stranger@example.com")
    nameless = tls.issue("client-nameless", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "DNS:client.example")
    gate = make([f"{USER}:{record()}"], ["EXTERNAL", "PLAIN"], tls={"client_ca": str(tls.ca)})
    assert offered(gate) == ["PLAIN"], "no certificate, no EXTERNAL"
    assert offered(gate, certificate_context(nameless)) == ["PLAIN"]
    assert offered(gate, certificate_context(known)) == ["EXTERNAL", "PLAIN"]
    done = msmtp(gate, tls, "external", more=[f"--tls-cert-file={known.certificate}", f"--tls-key-file={known.key}"])
    assert done.returncode == 0, done.stderr.decode()
    for pair, line, reply in [(known, "=", 235), (stranger, "=", 535), (known, "Ym9zc0BleGFtcGxlLmNvbQ==", 535), (nameless, "=", 504)]:
        with Client(gate.tls_port, implicit_tls=True, context=certificate_context(pair)) as client:
            client.ehlo()
            assert client.command(f"AUTH EXTERNAL {line}") == reply, (pair.certificate, line)


def test_a_disabled_user_is_told_so_only_if_the_operator_wants_it(make):
    lines = [f"{USER}:{record()}:disabled=yes", f"bob:{record()}"]
    for reply, changes in [("535 5.7.8", {}), ("525 5.7.13", {"auth": {"disabled_reply": 525}})]:
        gate = make(lines, **changes)
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == reply
            assert client.command(f"AUTH PLAIN {plain(USER, 'wrong')}") == "535 5.7.8", "only who knows the password learns it"
        gate.stop()


def test_a_changed_password_takes_effect_at_once_whatever_is_remembered(make):
    gate = make([f"{USER}:{record()}"])

    def reply(password):
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            return client.command(f"AUTH PLAIN {plain(USER, password)}").code

    assert reply(PASSWORD) == 235 and reply(PASSWORD) == 235
    gate.mechanism_users.write_text(f"{USER}:{record(password='another')}\n")
    assert wait_until(lambda: reply("another") == 235)
    assert reply(PASSWORD) == 535


def test_failures_cannot_be_told_apart_by_their_time(make):
    """By flow and by reply they are the same; the failure delay makes them so by time (the statistics come with the whole of it)."""
    gate = make([f"{USER}:{record()}", f"gone:{record()}:disabled=yes"], auth={"failure_delay": "200ms"})
    for user in (USER, "gone", "nobody"):
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            start = time.monotonic()
            assert client.command(f"AUTH PLAIN {plain(user, 'wrong')}") == "535 5.7.8"
            assert 0.19 < time.monotonic() - start < 2
