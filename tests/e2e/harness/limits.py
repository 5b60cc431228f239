"""Rules of `limits:`, clients whose address a PROXY header proves, and what they hear when a rule has a say."""
import re
import socket
import struct

from .client import Client, Closed, plain
from .gatepost import USERS
from .proxy_header import proxy_v1

ALICE, BOB = "alice@example.com", "bob@example.com"
HERE, NEIGHBOUR, ELSEWHERE, TRUSTED = "192.0.2.7", "192.0.2.99", "203.0.113.7", "198.51.100.7"
DOMAIN = "example.net"  # of most recipients
MESSAGE = b"Subject: counted\r\n\r\ntext\r\n"

# (before the greeting, to AUTH, to everything else)
REFUSALS = {
    "defer": ("421 4.7.0", "454 4.7.0", "451 4.7.1"),
    "reject": ("554 5.7.1", "550 5.7.1", "550 5.7.1"),
    "close": ("421 4.7.0", "421 4.7.0", "421 4.7.0"),
}


def rule(count="messages", per="user", action="defer", rate="3/1h", name="tested", **more):
    return {"name": name, "count": count, "per": per, "rate": rate, "action": action, **more}


def limited(make, upstream, *rules, listeners=None, **more):
    """A Gatepost with these rules. Its STARTTLS port believes any PROXY header, wants no TLS, and trusts 198.51.100.0/24."""
    listener = {"proxy_protocol_from": ["127.0.0.1/32"], "require_tls": False, "trusted_networks": ["198.51.100.0/24"]}
    changes = {"limits": list(rules), "listeners": {"submission": listener, **(listeners or {})}, **more.pop("changes", {})}
    changes["auth"] = {"max_attempts": 100, "failure_delay": "10ms", "plaintext_without_tls": True, **changes.get("auth", {})}
    return make(upstream, changes, **more)


def connect(gate, address=HERE, **more):
    header = proxy_v1(address, "2001:db8:ffff::1" if ":" in address else "127.0.0.1")
    return Client(gate.port, first=header, **more)


def visit(gate, user=None, address=HERE):
    client = connect(gate, address)
    assert client.greeting == 220, client.greeting
    client.ehlo()
    if user:
        client.login(user, gate.users[user])
    return client


def attempt(client, user=ALICE, password=None):
    return client.command(f"AUTH PLAIN {plain(user, password or USERS[user])}")


def send(client, sender="alice@example.com", recipients=(f"bob@{DOMAIN}",), message=MESSAGE, parameters=""):
    """One message; the reply that ended it: the first refusal, or that to the end of data. What is refused is reset."""
    for line in (f"MAIL FROM:<{sender}>{parameters}", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"):
        reply = client.command(line)
        if reply.code not in (250, 354):
            if reply != 421:
                assert client.command("RSET") == 250
            return reply
    client.send(message + b".\r\n")
    return client.reply()


def one(gate, user=ALICE, address=HERE, **more):
    """The same on a connection of its own."""
    with visit(gate, user, address) as client:
        return send(client, **more)


def begun(client, *lines):
    """The client, in the middle of a transaction."""
    for line in ("MAIL FROM:<a@example.com>", *lines):
        reply = client.command(line)
        assert reply.code in (250, 354), (line, reply)
    return client


def reset(client):
    """It vanishes without a word."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


def is_limited(reply, code="451 4.7.1", name="tested", at_least=1, at_most=1200):
    """Holds `reply` against what a refusal looks like; gives its seconds."""
    assert reply == code, reply
    found = re.fullmatch(rf'{code[4:]} Rate limit "{name}": try again in (\d+) s', reply.texts[0])
    assert found and len(reply.texts) == 1, reply
    assert at_least <= int(found.group(1)) <= at_most, reply
    return int(found.group(1))


def is_full(reply, code="454 4.7.0", name="tested"):
    """The same of a number of sessions: nobody knows when one will end."""
    assert reply == code and reply.texts == [f'{code[4:]} Rate limit "{name}": too many sessions at a time, try again later'], reply


def is_closed(client):
    try:
        return client.at_end()
    except Closed:
        return True


def decided(gate, decision, name="tested"):
    """How often a rule decided so; 0 when it never did."""
    try:
        return gate.metric("gatepost_rate_limit_decisions_total", limit=name, decision=decision)
    except AssertionError:
        return 0
