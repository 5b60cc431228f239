"""Who may say what in MAIL FROM and RCPT TO (`policy:`), with real clients, and listeners that would relay for anybody."""
import json
import re
import smtplib
import subprocess

import pytest
from harness.client import Client, trusting_context
from harness.gatepost import USERS, command, program
from harness.limits import ALICE, BOB, MESSAGE, TRUSTED, limited, one, send, visit
from harness.process import Program, answers, free_port, wait_until
from harness.redis import Redis
from harness.sink import without_received

ANN, PASSWORD = "ann@example.com", "staple, battery=horse"
NOT_HIS = "553 5.7.1"


def policy(make, upstream, session=None, attributes=None, **keys):
    return limited(make, upstream, changes={"policy": keys, **({"session": session} if session else {})}, attributes=attributes)


def logged_in(gate, user=ALICE, password=None):
    client = smtplib.SMTP_SSL("127.0.0.1", gate.tls_port, context=trusting_context())
    client.login(user, password or gate.users[user])
    return client


def swaks(gate, tls, *words, user=ALICE):
    words = ["swaks", "--server", "127.0.0.1", "--port", gate.tls_port, "--tlsc", "--tls-verify", "--tls-ca-path", tls.ca, "--auth", "PLAIN", "--auth-user", user,
             "--auth-password", gate.users[user], "--body", "hello", *words]  # fmt: skip
    return subprocess.run([str(word) for word in words], capture_output=True, timeout=60, stdin=subprocess.DEVNULL, text=True)


# ---- senders: own

PATTERNS = "info@example.org,*@sub.example.org,*@*.wide.example,sales-*@example.org"
OWN = {
    ALICE: (
        ["alice@example.com", "alice@EXAMPLE.Com", "alice+tag@example.com", "alice+a+b@example.com", '"alice"@example.com', "info@example.org", "INFO@sub.example.org",
         "x@SUB.Example.ORG", "x@a.wide.example", "x@a.b.wide.example", "sales-north@example.org", "<>"],
        ["Alice@example.com", "bob@example.com", "alice@example.org", "alice@sub.example.com", "alicex@example.com", "alice-tag@example.com", "+tag@example.com",
         "Info@example.org", "info+tag@example.net", "x@example.org", "x@wide.example", "sales@example.org", "alice@example.com.evil.example", '"alice@example.com"@evil.example', '"info@example.org "@example.org',
         "postmaster"],
    ),
    BOB: (["bob@example.com", "bob+x@example.com"], ["info@example.org", "alice@example.com", "x@sub.example.org"]),
    "carol": (["carol", "carol@example.net"], ["carol@example.com", "alice@example.com"]),
}  # fmt: skip
ATTRIBUTES = {ALICE: {"senders": PATTERNS}, "carol": {"senders": "carol@example.net"}}


@pytest.fixture
def own(make_gatepost, sink):
    return policy(make_gatepost, sink.port, senders="own", attributes=ATTRIBUTES)


def verdicts(gate, user, senders):
    with visit(gate, user) as client:
        replies = {}
        for sender in senders:
            replies[sender] = repr(client.command(f"MAIL FROM:<{sender.strip('<>')}>"))[:9]
            assert client.command("RSET") == 250
        return replies


@pytest.mark.parametrize("user", OWN)
def test_a_user_may_be_himself_and_what_his_record_says(own, user):
    his, others = OWN[user]
    assert verdicts(own, user, his) == {sender: "250 2.1.0" for sender in his}
    assert verdicts(own, user, others) == {sender: NOT_HIS for sender in others}
    assert own.metric("gatepost_policy_decisions_total") == len(others)


def test_smtplib_and_swaks_hear_553(own, tls, sink):
    before = len(sink.messages())
    with logged_in(own) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(BOB, ["x@example.net"], MESSAGE)
        assert refused.value.smtp_code == 553 and refused.value.smtp_error.startswith(b"5.7.1 ")
        assert client.sendmail("alice+news@example.com", ["x@example.net"], MESSAGE) == {}, "the session goes on"
    done = swaks(own, tls, "--from", "stranger@example.org", "--to", "x@example.net")
    assert done.returncode and re.search(r"<[~*]\*? 553 5\.7\.1 ", done.stdout), done.stdout
    assert swaks(own, tls, "--from", "info@example.org", "--to", "x@example.net").returncode == 0
    assert len(sink.wait_for(before + 2)) == before + 2
    assert wait_until(lambda: "stranger@example.org" in own.log), "whom it was"


def test_refused_senders_are_no_bad_commands_and_may_be_pipelined(own, sink):
    before = len(sink.messages())
    with visit(own, ALICE) as client:
        for _ in range(4):  # the 503s do count
            client.send(f"MAIL FROM:<{BOB}>\r\nRCPT TO:<x@example.net>\r\nDATA\r\n")
            assert client.reply() == NOT_HIS
            assert client.reply() == 503 and client.reply() == 503
        assert [client.command(f"MAIL FROM:<{BOB}>") for _ in range(15)] == [NOT_HIS] * 15
        assert send(client) == 250
    assert len(sink.wait_for(before + 1)) == before + 1


