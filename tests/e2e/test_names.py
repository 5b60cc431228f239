"""Upstreams by name: resolved by the DNS that /etc/resolv.conf names, here a private one."""
import asyncio
import random
import signal
import threading

import pytest
from harness.client import Client
from harness.dns import DnsServer
from harness.gatepost import USERS
from harness.process import wait_until
from harness.reload import Reloads
from harness.scripted_upstream import Action, ScriptedUpstream

USER = "alice@example.com"


@pytest.fixture
def dns(tmp_path):
    with DnsServer(tmp_path) as server:
        yield server


def send(gatepost):
    with Client(gatepost.tls_port, implicit_tls=True) as client:
        client.ehlo()
        client.login(USER, USERS[USER])
        return client.mail(b"Subject: by name\r\n\r\nhello\r\n")


def test_a_name_that_only_the_dns_knows_gets_the_message(dns, make_sink, make_gatepost):
    sink = make_sink()
    dns.names = {"mta.test": "pool.test", "pool.test": ["127.0.0.1"]}
    gatepost = make_gatepost([f"mta.test:{sink.port}"], wrapper=dns.wrapper)
    assert send(gatepost) == 250
    sink.wait_for(1)
    assert dns.asked_for("mta.test") > 0


def test_an_outage_of_the_dns_takes_no_server_away(dns, make_sink, make_gatepost):
    sink = make_sink()
    dns.names = {"mta.test": ["127.0.0.1"]}
    gatepost = make_gatepost([f"mta.test:{sink.port}"], wrapper=dns.wrapper)
    dns.mode = "servfail"
    before = dns.asked_for("mta.test")
    assert wait_until(lambda: dns.asked_for("mta.test") >= before + 6), "nobody asks again"
    assert send(gatepost) == 250
    sink.wait_for(1)


def test_answers_that_are_cut_do_not_add_up(dns, make_gatepost):
    upstream = ScriptedUpstream(host="0.0.0.0")
    addresses = [f"127.1.{high}.{low}" for high in (1, 2) for low in range(1, 150)]
    dns.names = {"mta.test": addresses}
    gatepost = make_gatepost([f"mta.test:{upstream.port}"], wrapper=dns.wrapper)
    for _ in range(3):
        random.shuffle(addresses)
        before = dns.asked_for("mta.test")
        assert wait_until(lambda: dns.asked_for("mta.test") >= before + 4, 10)  # noqa: B023
    assert gatepost.log.count(" upstream_up ") == 64
    upstream.stop()


def test_an_outage_for_one_family_takes_no_server_of_it_away(dns, make_sink, make_gatepost):
    sink = make_sink()
    dns.names = {"mta.test": ["127.0.0.1", "::1"]}  # nobody listens there, and probes tell that it is still known
    gatepost = make_gatepost([f"mta.test:{sink.port}"], wrapper=dns.wrapper)
    failed = lambda: gatepost.metric("gatepost_upstream_health_checks_total", result="failed")  # noqa: E731
    assert wait_until(lambda: failed() > 0)
    dns.mode = "servfail for AAAA"
    before = dns.asked_for("mta.test")
    assert wait_until(lambda: dns.asked_for("mta.test") >= before + 4), "nobody asks again"
    then = failed()
    assert wait_until(lambda: failed() >= then + 2, 5), "the server has vanished"
    assert send(gatepost) == 250


def test_a_reload_waits_for_each_address_of_a_name(dns, make_gatepost):
    upstream, may_greet = ScriptedUpstream(), threading.Event()
    dns.names = {"mta.test": ["127.0.0.1", "127.0.0.9"]}  # nobody listens at the second, which is known at once
    servers = [f"mta.test:{upstream.port}"]
    gatepost = make_gatepost(servers, {"upstreams": [{"name": "default", "servers": servers, "health": {"interval": "1h", "timeout": "5s"}}]}, wrapper=dns.wrapper)
    reloads = Reloads(gatepost)

    async def late(connection, usual):
        while not may_greet.is_set():
            await asyncio.sleep(0.01)
        connection.say(usual)

    def offer():
        with Client(gatepost.plain_port) as client:
            return sorted(client.ehlo())

    try:
        before = offer()
        assert {"SIZE", "SMTPUTF8", "8BITMIME"} <= set(before)
        fault = upstream.arm("greeting", Action(late, takes_effect=True))
        gatepost.process.send_signal(signal.SIGHUP)
        assert wait_until(fault.begun.is_set)
        assert not wait_until(lambda: not gatepost.is_ready() or offer() != before or reloads.outcomes("signal"), 0.5)
        may_greet.set()
        assert wait_until(lambda: reloads.outcomes("signal"), 3)
        assert gatepost.is_ready() and offer() == before
    finally:
        may_greet.set()
        upstream.stop()
