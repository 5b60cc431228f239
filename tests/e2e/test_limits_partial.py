"""A transaction that is too large, has too many recipients or is over a limit never leaves a part of itself upstream, and harms no other."""
import smtplib
import subprocess

import pytest
from harness.client import trusting_context
from harness.gatepost import USERS
from harness.ledger import HOW, Ledger, Sender
from harness.limits import ALICE, BOB, limited, rule, visit

MOST = 64 * 1024  # octets of a message
SMALL, LARGE, HUGE = 2_000, 50_000, 400_000
BOB_AT = "bob@example.net"


def text(size):
    return b".a line with a dot, and more of it until there are sixty-four \r\n" * (size // 64)


class Case:
    """A way to be too much: what is sent, what is heard, and which recipients get it all the same (None: nobody does)."""

    def __init__(self, reply, said="", rules=(), size=SMALL, recipients=(BOB_AT,), taken=None, declares=False):
        self.reply, self.said, self.rules, self.size, self.recipients, self.taken = reply, said, rules, size, recipients, taken
        self.declares = declares


THREE = ("a@example.net", "b@example.net", "c@example.net")
CASES = {
    "size-declared": Case("552 5.3.4", size=HUGE, declares=True),
    "size-streamed": Case("552 5.3.4", size=HUGE),
    "size-by-a-little": Case("552 5.3.4", size=MOST + 640),
    "bytes-never-declared": Case("552 5.3.4", "never allows", [rule("bytes", rate="40000/1h")], LARGE, declares=True),
    "bytes-never-streamed": Case("552 5.3.4", "never allows", [rule("bytes", rate="40000/1h")], LARGE),
    "bytes-later-declared": Case("451 4.7.1", "try again", [rule("bytes", rate="51000/1h")], LARGE, declares=True),
    "bytes-later-streamed": Case("451 4.7.1", "try again", [rule("bytes", rate="51000/1h")], LARGE),
    "bytes-rejected": Case("550 5.7.1", "try again", [rule("bytes", rate="51000/1h", action="reject")], LARGE),
    "bytes-of-a-domain": Case("451 4.7.1", "try again", [rule("bytes", "recipient_domain", rate="51000/1h")], LARGE),
    "messages": Case("451 4.7.1", "try again", [rule(rate="1/1h")]),
    "messages-of-a-domain": Case("451 4.7.1", "try again", [rule(per="recipient_domain", rate="1/1h")]),
    "all-recipients": Case("451 4.7.1", "try again", [rule("recipients", rate="1/1h")]),
    "some-recipients": Case(250, "", [rule("recipients", rate="3/1h")], recipients=THREE, taken=THREE[:2]),
    "max-recipients": Case(250, "", recipients=(*THREE, "d@example.net"), taken=THREE),
}  # fmt: skip


def begin(gate, ledger, user=ALICE):
    return Sender(ledger, visit(gate, user))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("how", HOW)
def test_too_much_leaves_nothing_behind(make_gatepost, upstream, case, how):
    case, ledger = CASES[case], Ledger()
    gate = limited(make_gatepost, upstream.port, *(one | {"when": {"user": ALICE}} for one in case.rules), changes={"session": {"max_message_size": MOST, "max_recipients": 3}, "workers": 1})
    sender, other = begin(gate, ledger), begin(gate, ledger, BOB)
    assert sender.send(how, message=ledger.message(text(SMALL))) == 250
    number, octets = message = ledger.message(text(case.size))
    parameters = f" SIZE={len(octets)}" if case.declares else ""
    taken = {"taken": case.taken} if case.taken else {}
    for _ in range(2 if case.taken is None else 1):
        reply = sender.send(how, recipients=case.recipients, message=message, parameters=parameters, **taken)
        assert reply == case.reply and case.said in repr(reply), reply
        assert other.send(how, sender=BOB, recipients=["x@example.org"]) == 250, "on the connection that it left behind, or another"
    assert sender.client.command("NOOP") == 250
    complete = [seen.id for seen in upstream.complete]
    assert complete.count(number) == (1 if case.taken else 0)
    ledger.assert_agrees(upstream)
    ledger.assert_unmixed(upstream)
    assert b"" not in [seen.data for seen in upstream.complete]


@pytest.mark.parametrize("how", HOW)
def test_who_sent_too_much_goes_on_in_the_same_session(make_gatepost, upstream, how):
    ledger = Ledger()
    gate = limited(make_gatepost, upstream.port, rule("bytes", rate="60000/1h"), changes={"session": {"max_message_size": MOST, "max_recipients": 3}})
    sender = begin(gate, ledger)
    for _ in range(3):
        assert sender.send(how, message=ledger.message(text(HUGE))) == "552 5.3.4"
        assert sender.send(how, message=ledger.message(text(SMALL))) == 250
        assert sender.send(how, message=ledger.message(text(60_000))).code in (451, 552)
        assert sender.send(how, recipients=(*THREE, "d@example.net"), taken=THREE) == 250
    assert len(upstream.accepted) == 6
    ledger.assert_agrees(upstream)
    ledger.assert_unmixed(upstream)


def test_pooled_connections_are_clean_after_refusals_by_their_users(make_gatepost, upstream):
    """MAIL is refused by a rule before, and RCPT after, the upstream knows of the transaction."""
    ledger = Ledger()
    rules = [rule("recipients", "recipient_domain", name="domain", rate="1/1h")]
    pool = {"name": "default", "servers": [f"127.0.0.1:{upstream.port}"], "pool": {"max_connections": 1, "max_idle": 1}}
    gate = limited(make_gatepost, upstream.port, *rules, changes={"workers": 1, "upstreams": [pool]})
    sender, other = begin(gate, ledger), begin(gate, ledger, BOB)
    assert sender.send() == 250
    for turn in range(5):
        assert sender.send() == "451 4.7.1"
        assert other.send(sender=BOB, recipients=[f"x@other-{turn}.example"]) == 250
    ledger.assert_agrees(upstream)
    ledger.assert_unmixed(upstream)
    assert len(upstream.connections) <= 2, upstream.dialogue()  # the first of them may have been the probe's


# ---- real clients


def gate_with(make_gatepost, sink, *rules):
    return limited(make_gatepost, sink.port, *rules, changes={"session": {"max_message_size": MOST, "max_recipients": 3}})


def smtplib_client(gate):
    client = smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context())
    client.login(ALICE, USERS[ALICE])
    return client