def test_utf8(make_gatepost, sink):
    users = {"jürgen@bücher.example": "geheim-9981", ALICE: USERS[ALICE]}
    gate = limited(make_gatepost, sink.port, changes={"policy": {"senders": "own"}}, users=users, attributes={ALICE: {"senders": "*@bücher.example,grün@example.org"}})
    expected = {
        "jürgen@bücher.example": (["jürgen@bücher.example", "jürgen@BÜCHER.example", "jürgen@xn--bcher-kva.example", "jürgen+x@bücher.example"], ["jurgen@bücher.example", "jürgen@bucher.example", ALICE]),
        ALICE: (["x@bücher.example", "x@xn--bcher-kva.example", "x@XN--BCHER-KVA.example", "grün@example.org"], ["grun@example.org", "x@bücher.example.org"]),
    }  # fmt: skip
    for user, (his, others) in expected.items():
        with visit(gate, user) as client:
            for sender in (*his, *others):
                reply = client.command(f"MAIL FROM:<{sender}> SMTPUTF8")
                assert (reply == 250) if sender in his else (reply == NOT_HIS), (user, sender, reply)
                assert client.command("RSET") == 250


def test_patterns_of_a_record_in_redis_hold_at_once(make_gatepost, make_sink, tmp_path):
    redis = Redis(tmp_path)
    try:
        redis.set_user(ANN, record="{PLAIN}" + PASSWORD, senders="*@example.org info@example.net", limit_class="bulk")
        changes = {"policy": {"senders": "own"}, "backends": {"users": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}"}}, "auth": {"backends": ["users"]},
                   "limits": [{"name": "mails", "count": "messages", "per": "user", "rate": "100/1h", "action": "defer", "classes": {"bulk": "3/1h"}}]}  # fmt: skip
        gate = limited(make_gatepost, make_sink().port, changes=changes | {"limits": []})
        gate.users[ANN] = PASSWORD
        assert wait_until(lambda: " backend_up " in gate.log)
        assert verdicts(gate, ANN, [ANN, "x@example.org", "info@example.net", "y@example.net"]) == {ANN: "250 2.1.0", "x@example.org": "250 2.1.0", "info@example.net": "250 2.1.0", "y@example.net": NOT_HIS}
        redis.set_user(ANN, senders="y@example.net")
        assert verdicts(gate, ANN, ["x@example.org", "y@example.net"]) == {"x@example.org": NOT_HIS, "y@example.net": "250 2.1.0"}
        classy = limited(make_gatepost, make_sink().port, *changes["limits"], changes={key: value for key, value in changes.items() if key != "limits"})
        classy.users[ANN] = PASSWORD
        assert wait_until(lambda: " backend_up " in classy.log)
        assert [one(classy, ANN, sender=ANN).code for _ in range(4)] == [250, 250, 250, 451]
    finally:
        redis.stop()


def test_trusted_networks_have_no_own_senders(own, sink):
    assert one(own, None, TRUSTED, sender="printer@example.org") == 250
    assert one(own, ALICE, TRUSTED, sender="printer@example.org") == NOT_HIS, "who logs in is bound"


# ---- the null sender, recipients, numbers and sizes


@pytest.mark.parametrize("senders", ["any", "own"])
@pytest.mark.parametrize("allowed", [True, False])
def test_null_sender(make_gatepost, sink, senders, allowed):
    gate = policy(make_gatepost, sink.port, senders=senders, null_sender=allowed)
    assert one(gate, sender="") == (250 if allowed else NOT_HIS)
    assert one(gate, None, TRUSTED, sender="") == (250 if allowed else NOT_HIS)
    assert one(gate) == 250


@pytest.mark.parametrize("keys, fine, refused", [
    ({"recipients_allow": ["*@example.net", "boss@example.org"]}, ["a@example.net", "a@EXAMPLE.net", "boss@example.org"], ["a@example.org", "Boss@example.org", "a@x.example.net"]),
    ({"recipients_deny": ["*@example.org", "all@example.net"]}, ["a@example.net", "a@x.example.org"], ["a@example.org", "a@Example.ORG", "all@example.net", '"all"@example.net']),
    ({"recipients_allow": ["*@example.net"], "recipients_deny": ["all@example.net", "*@secret.*"]}, ["a@example.net"], ["all@example.net", "a@secret.example", "a@example.com"]),
], ids=["allow", "deny", "both"])  # fmt: skip
def test_recipients(make_gatepost, make_sink, tls, keys, fine, refused):
    sink = make_sink()
    gate = policy(make_gatepost, sink.port, **keys)
    with visit(gate, ALICE) as client:
        assert client.command("MAIL FROM:<a@example.com>") == 250
        for recipient in (*fine, *refused):
            assert client.command(f"RCPT TO:<{recipient}>") == (250 if recipient in fine else "550 5.7.1"), recipient
        assert client.data(MESSAGE) == 250
    assert one(gate, None, TRUSTED, recipients=refused[:1]) == "550 5.7.1", "whoever asks"
    with logged_in(gate) as client:
        left = client.sendmail(ALICE, [fine[0], refused[0]], MESSAGE)
    assert list(left) == refused[:1] and left[refused[0]][0] == 550
    assert "550 5.7.1" in swaks(gate, tls, "--from", ALICE, "--to", refused[0]).stdout
    assert [len(envelope["rcpt"]) for envelope in sink.envelopes()] == [len(fine), 1]
    assert gate.metric("gatepost_policy_decisions_total") == len(refused) + 3


