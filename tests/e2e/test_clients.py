"""swaks, curl, msmtp and Python's smtplib, each over STARTTLS and implicit TLS, with PLAIN and LOGIN, through to a real Postfix, byte-exact."""
import smtplib
import subprocess
import uuid

import pytest
from harness.client import trusting_context
from harness.gatepost import USERS, Gatepost

USER = "alice@example.com"


@pytest.fixture(scope="module")
def gate(tmp_path_factory, tls, postfix):
    server = Gatepost(tmp_path_factory.mktemp("gatepost"), tls, postfix.port)
    yield server
    server.stop()


def swaks(gate, tls, implicit, mechanism, message, folder):
    (folder / "message").write_bytes(message.removesuffix(b"\r\n"))  # swaks adds a line end of its own
    command = ["swaks", "--server", "127.0.0.1", "--port", gate.tls_port if implicit else gate.port, "--tlsc" if implicit else "--tls",
               "--tls-verify", "--tls-ca-path", tls.ca, "--ehlo", "client.example", "--auth", mechanism, "--auth-user", USER, "--auth-password", USERS[USER],
               "--from", USER, "--to", "bob@example.net", "--data", f"@{folder / 'message'}"]  # fmt: skip
    run(command)


def curl(gate, tls, implicit, mechanism, message, folder):
    scheme, port = ("smtps", gate.tls_port) if implicit else ("smtp", gate.port)
    run(["curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", tls.ca, "--url", f"{scheme}://127.0.0.1:{port}/client.example", "--login-options", f"AUTH={mechanism}",
         "--user", f"{USER}:{USERS[USER]}", "--mail-from", USER, "--mail-rcpt", "bob@example.net", "--upload-file", folder / "message"])  # fmt: skip


def msmtp(gate, tls, implicit, mechanism, message, folder):
    (folder / "password").write_text(USERS[USER] + "\n")
    (folder / "message.lf").write_bytes(message.replace(b"\r\n", b"\n"))
    with open(folder / "message.lf", "rb") as text:
        run(["msmtp", "--file=/dev/null", "--host=127.0.0.1", "--domain=client.example", f"--port={gate.tls_port if implicit else gate.port}", "--tls=on", f"--tls-starttls={'off' if implicit else 'on'}",
             f"--tls-trust-file={tls.ca}", f"--auth={mechanism.lower()}", f"--user={USER}", f"--passwordeval=cat {folder / 'password'}", f"--from={USER}", "--", "bob@example.net"],
            stdin=text)  # fmt: skip


def python(gate, tls, implicit, mechanism, message, folder):
    client = smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context()) if implicit else smtplib.SMTP("127.0.0.1", gate.port)
    with client:
        client.ehlo("client.example")
        if not implicit:
            client.starttls(context=trusting_context())
            client.ehlo("client.example")
        client.user, client.password = USER, USERS[USER]
        client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"), initial_response_ok=mechanism == "PLAIN")
        assert client.sendmail(USER, ["bob@example.net"], message, mail_options=["BODY=8BITMIME"]) == {}


def run(command, stdin=subprocess.DEVNULL):
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=60, stdin=stdin)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.xdist_group("postfix")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize("client", [swaks, curl, msmtp, python])
def test_client_delivers_byte_exact(gate, postfix, tls, tmp_path, client, implicit, mechanism):
    mark = uuid.uuid4().hex.encode()
    message = (
        b"From: Alice <alice@example.com>\r\nTo: bob@example.net\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
        b"Message-ID: <" + mark + b"@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        b"A line.\r\n.\r\n..\r\n.leading dot, trailing blanks  \r\n\r\nna\xc3\xafve caf\xc3\xa9\r\n" + b"y" * 990 + b"\r\nthe end\r\n"
    )  # fmt: skip
    (tmp_path / "message").write_bytes(message)
    client(gate, tls, implicit, mechanism, message, tmp_path)
    arrived = postfix.wait_for_message(mark)
    assert arrived.endswith(message.replace(b"\r\n", b"\n"))
    head = arrived[: -len(message.replace(b"\r\n", b"\n"))]
    assert head.count(b"\nReceived: ") == 2, "Postfix's Received field, then Gatepost's, then the message"
    own = head[head.rindex(b"\nReceived: ") :]
    assert b"by gate.example" in own and b"with ESMTPSA" in own and b"client.example" in own


@pytest.mark.xdist_group("postfix")
def test_postfix_own_refusals_reach_the_client(gate, postfix):
    with smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context()) as client:
        client.login(USER, USERS[USER])
        client.mail(USER)
        code, text = client.rcpt("refused@example.net")
        assert code == 550 and text.startswith(b"5.1.1 ") and b"No such mailbox" in text
        code, text = client.rcpt("later@example.net")
        assert code == 450 and text.startswith(b"4.2.1 ") and b"Mailbox busy" in text
