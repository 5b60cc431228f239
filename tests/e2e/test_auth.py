"""The AUTH exchange on the wire (A1-A9): every client form, and what each failure is called."""
import time

import pytest
from harness.client import Client, b64, plain
from harness.gatepost import USERS
from harness.process import wait_until

USER = "alice@example.com"
PASSWORD = USERS[USER]
CHANGES = {"auth": {"failure_delay": "100ms"}}


@pytest.fixture
def client(gatepost):
    with Client(gatepost.tls_port, implicit_tls=True) as client:
        client.ehlo()
        yield client


def test_offered_in_the_operators_order_and_only_under_tls(gatepost):
    with Client(gatepost.port) as client:
        offered = client.ehlo()
        assert "STARTTLS" in offered and "AUTH" not in offered
        assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == "530 5.7.0"
        assert client.command("MAIL FROM:<a@example.com>") == "530 5.7.0"
        offered = client.starttls()
        assert offered["AUTH"] == "PLAIN LOGIN" and "STARTTLS" not in offered


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("form", ["plain", "plain-authzid", "plain-asked", "login", "login-initial"])
def test_every_client_form(client, user, form):
    password = USERS[user]
    if form == "plain":
        assert client.command(f"auth plain {plain(user, password)}") == "235 2.7.0"
    elif form == "plain-authzid":
        assert client.command(f"AUTH PLAIN {plain(user, password, user)}") == "235 2.7.0"
    elif form == "plain-asked":
        assert client.command("AUTH PLAIN").lines == ["334 "]
        assert client.command(plain(user, password)) == "235 2.7.0"
    elif form == "login":
        assert client.command("AUTH LOGIN").lines == ["334 VXNlcm5hbWU6"]
        assert client.command(b64(user)).lines == ["334 UGFzc3dvcmQ6"]
        assert client.command(b64(password)) == "235 2.7.0"
    else:
        assert client.command(f"Auth Login {b64(user)}").lines == ["334 UGFzc3dvcmQ6"]
        assert client.command(b64(password)) == "235 2.7.0"
    assert client.command(f"AUTH PLAIN {plain(user, password)}") == 503
    assert client.mail(b"Subject: mine\r\n\r\n", sender="x@example.com") == 250


def test_each_failure_has_its_own_reply_and_none_closes_at_once(client):
    assert client.command("AUTH FOOBAR") == "504 5.5.4"
    assert client.command("AUTH") == 501
    assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)} more") == 501
    assert client.command("AUTH PLAIN !!!!") == "501 5.5.2"
    assert client.command("AUTH LOGIN").code == 334
    assert client.command("*") == "501 5.0.0"
    assert client.command("AUTH LOGIN").code == 334
    assert client.command("not base64!") == "501 5.5.2"
    assert client.command("AUTH PLAIN =") == "501 5.5.2"
    assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD + 'x')}") == "535 5.7.8"
    assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == 235


def test_over_long_lines_have_different_names(client):
    assert client.command("AUTH PLAIN " + "A" * 13000) == "500 5.5.6"
    assert client.command("NOOP " + "A" * 13000) == "500 5.5.2"
    assert client.command("AUTH LOGIN").code == 334
    assert client.command("A" * 13000) == "500 5.5.6"
    assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == 235


def test_unknown_user_and_wrong_password_are_told_apart_by_nothing(gatepost):
    replies, times = set(), []
    for user, password in ((USER, "wrong"), ("nobody@example.com", "wrong"), ("nobody@example.com", PASSWORD)):
        with Client(gatepost.tls_port, implicit_tls=True) as client:
            client.ehlo()
            assert client.command("AUTH LOGIN").code == 334
            assert client.command(b64(user)).code == 334
            start = time.monotonic()
            replies.add(tuple(client.command(b64(password)).lines))
            times.append(time.monotonic() - start)
    assert replies == {("535 5.7.8 Authentication credentials invalid",)}
    assert min(times) >= 0.09, f"answered before failure_delay: {times}"
    assert max(times) - min(times) < 0.05, times


