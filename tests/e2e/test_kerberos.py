"""GSSAPI and GSS-SPNEGO with tickets of a real KDC: by msmtp and gsasl (GNU SASL), by curl, and by a client that does what they do not."""
import os
import pathlib
import subprocess
import sys

import pytest
from harness.client import Client, b64
from harness.gatepost import Gatepost, command
from harness.kerberos import Kdc
from harness.packages import unpack
from harness.process import wait_until

PASSWORDS = {"ann": "ann's own", "gone": "gone's own", "guest": "guest's own"}


def started(folder, tls, sink, kdc, **environment):
    users = folder / "kerberos-users"
    record = command("hash", "--scheme", "SHA512-CRYPT", input="another password\n").stdout.strip()
    users.write_text(f"ann:{record}\ngone:{record}:disabled=yes\n")
    changes = {"hostname": "localhost", "auth": {"mechanisms": ["GSSAPI", "GSS-SPNEGO", "SCRAM-SHA-256", "PLAIN"]}, "backends": {"local": {"path": str(users)}}}
    return Gatepost(folder, tls, sink.port, changes, users=PASSWORDS, environment={**kdc.service_environment, **environment})


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    server = Kdc(tmp_path_factory.mktemp("kerberos"), PASSWORDS, ["smtp/localhost"])
    yield server
    server.terminate()


@pytest.fixture(scope="module")
def gate(tmp_path_factory, tls, sink, kdc):
    server = started(tmp_path_factory.mktemp("gatepost"), tls, sink, kdc)
    yield server
    server.stop()


@pytest.fixture
def ticket(kdc):
    return lambda user: kdc.client_environment(user, PASSWORDS[user])


