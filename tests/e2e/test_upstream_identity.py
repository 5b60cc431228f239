"""Who is there, as real upstreams log it: Postfix (XCLIENT, PROXY v1 and v2), Exim and OpenSMTPD (PROXY v2) behind Gatepost."""
import re

import pytest
from harness import scripted_upstream as scripted
from harness.client import Client
from harness.gatepost import Gatepost
from harness.postfix import OWN_SENDERS, Postfix
from harness.process import wait_until
from harness.proxy_header import proxy_v1
from harness.scripted_upstream import ScriptedUpstream

NEWS = "ann+news=x@example.com"  # what xtext must write differently
SENDERS = {"ann": "ann@example.com", "bob": "bob@example.com", NEWS: "news@example.com", None: "carol@example.com"}
USERS = {"ann": "correct horse 11", "bob": "battery staple 22", NEWS: "zebra crossing 33"}
IPV6 = "inet_protocols = all\nmynetworks = 127.0.0.0/8 [2001:db8::]/32\n"


def upstream(port, identity, name="127.0.0.1", **more):
    health = {"interval": "500ms", "timeout": "2s", "rise": 1, "fall": 1}
    return {"upstreams": [{"name": "default", "servers": [f"{name}:{port}"], "identity": identity, "health": health, **more}]}


def balanced(changes):
    """127.0.0.1 is a balancer there: it says who is there, in IPv6 too."""
    return {**changes, "listeners": {"submission": {"proxy_protocol_from": ["127.0.0.1/32"]}}}


class User(Client):
    """Logged in over STARTTLS; without a name it is one whom the listener trusts."""

    def __init__(self, gate, name=None, source="127.0.0.9", first=b""):
        super().__init__(gate.port if name else gate.plain_port, source=source, first=first)
        self.ehlo()
        self.sender, self.count = SENDERS[name], 0
        if name:
            self.starttls()
            self.login(name, USERS[name])

    def post(self, marker):
        """The id of the message that was taken."""
        self.count += 1
        message_id = f"{marker}-{self.count}@example.com"
        reply = self.mail(f"Message-ID: <{message_id}>\r\nSubject: identity\r\n\r\ntext\r\n".encode(), self.sender)
        assert reply == 250, reply
        return message_id

    def refusal(self, sender):
        """Who is the sender is asked at MAIL or at RCPT, as the upstream likes."""
        reply = self.command(f"MAIL FROM:<{sender}>")
        if reply == 250:
            reply = self.command("RCPT TO:<bob@example.net>")
        assert self.command("RSET") == 250
        return reply.lines


def not_owned(sender, user):
    return [f"553 5.7.1 <{sender}>: Sender address rejected: {f'not owned by user {user}' if user else 'not logged in'}"]


@pytest.fixture(scope="module")
def trusting(tmp_path_factory):
    """A Postfix that believes XCLIENT."""
    server = Postfix(tmp_path_factory.mktemp("trusting"), OWN_SENDERS + IPV6, mechanisms="PLAIN")
    yield server
    server.stop()


@pytest.fixture
def untouched(tmp_path):
    """Another one, in whose log no idle connection of another test ends."""
    server = Postfix(tmp_path, OWN_SENDERS + IPV6, mechanisms="PLAIN")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxied(tmp_path_factory, tls):
    """A Postfix that wants PROXY, and has STARTTLS."""
    settings = {"security_level": "may", "cert_file": tls.rsa.certificate, "key_file": tls.rsa.key, "received_header": "yes"}
    server = Postfix(tmp_path_factory.mktemp("proxied"), IPV6 + "".join(f"smtpd_tls_{key} = {value}\n" for key, value in settings.items()), proxy=True)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def by_xclient(tmp_path_factory, tls, trusting):
    server = Gatepost(tmp_path_factory.mktemp("gatepost"), tls, trusting.port, upstream(trusting.port, "xclient"), users=USERS)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def by_login(tmp_path_factory, tls, trusting):
    server = Gatepost(tmp_path_factory.mktemp("gatepost"), tls, trusting.port, upstream(trusting.port, "xclient_login"), users=USERS)
    yield server
    server.stop()


# XCLIENT


