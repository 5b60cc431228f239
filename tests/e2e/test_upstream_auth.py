"""AUTH towards the upstream: Gatepost's own, held against a Postfix that takes nothing without, and MAIL … AUTH= that names the user."""
import re

import pytest
from harness.client import Client, plain
from harness.postfix import Postfix
from harness.process import wait_until

NEWS = "ann+news=x@example.com"  # what xtext must write differently
USERS = {"ann": "correct horse 11", NEWS: "zebra crossing 33"}
ACCOUNT, PASSWORD, WRONG = "gate", "sesame open 8842", "another sesame 17"
DEMANDING = "smtpd_sender_restrictions = permit_sasl_authenticated, reject\n"
MAIL = b"Subject: with AUTH\r\n\r\ntext\r\n"


def upstream(port, **more):
    return {"upstreams": [{"name": "default", "servers": [f"127.0.0.1:{port}"], "health": {"interval": "500ms", "timeout": "2s", "rise": 1, "fall": 1}, **more}]}


@pytest.fixture
def own(tmp_path):
    """Gatepost's own account, with this password."""

    def account(password):
        path = tmp_path / "password"
        path.write_text(password + "\n")
        return {"username": ACCOUNT, "password_file": str(path)}

    return account


@pytest.fixture
def make_postfix(tmp_path):
    made = []

    def make(more=DEMANDING, **words):
        made.append(Postfix(tmp_path, more, **words))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def never_logged(gate, password=PASSWORD):
    """At the end of the program the harness looks for passwords of users in its log; for that of its own account, too."""
    gate.users[ACCOUNT] = password
    return gate


def logged_in(gate, name):
    client = Client(gate.port)
    client.ehlo()
    client.starttls()
    client.login(name, USERS[name])
    return client


def assert_is_down(gate, said):
    gate.wait_for_log("upstream_down")
    for line in (line for line in gate.log.splitlines() if "upstream_down" in line):
        assert said in line, line
    assert gate.admin("/readyz")[0] == 503
    with logged_in(gate, "ann") as ann:
        assert ann.command("MAIL FROM:<ann@example.com>") == 451


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "CRAM-MD5 PLAIN LOGIN"])
def test_gatepost_logs_in_with_what_is_announced(mechanism, own, make_postfix, make_gatepost):
    postfix = make_postfix(mechanisms=mechanism, accounts={ACCOUNT: PASSWORD})
    gate = never_logged(make_gatepost(postfix.port, upstream(postfix.port, **own(PASSWORD)), users=USERS))
    with logged_in(gate, "ann") as ann:
        for number in range(2):
            assert ann.mail(f"Message-ID: <own-{number}@example.com>\r\n".encode() + MAIL) == 250
            assert postfix.whose(f"own-{number}@example.com")[1] == ACCOUNT
        ann.quit()
    gate.stop()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_wrong_password_is_an_upstream_that_is_down(mechanism, own, make_postfix, make_gatepost):
    postfix = make_postfix(mechanisms=mechanism, accounts={ACCOUNT: PASSWORD})
    gate = never_logged(make_gatepost(postfix.port, upstream(postfix.port, **own(WRONG)), ready=False, users=USERS), WRONG)
    assert_is_down(gate, "AUTH")
    gate.stop()
    assert postfix.sessions() == [] and f"SASL {mechanism} authentication failed" in postfix.mail_log()


@pytest.mark.parametrize("options", [[], ["--keyword", "AUTH GSSAPI XOAUTH2"]], ids=["no AUTH", "nothing in common"])
def test_an_upstream_that_does_not_announce_it_is_down(options, own, make_sink, make_gatepost):
    sink = make_sink("--wire", "wire", *options)
    gate = never_logged(make_gatepost(sink.port, upstream(sink.port, **own(PASSWORD)), ready=False, users=USERS))
    assert_is_down(gate, "AUTH")
    wire = (sink.folder / "wire").read_bytes()
    assert b"EHLO" in wire and b"MAIL" not in wire and b"AUTH" not in wire


