"""A little of everything that Gatepost counts: good and bad logins, mail to upstreams that are well, unwilling and gone, balancers, TLS, limits, breaches."""
import contextlib
import itertools
import socket
import threading

from .client import Client, Closed, plain, trusting_context
from .gatepost import USERS
from .proxy_header import proxy_v1, proxy_v2

ALICE, BOB = "alice@example.com", "bob@example.com"
MESSAGE = b"Subject: load\r\n\r\n" + b"text\r\n" * 200
HERE, GUESSER = "192.0.2.7", "192.0.2.66"


def configuration(well, unwilling, nobody, redis, socket_path):
    """What the Gatepost under load is told beyond the harness's own: ports of upstreams (`well` has TLS, nobody listens at `nobody`), its Redis and its admin socket."""
    pool = {"max_connections": 1, "max_idle": 1, "wait_timeout": "1s"}
    health = {"interval": "1s", "timeout": "1s"}
    return {
        "listeners": {"submission": {"proxy_protocol_from": ["127.0.0.0/8"]}, "internal": {"max_connections": 4}},
        "auth": {"max_attempts": 100, "failure_delay": "10ms", "guessing": {"per_ip": "5/10m"}, "backends": ["local", "second"]},
        "backends": {"second": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/0"}},
        "upstreams": [
            {"name": "default", "servers": [f"localhost:{well}"], "tls": "required", "tls_verify": False, "pool": pool, "health": health},
            {"name": "unwilling", "servers": [f"127.0.0.1:{unwilling}", f"127.0.0.1:{nobody}"], "connect_timeout": "1s", "health": health},
            {"name": "untrusted", "servers": [f"127.0.0.1:{well}"], "tls": "required", "health": health},
        ],
        "routes": [{"sender_domain": f"{name}.example", "upstream": name} for name in ("unwilling", "untrusted")],
        "limits": [
            {"name": "few", "count": "messages", "per": "user", "rate": "5/1h", "when": {"user": "bob@*"}, "action": "defer"},
            {"name": "watched", "count": "messages", "per": "ip", "rate": "2/1h", "action": "defer", "enforce": False},
        ],
        "limit_store": {"type": "redis", "url": f"redis://127.0.0.1:{redis.port}/1"},
        "policy": {"recipients_deny": ["*@denied.example"]},
        "admin": {"socket": str(socket_path)},
    }  # fmt: skip


class MixedLoad:
    """Clients in threads, each doing one thing again and again until `stop`."""

    def __init__(self, gate):
        self.gate = gate
        self.is_over = threading.Event()
        self.failures = []
        acts = (self.balanced, self.implicit, self.trusted, self.guessing, self.limited, self.clumsy, self.strange, self.unwilling, self.staying)
        self.threads = [threading.Thread(target=self._repeat, args=(act,), daemon=True) for act in (*acts, self.trusted)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(20)
        assert not self.failures, self.failures[0]

    def _repeat(self, act):
        for number in itertools.count():
            try:
                act(number)
            except (Closed, OSError):
                pass  # Gatepost closes on many of them
            except Exception as failure:  # noqa: BLE001  the test says it, not a thread
                self.failures.append(f"{act.__name__}: {failure!r}")
                return
            if self.is_over.wait(0.1):
                return

    def _encrypted(self, header):
        client = Client(self.gate.port, first=header)
        client.ehlo()
        client.starttls()
        return client

    def balanced(self, number):
        with self._encrypted(proxy_v1(HERE, "127.0.0.1") if number % 2 else proxy_v2(HERE)) as client:
            client.login(ALICE, USERS[ALICE])
            client.mail(MESSAGE, recipients=("a@example.net", "b@example.net"))
            client.quit()

    def implicit(self, number):
        context, session = trusting_context(), None
        for _ in range(2):
            with Client(self.gate.tls_port, context=context, greeting=False) as client:
                client.wrap(session)
                client.reply()
                client.ehlo()
                client.login(ALICE, USERS[ALICE])
                session = client.socket.session
                client.commands("MAIL FROM:<alice@example.com>", "RCPT TO:<x@denied.example>", "QUIT")

    def trusted(self, number):
        with Client(self.gate.plain_port) as client:
            client.ehlo()
            client.mail(MESSAGE)
            client.quit()

    def guessing(self, number):
        with self._encrypted(proxy_v1(GUESSER, "127.0.0.1")) as client:
            client.command(f"AUTH PLAIN {plain(f'user{number}', 'guess')}")

    def limited(self, number):
        with self._encrypted(proxy_v1(HERE, "127.0.0.1")) as client:
            client.login(BOB, USERS[BOB])
            reply = client.command(f"MAIL FROM:<{BOB}>")
            if reply == 250:
                client.command("RCPT TO:<b@example.net>")
                client.data(MESSAGE)
            client.quit()

    def clumsy(self, number):
        with Client(self.gate.plain_port) as client:
            client.ehlo()
            client.commands("NONSENSE", "RCPT TO:<early@example.net>", "AUTH PLAIN !!!", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA")
            client.send(b"bare\nnewline\r\n.\r\n")
            client.reply()

    def strange(self, number):
        for port, octets in ((self.gate.tls_port, b"GET / HTTP/1.0\r\n\r\n"), (self.gate.port, b"EHLO without.header\r\n"), (self.gate.port, b"PROXY UNKNOWN nonsense" + b"x" * 200)):
            with socket.create_connection(("127.0.0.1", port), 5) as stranger, contextlib.suppress(OSError):
                stranger.sendall(octets)
                stranger.settimeout(2)
                stranger.recv(100)

    def unwilling(self, number):
        for domain in ("unwilling", "untrusted"):
            with Client(self.gate.plain_port) as client:
                client.ehlo()
                client.commands(f"MAIL FROM:<a@{domain}.example>", "RCPT TO:<b@example.net>", "RCPT TO:<never@example.net>", "QUIT")

    def staying(self, number):
        """A session that stays in its transaction, and leaves without a word."""
        with Client(self.gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            client.login(ALICE, USERS[ALICE])
            client.commands("MAIL FROM:<alice@unwilling.example>")
            self.is_over.wait(2)
