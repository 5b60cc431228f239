"""Upstreams by name: resolved by the DNS that /etc/resolv.conf names, here a private one."""
import pytest
from harness.client import Client
from harness.dns import DnsServer
from harness.gatepost import USERS
from harness.process import wait_until

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