def test_xclient_tells_address_and_user(by_xclient, trusting):
    with User(by_xclient, "ann") as ann:
        assert trusting.whose(ann.post("first")) == ("127.0.0.9", "ann")
        assert trusting.whose(ann.post("second")) == ("127.0.0.9", "ann"), "a second message of the same session"
        ann.quit()


def test_xclient_and_a_sender_that_is_another_users(by_xclient, trusting):
    with User(by_xclient, "ann") as ann:
        assert ann.refusal("bob@example.com") == not_owned("bob@example.com", "ann"), "as Postfix said it"
        assert trusting.whose(ann.post("refused-then-own")) == ("127.0.0.9", "ann")


def test_xclient_clients_never_share_an_identity(by_xclient, trusting):
    for number, (name, source) in enumerate([("ann", "127.0.0.9"), ("bob", "127.0.0.10"), (None, "127.0.0.11"), ("ann", "127.0.0.12")]):
        with User(by_xclient, name, source) as user:
            assert trusting.whose(user.post(f"after-each-other-{number}")) == (source, name)
            user.quit()
    with User(by_xclient, "ann", "127.0.0.9") as ann, User(by_xclient, "bob", "127.0.0.10") as bob, User(by_xclient, None, "127.0.0.11") as nobody:
        for number in range(2):
            assert trusting.whose(ann.post(f"ann-beside-{number}")) == ("127.0.0.9", "ann")
            assert trusting.whose(bob.post(f"bob-beside-{number}")) == ("127.0.0.10", "bob")
            assert trusting.whose(nobody.post(f"nobody-beside-{number}")) == ("127.0.0.11", None)


def test_xclient_writes_a_name_so_that_postfix_reads_it_back(by_xclient, trusting):
    with User(by_xclient, NEWS) as user:
        assert trusting.whose(user.post("xtext")) == ("127.0.0.9", NEWS)


def test_xclient_tells_an_ipv6_address(trusting, make_gatepost):
    gate = make_gatepost(trusting.port, balanced(upstream(trusting.port, "xclient")), users=USERS)
    with User(gate, "ann", "127.0.0.1", first=proxy_v1("2001:db8::9", "2001:db8::1")) as ann:
        assert trusting.whose(ann.post("xclient-ipv6")) == ("2001:db8::9", "ann")


def test_xclient_login_tells_the_user_of_each_session(by_login, trusting):
    for number, name in enumerate(("ann", "bob", "ann", None, "bob", NEWS, "ann")):
        with User(by_login, name) as user:
            other = "bob@example.com" if name == "ann" else "ann@example.com"
            assert user.refusal(other) == not_owned(other, name)
            assert trusting.whose(user.post(f"login-{number}")) == ("127.0.0.1", name), "LOGIN only: the address is Gatepost's"
            user.quit()


@pytest.mark.parametrize("identity, share", [("xclient_login", True), ("xclient", False)])
def test_which_connections_serve_several_sessions(identity, share, untouched, make_gatepost):
    gate = make_gatepost(untouched.port, upstream(untouched.port, identity), users=USERS)
    names = ("ann", "bob", "ann", "bob", "ann", "bob", "ann", "bob")
    for number, name in enumerate(names):
        with User(gate, name) as user:
            assert untouched.whose(user.post(f"{identity}-{number}"))[1] == name
            user.quit()
    gate.stop()

    def mails():
        return [int(re.search(r" mail=(\d+)", said)[1]) for said in untouched.sessions()]

    assert wait_until(lambda: sum(mails()) == len(names)), untouched.sessions()
    assert len(mails()) < len(names) if share else mails() == [1] * len(names), untouched.sessions()


@pytest.mark.parametrize("identity", ["xclient", "xclient_login"])
def test_a_postfix_that_does_not_believe_xclient_is_down(identity, tmp_path, make_gatepost):
    postfix = Postfix(tmp_path, "smtpd_authorized_xclient_hosts =\n")
    try:
        gate = make_gatepost(postfix.port, upstream(postfix.port, identity), ready=False, users=USERS)
        gate.wait_for_log("upstream_down")
        assert all("XCLIENT" in line for line in gate.log.splitlines() if "upstream_down" in line), gate.log
        assert gate.admin("/readyz")[0] == 503
        with User(gate, "ann") as ann:
            assert ann.command("MAIL FROM:<ann@example.com>") == 451
        gate.stop()
        assert postfix.sessions() == [] and postfix.messages() == []
    finally:
        postfix.stop()