def test_too_many_recipients_are_452_and_the_rest_is_delivered(make_gatepost, make_sink, tls):
    sink = make_sink()
    gate = policy(make_gatepost, sink.port, session={"max_recipients": 5})
    everybody = [f"r{number}@example.net" for number in range(9)]
    with logged_in(gate) as client:
        left = client.sendmail(ALICE, everybody, MESSAGE)
    assert sorted(left) == everybody[5:] and all(code == 452 and text.startswith(b"4.5.3") for code, text in left.values())
    assert "452 4.5.3" in swaks(gate, tls, "--from", ALICE, "--to", ",".join(everybody)).stdout
    assert all(len(envelope["rcpt"]) == 5 for envelope in sink.envelopes()) and sink.envelopes()


def test_too_large_is_552(make_gatepost, make_sink, tls):
    sink = make_sink()
    gate = policy(make_gatepost, sink.port, session={"max_message_size": "10KB"})
    with logged_in(gate) as client:
        assert client.esmtp_features["size"] == "10000"
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(ALICE, ["x@example.net"], MESSAGE + b"y" * 11000)
        assert refused.value.smtp_code == 552 and refused.value.smtp_error.startswith(b"5.3.4")
        assert client.sendmail(ALICE, ["x@example.net"], MESSAGE) == {}
    sink.wait_for(1)


@pytest.mark.parametrize("named", [True, False])
def test_the_user_in_received(make_gatepost, make_sink, named):
    sink = make_sink()
    gate = policy(make_gatepost, sink.port, user_in_received=named)
    with logged_in(gate) as client:
        client.sendmail("other@example.org", ["x@example.net"], MESSAGE)
    assert one(gate, None, TRUSTED, sender="other@example.org") == 250
    by_user, by_nobody = (without_received(message)[0] for message in sink.wait_for(2))
    assert (ALICE.encode() in by_user) == named and b"ESMTPSA" in by_user
    assert ALICE.encode() not in by_nobody


# ---- open relays


def written(tmp_path, tls, listener):
    port = free_port()
    (tmp_path / "users").write_text("carol:{PLAIN}x\n")
    lines = ["hostname: gate.example", "listeners:", f'  - {{name: a, address: "127.0.0.1:{port}", tls: none,', *(f"     {key}: {json.dumps(value)}," for key, value in listener.items()), "    }",
             "auth: {backends: [local]}", f'backends: {{local: {{type: file, path: "{tmp_path}/users"}}}}', f'upstreams: [{{name: default, servers: ["127.0.0.1:{free_port()}"]}}]', 'admin: {address: ""}', "drain: {delay: 0s, timeout: 1s}", ""]  # fmt: skip
    path = tmp_path / "gatepost.yaml"
    path.write_text("\n".join(lines))
    return path, port


OPEN = [({"require_auth": False}, 4), ({"require_auth": True, "trusted_networks": ["0.0.0.0/0"]}, 5), ({"require_auth": False, "trusted_networks": ["10.0.0.0/8", "::/0"]}, 5)]


@pytest.mark.parametrize("words", ["serve", "check"])
@pytest.mark.parametrize("listener, line", OPEN, ids=str)
def test_a_relay_for_anybody_is_refused_at_start(tmp_path, tls, listener, line, words):
    path, _ = written(tmp_path, tls, listener)
    done = command(words, "--config", path)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and re.search(rf"^\S*{re.escape(str(path))}:{line}:\d+: .*relay", said, re.M), said
    path, _ = written(tmp_path, tls, listener | {"relay_for_anybody": False})
    assert command(words, "--config", path).returncode == 1


@pytest.mark.parametrize("listener", [listener for listener, _ in OPEN], ids=str)
def test_unless_it_says_so(tmp_path, tls, listener):
    path, port = written(tmp_path, tls, listener | {"relay_for_anybody": True})
    assert command("check", "--config", path).returncode == 0
    gate = Program(tmp_path, "gatepost", [program(), "serve", "--config", path])
    try:
        assert wait_until(lambda: answers(port), 20), gate.log
        with Client(port) as client:
            client.ehlo()
            assert client.command("MAIL FROM:<a@example.com>") != 530
    finally:
        assert gate.terminate() == 0