def test_smtplib(make_gatepost, make_sink):
    sink = make_sink()
    gate = gate_with(make_gatepost, sink, rule(rate="3/1h"))
    with smtplib_client(gate) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(ALICE, [BOB_AT], b"Subject: huge\r\n\r\n" + text(HUGE))
        assert refused.value.smtp_code == 552 and refused.value.smtp_error.startswith(b"5.3.4")
        client.esmtp_features.pop("size")  # so that it does not tell
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail(ALICE, [BOB_AT], b"Subject: huge\r\n\r\n" + text(HUGE))
        assert refused.value.smtp_code == 552
        assert client.sendmail(ALICE, [BOB_AT], b"Subject: first\r\n\r\n") == {}
        left = client.sendmail(ALICE, [*THREE, "d@example.net"], b"Subject: second\r\n\r\n")
        assert left == {"d@example.net": (452, left["d@example.net"][1])} and left["d@example.net"][1].startswith(b"4.5.3")
        assert client.sendmail(ALICE, [BOB_AT], b"Subject: third\r\n\r\n") == {}
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(ALICE, [BOB_AT], b"Subject: fourth\r\n\r\n")
        assert refused.value.smtp_code == 451 and refused.value.smtp_error.startswith(b'4.7.1 Rate limit "tested": try again in ')
    assert [message.split(b"Subject: ")[1][:5] for message in sink.wait_for(3)] == [b"first", b"secon", b"third"]
    assert [len(envelope["rcpt"]) for envelope in sink.envelopes()] == [1, 3, 1]


def curl(gate, tls, folder, size, *recipients):
    (folder / "message").write_bytes(b"Subject: by curl\r\n\r\n" + text(size))
    words = ["curl", "--silent", "--show-error", "--verbose", "--ssl-reqd", "--cacert", tls.ca, "--url", f"smtps://127.0.0.1:{gate.tls_port}/client.example",
             "--user", f"{ALICE}:{USERS[ALICE]}", "--mail-from", ALICE, *(word for to in recipients for word in ("--mail-rcpt", to)), "--upload-file", folder / "message"]  # fmt: skip
    return subprocess.run([str(word) for word in words], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def test_curl(make_gatepost, make_sink, tls, tmp_path):
    sink = make_sink()
    gate = gate_with(make_gatepost, sink, rule("recipients", rate="2/1h"))
    done = curl(gate, tls, tmp_path, HUGE, BOB_AT)
    assert done.returncode and b"< 552 5.3.4" in done.stderr
    assert curl(gate, tls, tmp_path, SMALL, BOB_AT).returncode == 0
    done = curl(gate, tls, tmp_path, SMALL, *THREE[:2])
    assert done.returncode and b'< 451 4.7.1 Rate limit "tested": try again in ' in done.stderr, "it gives the message up"
    assert curl(gate, tls, tmp_path, SMALL, BOB_AT).returncode == 0, "what it gave up is not counted"
    sink.wait_for(2)


def swaks(gate, tls, folder, size, to=BOB_AT):
    (folder / "message").write_bytes(b"Subject: by swaks\r\n\r\n" + text(size))
    words = ["swaks", "--server", "127.0.0.1", "--port", gate.tls_port, "--tlsc", "--tls-verify", "--tls-ca-path", tls.ca, "--auth", "PLAIN", "--auth-user", ALICE,
             "--auth-password", USERS[ALICE], "--from", ALICE, "--to", to, "--data", f"@{folder / 'message'}", "--pipeline"]  # fmt: skip
    return subprocess.run([str(word) for word in words], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def test_swaks_that_pipelines(make_gatepost, make_sink, tls, tmp_path):
    sink = make_sink()
    gate = gate_with(make_gatepost, sink, rule("bytes", rate="60000/1h"))
    done = swaks(gate, tls, tmp_path, HUGE)
    assert done.returncode and b"552 5.3.4" in done.stdout
    assert swaks(gate, tls, tmp_path, LARGE).returncode == 0
    done = swaks(gate, tls, tmp_path, LARGE)
    assert done.returncode and b'451 4.7.1 Rate limit "tested": try again in ' in done.stdout
    assert swaks(gate, tls, tmp_path, SMALL, ",".join([*THREE, "d@example.net"])).returncode in (0, 24)
    assert [len(envelope["rcpt"]) for envelope in sink.envelopes()] == [1, 3]
    assert len(sink.wait_for(2)) == 2
