"""TLS to the upstream: a real Postfix with STARTTLS and client certificates, and a scripted one for what Postfix does not get wrong."""
import contextlib
import json
import ssl
import time

import pytest
from harness.client import Client
from harness.gatepost import command
from harness.postfix import Postfix
from harness.process import wait_until
from harness.tls_upstream import TlsUpstream

MAIL = b"Subject: over TLS\r\n\r\nhello\r\n"


def upstream(port, mode, ca, name="localhost", **more):
    return {"upstreams": [{"name": "default", "servers": [f"{name}:{port}"], "tls": mode, "tls_ca": str(ca), "health": {"interval": "200ms", "rise": 1, "fall": 1}, **more}]}


@pytest.fixture
def make_upstream():
    made = []

    def make(*words, **more):
        made.append(TlsUpstream(*words, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def mail_while_down(gate):
    """The reply to MAIL once the probe has said what is wrong (and the name is resolved)."""
    assert wait_until(lambda: "upstream_down" in gate.log, 10), gate.log[-2000:]
    return mail(gate)


def mail(gate):
    """The reply that ended it."""
    with Client(gate.plain_port, timeout=30) as client:
        client.ehlo()
        reply = client.command("MAIL FROM:<alice@example.com>")
        if reply == 250:
            assert client.command("RCPT TO:<bob@example.net>") == 250
            reply = client.data(MAIL)
        return reply


def test_postfix_takes_mail_over_starttls_from_a_client_with_a_certificate(tmp_path, tls, make_gatepost):
    settings = {"security_level": "encrypt", "cert_file": tls.rsa.certificate, "key_file": tls.rsa.key, "CAfile": tls.ca, "ask_ccert": "yes", "received_header": "yes", "loglevel": "1"}
    postfix = Postfix(tmp_path, "".join(f"smtpd_tls_{key} = {value}\n" for key, value in settings.items()))
    with contextlib.ExitStack() as stack:
        stack.callback(postfix.stop)
        ours = tls.issue("gate-as-client", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "DNS:gate.example")
        gate = make_gatepost(postfix.port, upstream(postfix.port, "required", tls.ca, tls_client={"certificate": str(ours.certificate), "key": str(ours.key)}))
        assert mail(gate) == 250
        delivered = postfix.wait_for_message(b"over TLS").decode()
        assert "using TLSv1.3" in delivered and '(Client CN "gate-as-client"' in delivered and "(verified OK)" in delivered, delivered


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_either_way_in_asks_for_the_name_and_checks_it(mode, version, tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.ecdsa, mode)
    mta.context.maximum_version = mta.context.minimum_version = ssl.TLSVersion[version]
    gate = make_gatepost(mta.port, upstream(mta.port, "required" if mode == "starttls" else mode, tls.ca))
    assert mail(gate) == 250
    assert mta.messages == [(version.replace("_", "."), "localhost", None)]
    # Who checks health does as sessions do, and never goes on in the clear.
    assert (version.replace("_", "."), "localhost", None) in mta.seen


WRONG = {
    "another name": ("other", "ca", "hostname mismatch"),
    "another authority": ("ecdsa", "other", "unable to get local issuer certificate"),
}


@pytest.mark.parametrize("mode", ["required", "implicit"])
@pytest.mark.parametrize("why", WRONG)
def test_a_certificate_that_is_wrong_is_a_451_and_a_clear_line(why, mode, tls, make_upstream, make_gatepost):
    pair, ca, said = WRONG[why]
    mta = make_upstream(getattr(tls, pair), "implicit" if mode == "implicit" else "starttls")
    authority = tls.ca if ca == "ca" else tls.other.certificate
    gate = make_gatepost(mta.port, upstream(mta.port, mode, authority), ready=False)
    assert mail_while_down(gate) == "451 4.7.5"
    assert mta.messages == []
    assert wait_until(lambda: "upstream_down" in gate.log and "upstream_failed" in gate.log, 10)
    lines = [line for line in gate.log.splitlines() if "upstream_failed" in line or "upstream_down" in line]
    assert all(said in line for line in lines), lines
    assert gate.metric("gatepost_upstream_connects_total", result="tls") == 1


def test_it_heals_by_itself_when_the_certificate_is_right_again(tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.other)
    gate = make_gatepost(mta.port, upstream(mta.port, "required", tls.ca), ready=False)
    assert mail_while_down(gate) == "451 4.7.5" and not gate.is_ready()
    mta.use(tls.ecdsa)
    assert wait_until(gate.is_ready, 10)
    assert mail(gate) == 250


def test_tls_verify_false_believes_anybody(tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.other)
    gate = make_gatepost(mta.port, upstream(mta.port, "required", tls.ca, tls_verify=False))
    assert mail(gate) == 250
    assert mta.messages[0][0] == "TLSv1.3"


@pytest.mark.parametrize("mode, answer", [("plain", ""), ("starttls", "454 4.7.0 not now")])
def test_without_starttls_required_sends_nothing_and_opportunistic_goes_on(mode, answer, tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.ecdsa, mode, answer=answer)
    strict = make_gatepost(mta.port, upstream(mta.port, "required", tls.ca), ready=False)
    assert mail_while_down(strict) == "451 4.7.5"
    assert mta.messages == []
    assert wait_until(lambda: "STARTTLS is required" in strict.log, 5)
    lax = make_gatepost(mta.port, upstream(mta.port, "opportunistic", tls.ca))
    assert mail(lax) == 250
    assert mta.messages == [(None, None, None)]


def test_opportunistic_uses_what_is_offered_whoever_it_is(tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.other)
    gate = make_gatepost(mta.port, upstream(mta.port, "opportunistic", ""))
    assert mail(gate) == 250
    assert mta.messages[0][0] == "TLSv1.3"


def test_octets_injected_behind_the_220_end_the_connection(tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.ecdsa, inject="250-mta.example\r\n250 SIZE 1\r\n")
    gate = make_gatepost(mta.port, upstream(mta.port, "required", tls.ca), ready=False)
    assert mail_while_down(gate) == "451 4.3.0"
    assert mta.messages == [] and all(version is None for version, _, _ in mta.seen)


def test_an_upstream_that_wants_a_certificate_gets_ours_and_refuses_none(tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.ecdsa, client_ca=tls.ca)
    ours = tls.issue("ours", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "DNS:gate.example")
    gate = make_gatepost(mta.port, upstream(mta.port, "required", tls.ca, tls_client={"certificate": str(ours.certificate), "key": str(ours.key)}))
    assert mail(gate) == 250
    assert mta.messages == [("TLSv1.3", "localhost", "ours")]
    without = make_gatepost(mta.port, upstream(mta.port, "required", tls.ca), ready=False)
    assert mail_while_down(without) == "451 4.7.5"


def test_a_handshake_that_hangs_ends_with_connect_timeout(tls, make_upstream, make_gatepost):
    mta = make_upstream(tls.ecdsa, "plain")
    heard = []

    def listen_only(connection):
        while octets := connection.recv(100_000):
            heard.append(octets[0])

    mta._talk = listen_only
    health = {"interval": "200ms", "timeout": "500ms", "rise": 1, "fall": 1}
    gate = make_gatepost(mta.port, upstream(mta.port, "implicit", tls.ca, connect_timeout="1s", health=health), ready=False)
    assert wait_until(lambda: "upstream_down" in gate.log, 10), "the name is resolved before"
    begin = time.monotonic()
    assert mail(gate) == "451 4.4.1"
    assert 1 <= time.monotonic() - begin < 5, "it was waited for"
    assert set(heard) == {22}, "a handshake was begun, each time"


BAD = {
    "tls_ca": ({"tls_ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    "half a pair": ({"tls_client": {"certificate": "ours.crt"}}, "tls_client"),
    "unix socket": ({"servers": ["unix:/run/mta"]}, "tls_verify"),
}


@pytest.mark.parametrize("what", BAD)
def test_check_names_what_is_wrong(what, tls, tmp_path, make_upstream, make_gatepost, sink):
    changes, said = BAD[what]
    gate = make_gatepost(sink.port)
    config = dict(gate.config)
    config["upstreams"] = [{"name": "default", "servers": ["localhost:25"], "tls": "required", **changes}]
    path = tmp_path / "bad.yaml"
    path.write_text(json.dumps(config))
    result = command("check", "--config", path)
    assert result.returncode != 0 and said in result.stdout + result.stderr, result
