"""What the metrics say of a session with a message, and of failures: each thing in its own series."""
import re

import pytest
from harness.client import Client, plain
from harness.gatepost import USERS
from harness.limits import rule
from harness.process import wait_until
from harness.redis import Redis
from harness.reload import Reloads

USER = "alice@example.com"


def test_a_session_with_a_message_is_measured_once_in_everything(make_gatepost, sink):
    gate = make_gatepost(sink.port)
    with Client(gate.port) as client:
        client.ehlo()
        client.starttls()
        assert client.command(f"AUTH PLAIN {plain(USER, USERS[USER])}") == "235 2.7.0"
        gate.wait_for_metric("gatepost_sessions_active", 1, listener="submission", phase="idle")  # a client may hear of it first
        assert client.command("MAIL FROM:<a@example.com>") == 250
        gate.wait_for_metric("gatepost_sessions_active", 1, listener="submission", phase="envelope")
        assert client.command("RCPT TO:<b@example.com>") == 250
        assert client.command("DATA") == 354
        gate.wait_for_metric("gatepost_sessions_active", 1, phase="data")
        assert client.command("Subject: x\r\n\r\nbody\r\n.") == 250
        received, sent = gate.metric("gatepost_received_bytes_total"), gate.metric("gatepost_sent_bytes_total")
        assert received > len("Subject: x\r\n\r\nbody\r\n.\r\n") and sent > 0, "a session that lasts is counted with each message"
        assert client.command("QUIT") == 221
    gate.wait_for_metric("gatepost_sessions_active", 0)
    said = wait_until(lambda: re.search(r" session .* received=(\d+) sent=(\d+) ", gate.log))
    assert gate.metric("gatepost_received_bytes_total") == int(said.group(1)) == received + len("QUIT\r\n"), "and each octet once"
    assert gate.metric("gatepost_sent_bytes_total") == int(said.group(2)) > sent
    for name in ("message_overhead_seconds", "message_recipients", "message_size_bytes", "connection_duration_seconds", "tls_handshake_duration_seconds"):
        assert gate.metric(f"gatepost_{name}_count") == 1, name
    assert gate.metric("gatepost_message_recipients_sum") == 1
    assert 0 < gate.metric("gatepost_message_overhead_seconds_sum") < gate.metric("gatepost_message_duration_seconds_sum")
    for verb, replies in {"AUTH": 1, "MAIL": 1, "RCPT": 1, "DATA": 2, "STARTTLS": 1, "QUIT": 1}.items():
        assert gate.metric("gatepost_smtp_command_duration_seconds_count", verb=verb) == replies, verb
    for verb in ("MAIL", "RCPT", "DATA", "MESSAGE"):
        assert gate.metric("gatepost_upstream_reply_duration_seconds_count", verb=verb) == 1, verb
    size = gate.metric("gatepost_message_bytes_total", result="accepted")
    assert size == gate.metric("gatepost_message_size_bytes_sum") and size > 17
    assert gate.metric("gatepost_upstream_sent_bytes_total") > size
    assert gate.metric("gatepost_auth_cache_entries", backend="local") == 1
    assert gate.metric("gatepost_auth_backend_up", backend="local") == 1
    assert gate.metric("gatepost_tls_certificate_loads_total", result="ok") >= 1
    assert wait_until(lambda: gate.metric("gatepost_worker_busy_seconds_total") > 0)
    assert wait_until(lambda: gate.metric("gatepost_worker_loop_lag_seconds_count") > 0)
    gate.wait_for_metric("gatepost_buffers_in_use_bytes", 0)


def test_a_name_that_the_dns_is_asked_for_is_counted(make_gatepost):
    gate = make_gatepost(["nowhere.invalid:25"], ready=False)
    assert wait_until(lambda: gate.metric("gatepost_dns_lookups_total", type="A") >= 1)
    assert gate.metric("gatepost_dns_lookups_total", result="ok") == 0
    assert gate.metric("gatepost_dns_lookup_duration_seconds_count", type="A") >= 1


def test_a_block_is_counted_when_it_begins_not_for_each_attempt_refused(make_gatepost, sink):
    gate = make_gatepost(sink.port, {"auth": {"failure_delay": "10ms", "guessing": {"per_ip": "3/10m", "per_network": "off", "per_user_and_network": "off"}}})
    blocks = lambda: gate.metric("gatepost_auth_blocks_total", scope="ip", reason="failures")  # noqa: E731
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        for _ in range(2):
            assert client.command(f"AUTH PLAIN {plain(USER, 'wrong')}") == 535
        assert blocks() == 0
        assert client.command(f"AUTH PLAIN {plain(USER, 'wrong')}") == 535
    assert wait_until(lambda: blocks() == 1)
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        assert client.command(f"AUTH PLAIN {plain(USER, 'wrong')}") == 454
    assert gate.metric("gatepost_auth_blocked_attempts_total", scope="ip") == 1
    assert blocks() == 1
    assert {scope: gate.metric("gatepost_auth_blocks_active", scope=scope) for scope in ("ip", "network", "user_and_network")} == {"ip": 1, "network": 0, "user_and_network": 0}
    reloads = Reloads(gate)
    reloads.hup({"session": {"max_errors": 21}})
    assert gate.metric("gatepost_auth_blocks_active", scope="ip") == 1, "a reload lifts no block"
    reloads.hup({"auth": {"guessing": {"per_ip": "off"}}})
    assert gate.metric("gatepost_auth_blocks_active", scope="ip") == 0


@pytest.fixture
def redis(tmp_path):
    redis = Redis(tmp_path)
    yield redis
    redis.stop()


def test_a_block_is_active_until_it_ends_where_somebody_was_refused_by_it(make_gatepost, sink, redis):
    changes = {"auth": {"failure_delay": "10ms", "guessing": {"per_ip": "2/12s", "per_network": "off", "per_user_and_network": "off"}},
               "limit_store": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/0"}}  # fmt: skip
    here, there = make_gatepost(sink.port, changes), make_gatepost(sink.port, changes)

    def active(gate):
        return gate.metric("gatepost_auth_blocks_active", scope="ip")

    def guess(gate):
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            return client.command(f"AUTH PLAIN {plain(USER, 'wrong')}").code

    assert [guess(here), guess(here)] == [535, 535]
    assert wait_until(lambda: active(here) == 1)
    assert active(there) == 0, "nobody has knocked there"
    assert guess(there) == 454
    assert active(there) == 1
    assert wait_until(lambda: active(here) == active(there) == 0, 8)


def test_what_a_rule_refuses_is_no_fault_of_the_gateways(make_gatepost, sink):
    """Else limits that do what they are told to would use up the error budget (docs/monitoring.md)."""
    gate = make_gatepost(sink.port, {"limits": [rule(rate="2/1h")]})
    with Client(gate.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        for _ in range(2):
            assert client.mail(b"x\r\n", sender=USER) == 250
        assert client.command("MAIL FROM:<a@example.com>") == 451
    gate.wait_for_metric("gatepost_messages_total", 1, result="tempfail", origin="policy")
    assert gate.metric("gatepost_messages_total", origin="gateway") == 0
    assert wait_until(lambda: "result=tempfail origin=policy code=451" in gate.log)