def run(words, environment, text):
    done = subprocess.run([str(word) for word in words], env=environment, input=text, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def msmtp(gate, tls, user, environment):
    return run(["msmtp", "--file=/dev/null", "--host=localhost", f"--port={gate.tls_port}", "--tls=on", "--tls-starttls=off", f"--tls-trust-file={tls.ca}",
                "--auth=gssapi", f"--user={user}", f"--from={user}@example.com", "--", "bob@example.net"], environment, "Subject: by a ticket\n\n")  # fmt: skip


def curl(gate, tls, user, environment):
    return run(["curl", "--silent", "--show-error", "--verbose", f"smtp://localhost:{gate.port}/client.example", "--ssl-reqd", "--cacert", tls.ca, "--user", f"{user}@GATE.EXAMPLE:",
                "--login-options", "AUTH=GSSAPI", "--mail-from", f"{user}@example.com", "--mail-rcpt", "bob@example.net", "--upload-file", "-"],
               environment, "Subject: by a ticket\r\n\r\n")  # fmt: skip


def gsasl(gate, tls, user, environment):
    return run(["gsasl", "--smtp", f"--connect=localhost:{gate.port}", "--mechanism=GSSAPI", f"--authentication-id={user}", f"--authorization-id={user}",
                f"--x509-ca-file={tls.ca}", "--starttls"], environment, "QUIT\r\n")  # fmt: skip


@pytest.mark.parametrize("client", [msmtp, curl, gsasl])
def test_a_ticket_is_enough(gate, tls, ticket, client):
    status, said = client(gate, tls, "ann", ticket("ann"))
    assert "235 " in said if client is gsasl else status == 0, said
    gate.wait_for_log("user=ann mechanism=GSSAPI ")


def test_whom_no_backend_knows_the_kdc_vouches_for(gate, tls, ticket):
    status, said = msmtp(gate, tls, "guest", ticket("guest"))
    assert status == 0, said
    gate.wait_for_log("user=guest mechanism=GSSAPI ")


def test_a_disabled_user_is_refused_whatever_his_ticket(gate, tls, ticket):
    status, said = msmtp(gate, tls, "gone", ticket("gone"))
    assert status != 0 and "535" in said, said
    gate.wait_for_log("user=gone mechanism=GSSAPI backend=local reason=disabled")


@pytest.fixture(scope="module")
def python_gssapi():
    folder, _ = unpack("python3-gssapi")
    return next(folder.glob("usr/lib/python3/dist-packages"))


@pytest.fixture
def ours(gate, ticket, python_gssapi):
    """A run of harness/gss_client.py: what it was told in the end."""

    def one(user, mechanism, *words, port=None):
        program = pathlib.Path(__file__).resolve().parent / "harness/gss_client.py"
        status, said = run([sys.executable, program, port or gate.tls_port, mechanism, *words], {**ticket(user), "PYTHONPATH": str(python_gssapi)}, "")
        assert status == 0, said
        return said

    return one


class Watch:
    """What the log says from here on."""

    def __init__(self, gate):
        self.gate, self.begin = gate, len(gate.log)

    def saw(self, event, *fields):
        def found():
            return any(f" {event} " in line and all(field in line for field in fields) for line in self.gate.log[self.begin :].splitlines())

        return wait_until(found, 5)


def test_no_layer_is_offered_and_none_is_taken(gate, ours):
    assert ours("ann", "GSSAPI") == "offer 01000000\n235 2.7.0 Authentication successful\n"
    assert "235" in ours("ann", "GSS-SPNEGO")
    gate.wait_for_log("user=ann mechanism=GSS-SPNEGO ")
    assert "\n501 5.5.2" in ours("ann", "GSSAPI", "layer=2")
    assert ours("ann", "GSS-SPNEGO", "flags=integrity").startswith("501 5.5.2"), "nobody offered it"


def test_nobody_acts_for_another(gate, ours):
    assert "235" in ours("ann", "GSSAPI", "authzid=ann")
    watch = Watch(gate)
    assert "535" in ours("ann", "GSSAPI", "authzid=guest")
    assert watch.saw("auth_failed", "reason=not_authorized")


@pytest.mark.parametrize("mechanism", ["GSSAPI", "GSS-SPNEGO"])
def test_each_end_has_its_code_and_its_event(gate, ours, mechanism):
    watch = Watch(gate)
    for text in (b64("no token"), "=", "???"):
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            assert client.command(f"AUTH {mechanism} {text}") == "501 5.5.2"
    assert watch.saw("auth_malformed", f"mechanism={mechanism} ")
    assert "535 5.7.8" in ours("ann", mechanism, "spoil=0"), "a ticket that was tampered with"
    assert watch.saw("auth_failed", f"mechanism={mechanism} ", "reason=wrong_password")
    for message in (0, 1, 2) if mechanism == "GSSAPI" else (0,):
        watch = Watch(gate)
        assert "501" in ours("ann", mechanism, f"cancel={message}")
        assert watch.saw("auth_cancelled", f"mechanism={mechanism}")
    if mechanism == "GSSAPI":
        assert "501 5.5.2" in ours("ann", mechanism, "spoil=2"), "what is said of layers is sealed"
    assert "535 5.7.8" in ours("gone", mechanism)
    assert watch.saw("auth_failed", f"user=gone mechanism={mechanism} backend=local reason=disabled")


def test_without_a_keytab_nothing_is_known(tmp_path, tls, sink, kdc, ours):
    # MIT's library itself leaks two names when it finds no key.
    no_leaks = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    gate = started(tmp_path, tls, sink, kdc, KRB5_KTNAME=f"FILE:{tmp_path}/none", ASAN_OPTIONS=no_leaks)
    try:
        assert "454 4.7.0" in ours("ann", "GSSAPI", port=gate.tls_port)
        assert wait_until(lambda: " auth_unavailable " in gate.log and "reason=engine_failed" in gate.log)
    finally:
        gate.stop()


def test_it_is_offered_whatever_records_the_users_have(gate):
    with Client(gate.tls_port, implicit_tls=True) as client:
        assert client.ehlo()["AUTH"] == "GSSAPI GSS-SPNEGO PLAIN", "records of crypt(3) do not serve SCRAM"
