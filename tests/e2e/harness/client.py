"""A client that sends exactly the octets it is told, and reads replies as strictly as RFC 5321 writes them."""
import base64
import re
import socket
import ssl


SESSION = re.compile(r" \[([0-9a-z]+-[0-9a-z]+-[0-9a-z]+)\]$")  # behind every 4xx and 5xx of Gatepost's own


class Reply:
    """`lines` are the words only; `session` is the id behind them, where there is one (tests/e2e/test_logs.py holds where)."""

    def __init__(self, lines):
        found = SESSION.search(lines[-1])
        self.session = found and found[1]
        self.lines = [*lines[:-1], lines[-1][: found.start()]] if found else lines
        self.code = int(lines[0][:3])
        self.texts = [line[4:] for line in self.lines]
        enhanced = re.match(r"([245]\.\d{1,3}\.\d{1,3})( |$)", self.texts[0])
        self.enhanced = enhanced.group(1) if enhanced else None

    def __repr__(self):
        return " / ".join(self.lines)

    def __eq__(self, other):
        """Equal to a code (550) or to a code with an enhanced one ("550 5.6.0")."""
        return self.code == other if isinstance(other, int) else f"{self.code} {self.enhanced}" == other


class Closed(Exception):
    """The other side closed, or dropped."""


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(user, password, authzid=""):
    return b64(f"{authzid}\0{user}\0{password}")


class Client:
    def __init__(self, port, implicit_tls=False, greeting=True, timeout=15, first=b"", context=None, server_name="localhost", source="127.0.0.1", host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.context = context or trusting_context()
        self.server_name = server_name
        if first:
            self.socket.sendall(first)
        if implicit_tls:
            self.wrap()
        self.greeting = self.reply() if greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def wrap(self, session=None):
        self.socket = self.context.wrap_socket(self.socket, server_hostname=self.server_name, session=session)

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode())

    def line(self):
        while b"\n" not in self.buffer:
            try:
                octets = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError) as error:
                raise Closed(str(error)) from error
            if not octets:
                raise Closed(f"after {self.buffer!r}")
            self.buffer += octets
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), f"a reply line without CR: {line!r}"
        return line[:-1].decode()

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        for line in lines:
            assert re.fullmatch(r"[2345]\d\d([ -][\x20-\x7e]*)?", line) and line[:3] == lines[0][:3], f"no reply: {lines!r}"
        return Reply(lines)

    def command(self, line):
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.reply()

    def commands(self, *lines):
        return [self.command(line) for line in lines]

    def ehlo(self, name="client.example"):
        reply = self.command(f"EHLO {name}")
        assert reply == 250, reply
        return {text.split(" ")[0].upper(): text.partition(" ")[2] for text in reply.texts[1:]}

    def starttls(self, session=None):
        reply = self.command("STARTTLS")
        assert reply == 220, reply
        self.wrap(session)
        return self.ehlo()

    def login(self, user, password):
        reply = self.command(f"AUTH PLAIN {plain(user, password)}")
        assert reply == 235, reply

    def mail(self, message, sender="alice@example.com", recipients=("bob@example.net",), parameters=""):
        """A whole transaction; `message` has CRLF line ends and no dots doubled. The reply to the end of data."""
        for line in (f"MAIL FROM:<{sender}>{parameters}", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
            reply = self.command(line)
            assert reply == 250, (line, reply)
        return self.data(message)

    def data(self, message):
        reply = self.command("DATA")
        assert reply == 354, reply
        self.send(re.sub(rb"(?m)^\.", b"..", message.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n") + b".\r\n")
        return self.reply()

    def quit(self):
        reply = self.command("QUIT")
        assert reply == 221, reply
        assert self.at_end()
        self.socket.close()

    def at_end(self):
        """Waits until the other side has closed; True if nothing more came."""
        rest = self.buffer
        try:
            while octets := self.socket.recv(65536):
                rest += octets
        except (ConnectionError, ssl.SSLError):
            pass
        return not rest


def scram_challenge(client, user):
    """What SCRAM tells about `user` in its first challenge: (the salt, the iterations). The dialogue is given up."""
    reply = client.command("AUTH SCRAM-SHA-256 " + b64(f"n,,n={user},r=abcdefghij"))
    assert reply == 334, reply
    _, salt, iterations = base64.b64decode(reply.lines[0].split()[1]).decode().split(",")
    assert client.command("*") == 501
    return base64.b64decode(salt.removeprefix("s=")), int(iterations.removeprefix("i="))


def scram_keys(iterations, salt_size):
    """A record that can be read, and that no password belongs to."""
    salt, key = (base64.b64encode(b"x" * size).decode() for size in (salt_size, 32))
    return f"{{SCRAM-SHA-256}}{iterations},{salt},{key},{key}"


def trusting_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