def test_other_authzid_is_refused(client):
    assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD, 'carol')}") == 535


@pytest.mark.parametrize("user, password", [("alice@example.com\0x", "p"), (" alice@example.com", PASSWORD), (USER, "a\rb"), (USER, ""), ("u" * 256, "p"), (USER, "p" * 1025)])
def test_what_nobody_can_be_named_is_refused_and_not_truncated(client, user, password):
    assert client.command("AUTH LOGIN").code == 334
    reply = client.command(b64(user))
    if reply.code == 334:
        reply = client.command(b64(password))
    assert reply.code in (501, 535)
    assert client.command("MAIL FROM:<a@example.com>") == "530 5.7.0"


def test_fourth_attempt_after_three_failures_is_421(gatepost):
    with Client(gatepost.tls_port, implicit_tls=True) as client:
        client.ehlo()
        for _ in range(3):
            assert client.command(f"AUTH PLAIN {plain(USER, 'wrong')}") == 535
        assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == "421 4.7.0"
        assert client.at_end()


def test_auth_inside_a_transaction_is_503(client):
    client.login(USER, PASSWORD)
    assert client.command("MAIL FROM:<a@example.com>") == 250
    assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == 503


def test_mail_before_auth_is_530(client):
    assert client.command("MAIL FROM:<a@example.com>") == "530 5.7.0"


def test_plaintext_without_tls_is_538(make_gatepost, sink):
    gate = make_gatepost(sink.port)
    with Client(gate.plain_port) as client:
        assert "AUTH" not in client.ehlo()
        assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == "538 5.7.11"


def test_plaintext_without_tls_where_the_operator_allows_it(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"auth": {"plaintext_without_tls": True, "legacy_auth_line": True}})
    with Client(gate.plain_port) as client:
        reply = client.command("EHLO client.example")
        assert "AUTH PLAIN LOGIN" in reply.texts and "AUTH=PLAIN LOGIN" in reply.texts
        assert client.command(f"AUTH PLAIN {plain(USER, PASSWORD)}") == 235


def test_slow_client_is_timed_out_alone(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"session": {"auth_timeout": "500ms"}})
    with Client(gate.tls_port, implicit_tls=True) as slow, Client(gate.tls_port, implicit_tls=True) as other:
        slow.ehlo()
        assert slow.command("AUTH LOGIN").code == 334
        other.ehlo()
        other.login(USER, PASSWORD)
        assert slow.reply() == "421 4.4.2"
        assert slow.at_end()
        assert other.command("NOOP") == 250


def test_users_file_edited_while_running_is_picked_up(make_gatepost, sink):
    gate = make_gatepost(sink.port)

    def works(user, password):
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            return client.command(f"AUTH PLAIN {plain(user, password)}").code == 235

    assert not works("dave", "new-user-password-5")
    gate.users_path.write_text(gate.users_path.read_text().replace("staple-7421-zebra", "changed-9-staple") + "dave:{PLAIN}new-user-password-5\n")
    gate.users |= {"dave": "new-user-password-5", "carol ": "changed-9-staple"}
    assert wait_until(lambda: works("dave", "new-user-password-5"), 10, 0.2)
    assert works("carol", "changed-9-staple") and not works("carol", USERS["carol"])


def test_outcomes_are_counted_apart(make_gatepost, sink):
    gate = make_gatepost(sink.port)
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.command("AUTH LOGIN"), client.command("*")
        client.command(f"AUTH PLAIN {plain(USER, 'wrong')}")
        client.command("AUTH PLAIN ?")
        client.login(USER, PASSWORD)
    results = {line.split('result="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in gate.admin("/metrics")[1].splitlines()
               if line.startswith("gatepost_auth_attempts_total{") and not line.endswith(" 0")}  # fmt: skip
    assert sum(results.values()) == 4 and len(results) == 4, results