def test_a_server_that_repeats_the_password_does_not_bring_it_into_the_log(own, make_sink, make_gatepost):
    response = plain(ACCOUNT, PASSWORD)
    sink = make_sink("--keyword", "AUTH PLAIN", "--reply", f"AUTH=502 5.5.2 Not recognized: AUTH PLAIN {response}")
    gate = never_logged(make_gatepost(sink.port, upstream(sink.port, **own(PASSWORD)), ready=False, users=USERS))
    assert_is_down(gate, "Not recognized: AUTH PLAIN (secret)")
    gate.stop()


def test_it_heals_when_the_password_is_right_again(own, make_postfix, make_gatepost):
    settings = own(PASSWORD)
    postfix = make_postfix(mechanisms="PLAIN", accounts={ACCOUNT: WRONG})
    gate = never_logged(make_gatepost(postfix.port, upstream(postfix.port, **settings), ready=False, users=USERS))
    assert_is_down(gate, "AUTH")
    postfix.set_account(ACCOUNT, PASSWORD)
    assert wait_until(gate.is_ready, 10), gate.log[-2000:]
    with logged_in(gate, "ann") as ann:
        assert ann.mail(b"Message-ID: <healed@example.com>\r\n" + MAIL) == 250
    assert postfix.whose("healed@example.com")[1] == ACCOUNT


# MAIL … AUTH=


def mail_lines(sink):
    return re.findall(r"MAIL FROM:(.*)\r\n", (sink.folder / "wire").read_bytes().decode())


def test_mail_names_the_user(make_sink, make_gatepost):
    sink = make_sink("--wire", "wire", "--keyword", "AUTH PLAIN")
    gate = make_gatepost(sink.port, upstream(sink.port, mail_auth=True), users=USERS)
    for name in USERS:
        with logged_in(gate, name) as user:
            for parameters in ("", " AUTH=mallory"):  # a client's own is taken, and goes no further
                assert user.mail(MAIL, "ann@example.com", parameters=parameters) == 250
            user.quit()
    said = [line.split(" ") for line in mail_lines(sink)]
    assert [words[0] for words in said] == ["<ann@example.com>"] * 4
    named = [[word for word in words if word.startswith("AUTH=")] for words in said]
    assert named == [["AUTH=ann"]] * 2 + [["AUTH=ann+2Bnews+3Dx@example.com"]] * 2


def test_who_cannot_be_told_the_user_is_down(make_sink, make_gatepost):
    sink = make_sink("--wire", "wire")
    gate = make_gatepost(sink.port, upstream(sink.port, mail_auth=True), ready=False, users=USERS)
    assert_is_down(gate, "AUTH, which mail_auth needs, is not announced")
    assert mail_lines(sink) == []


def test_mail_names_nobody_for_who_did_not_log_in(make_sink, make_gatepost):
    sink = make_sink("--wire", "wire", "--keyword", "AUTH PLAIN")
    gate = make_gatepost(sink.port, upstream(sink.port, mail_auth=True), users=USERS)
    with Client(gate.plain_port) as client:
        client.ehlo()
        assert client.mail(MAIL, "ann@example.com", parameters=" AUTH=mallory") == 250
    (line,) = mail_lines(sink)
    assert re.findall(r"AUTH=\S*", line) == ["AUTH=<>"], line


def test_without_mail_auth_nobody_is_named(make_sink, make_gatepost):
    sink = make_sink("--wire", "wire", "--keyword", "AUTH PLAIN")
    gate = make_gatepost(sink.port, upstream(sink.port), users=USERS)
    with logged_in(gate, "ann") as ann:
        assert ann.mail(MAIL, "ann@example.com", parameters=" AUTH=mallory") == 250
    assert [re.findall(r"AUTH=\S*", line) for line in mail_lines(sink)] == [[]]