def test_an_xclient_that_is_refused_takes_no_mail(postfix, make_gatepost):
    before = len(postfix.sessions())
    gate = make_gatepost(postfix.port, balanced(upstream(postfix.port, "xclient")), users=USERS)
    with User(gate, "ann", "127.0.0.1", first=proxy_v1("2001:db8::9", "2001:db8::1")) as ann:  # this Postfix knows IPv4 only: 501
        assert ann.command("MAIL FROM:<ann@example.com>") == 451
    with User(gate, "ann", "127.0.0.1", first=proxy_v1("127.0.0.9")) as ann:
        assert postfix.whose(ann.post("beside-a-refused-one")) == ("127.0.0.9", "ann"), "it was not the server's fault"
    gate.stop()
    assert wait_until(lambda: len(postfix.sessions()) > before) and len(postfix.sessions()) == before + 1, postfix.sessions()[before:]


# PROXY


@pytest.mark.parametrize("identity", ["proxy_v1", "proxy_v2"])
@pytest.mark.parametrize("tls_mode", ["none", "required"])
def test_postfix_behind_proxy(identity, tls_mode, tls, proxied, make_gatepost):
    more = {"tls": "required", "tls_ca": str(tls.ca)} if tls_mode == "required" else {}
    gate = make_gatepost(proxied.port, upstream(proxied.port, identity, "localhost" if more else "127.0.0.1", **more), users=USERS)
    for name, source in (("ann", "127.0.0.9"), ("bob", "127.0.0.10"), ("ann", "127.0.0.9")):
        with User(gate, name, source) as user:
            for _ in range(2):
                marker = f"{identity}-{tls_mode}-{name}-{source}-{len(proxied.messages())}"
                message_id = user.post(marker)
                assert proxied.whose(message_id) == (source, None)
                delivered = proxied.wait_for_message(message_id.encode())
                assert (b"using TLSv1.3" in delivered.split(b"by mta.example")[0]) == bool(more), delivered


@pytest.mark.parametrize("identity", ["proxy_v1", "proxy_v2"])
def test_proxy_tells_an_ipv6_address(identity, proxied, make_gatepost):
    gate = make_gatepost(proxied.port, balanced(upstream(proxied.port, identity)), users=USERS)
    with User(gate, "ann", "127.0.0.1", first=proxy_v1("2001:db8::9", "2001:db8::1")) as ann:
        assert proxied.whose(ann.post(f"{identity}-ipv6")) == ("2001:db8::9", None)


@pytest.mark.parametrize("mta, identity", [("exim", "proxy_v1"), ("exim", "proxy_v2"), ("opensmtpd", "proxy_v2")])
def test_exim_and_opensmtpd_behind_proxy(mta, identity, request, make_gatepost):
    server = request.getfixturevalue(mta)
    gate = make_gatepost(server.port, upstream(server.port, identity, mail_auth=mta == "exim"), users=USERS)
    for name, source in (("ann", "127.0.0.9"), ("bob", "127.0.0.10"), (NEWS, "127.0.0.9")):
        with User(gate, name, source) as user:
            said = server.whose(user.post(f"{identity}-{source}-{len(name)}-{name[:3]}"))
            assert said == (source, name if mta == "exim" else None), "OpenSMTPD knows no other way to hear of a user"
            user.quit()


def test_a_user_who_cannot_be_told_is_no_fault_of_the_servers(make_gatepost):
    servers = [ScriptedUpstream((*scripted.EXTENSIONS, scripted.XCLIENT)) for _ in range(2)]
    name = "u" * 200 + "=" * 30  # 290 octets in XCLIENT
    settings = upstream(servers[0].port, "xclient_login")
    settings["upstreams"][0]["servers"] = [f"127.0.0.1:{server.port}" for server in servers]
    gate = make_gatepost(servers[0].port, settings, users={**USERS, name: "staple 44"})
    gate.wait_for_metric("gatepost_upstream_up", 2)
    with Client(gate.port) as client:
        client.ehlo()
        client.starttls()
        client.login(name, "staple 44")
        for _ in range(5):
            assert client.command("MAIL FROM:<ann@example.com>").code == 451
    gate.wait_for_metric("gatepost_upstream_up", 2)
    assert "upstream_down" not in gate.log, gate.log
    for server in servers:
        server.stop()
