"""Plays one transcript to the real program: its client on one side and its scripted upstream on the other, over loopback."""
import re
import select
import socket
import ssl
import struct
import threading
import time

PATIENCE = 15.0  # seconds for anything that must happen
CLOSE_IS_SEEN = 0.1  # seconds after which the program has noticed that its client is gone
DEFAULT_OFFER = "PIPELINING SIZE 8BITMIME SMTPUTF8 DSN CHUNKING ENHANCEDSTATUSCODES"


class Differs(Exception):
    """The program did something else than the story tells."""


class Ear:
    """One connection: what is sent to it and read from it."""

    def __init__(self, connection):
        connection.settimeout(PATIENCE)
        self.connection = connection
        self.unread = b""

    def say(self, octets):
        try:
            self.connection.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the story tells whether that is right

    def more(self):
        """Reads once; False at the end."""
        try:
            octets = self.connection.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return False
        except TimeoutError:
            raise Differs(f"nothing is heard, only {self.unread!r}") from None
        self.unread += octets
        return bool(octets)

    def line(self):
        while b"\r\n" not in self.unread:
            if not self.more():
                raise Differs(f"it ends with {self.unread!r}")
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def exactly(self, octets):
        while len(self.unread) < len(octets):
            if not self.more():
                break
        if not self.unread.startswith(octets):
            raise Differs(f"it hears {self.unread[:600]!r}")
        self.unread = self.unread[len(octets) :]

    def to_the_end(self):
        while self.more():
            pass
        rest, self.unread = self.unread, b""
        return rest

    def close(self):
        self.connection.close()


class ScriptedUpstream:
    """A port that answers the prober by itself, and hands connections over once a session has begun."""

    def __init__(self, port, keywords):
        self.greeting = "".join(f"250-{word.replace('=', ' ')}\r\n" for word in keywords.split())
        self.listener = socket.create_server(("127.0.0.1", port))
        self.scripted = threading.Event()
        self.accepted = []
        self.arrived = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if not self.scripted.is_set():
                threading.Thread(target=self._answer_prober, args=(connection,), daemon=True).start()
                continue
            with self.arrived:
                self.accepted.append(connection)
                self.arrived.notify()

    def _answer_prober(self, connection):
        ear = Ear(connection)
        try:
            ear.say(b"220 mta.example ESMTP\r\n")
            while (command := ear.line()) != b"QUIT":
                ear.say(f"250-mta.example\r\n{self.greeting}250 HELP\r\n".encode() if command.startswith(b"EHLO") else b"250 ok\r\n")
            ear.say(b"221 bye\r\n")
        except (Differs, OSError):
            pass
        ear.close()

    def next(self):
        with self.arrived:
            if not self.arrived.wait_for(lambda: self.accepted, PATIENCE):
                raise Differs("no upstream is wanted")
            return Ear(self.accepted.pop(0))

    def close(self):
        # Without shutdown the thread would still accept one more.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


# A refusal of Gatepost's own names its session at the end; what the upstream said never does (tests/runners/own_reply.h).
SESSION = re.compile(rb" \[([0-9a-z]+-[0-9a-z]+-[0-9a-z]+)\]$")


class Session:
    def __init__(self, transcript, ports, upstream, drain, has_returned):
        """`has_returned`: whether, before long, no connection to the upstream is held by a session."""
        self.transcript, self.ports, self.upstream_port, self.drain, self.has_returned = transcript, ports, upstream, drain, has_returned
        self.client = self.upstream = None
        self.may_have_read = False
        self.upstream_said = b"\n"
        self.session_id = None

    def play(self):
        """Returns the difference, or nothing."""
        try:
            for step in self._blocks():
                try:
                    self._take(step)
                except Differs as differs:
                    return f"{step.where}: {step.mark} {step.text.decode(errors='replace')[:200]}\n  but {differs}"
            return self._nothing_left()
        finally:
            for ear in (self.client, self.upstream):
                if ear:
                    ear.close()

    def _blocks(self):
        """Steps, those that are sent at once as one."""
        block = None
        for step in self.transcript.steps:
            if block and step.mark[:1] == block.mark[:1] and step.mark in ("C:", "C|", "U<", "U<|"):
                block = Raw(block.mark, block.octets + step.octets, block.where)
                continue
            if block:
                yield block
            block = Raw(step.mark, step.octets, step.where) if step.mark in ("C:", "C|", "U<", "U<|") else None
            if not block:
                yield step
        if block:
            yield block

    def _take(self, step):
        if step.mark in ("C:", "C|"):
            self.client.say(step.octets)
        elif step.mark in ("U<", "U<|"):
            self.upstream_said += step.octets
            self.upstream.say(step.octets)
        elif step.mark == "S:":
            self._hears(step, self._words(self.client.line()))
        elif step.mark == "U>":
            self._hears(step, self.upstream.line())
        elif step.mark == "U>|":
            self.upstream.exactly(step.octets)
        elif step.mark == "S|":
            self.client.exactly(step.octets)
        elif step.mark == "S*":
            while (line := self.client.line())[3:4] == b"-":
                pass
            if not self._words(line).startswith(step.octets):
                raise Differs(f"the client hears {line!r}")
        elif step.mark == "":
            self._event(step.text.decode())

    def _words(self, line):
        """The line as the transcript tells it."""
        named = SESSION.search(line)
        words = line[: named.start()] if named else line
        # A code alone (RFC 5321 section 4.2) is passed on with a blank behind it.
        said = any(b"\n" + form + b"\r\n" in self.upstream_said for form in (words, words.rstrip(b" ")))
        must_be_named = re.match(rb"[45]\d\d ", line) is not None and not said
        if bool(named) != must_be_named:
            raise Differs(f"{line[:600]!r} names the session and must not, or does not and must")
        if named and self.session_id not in (None, named[1]):
            raise Differs(f"{line[:600]!r} names another session than {self.session_id} before")
        self.session_id = named[1] if named else self.session_id
        return words

    def _hears(self, step, line):
        if not step.matches(line):
            raise Differs(f"it hears {line[:600]!r}")

    def _event(self, event):
        if event == "connect":
            self.client = Ear(socket.create_connection(("127.0.0.1", self.ports["starttls"]), PATIENCE))
        elif event == "connect tls":
            self.client = Ear(socket.create_connection(("127.0.0.1", self.ports["implicit"]), PATIENCE))
            self._handshake()
        elif event == "tls established":
            self._handshake()
        elif event == "upstream wanted":
            self.upstream = None if self.transcript.has("upstream unreachable") else self.upstream_port.next()
        elif event == "upstream returned":
            # What the upstream says and what the client says next are on different connections: the order is only sure once this is seen.
            if not self.has_returned():
                raise Differs("the upstream is not given back")
        elif event == "upstream lost":
            reset(self.upstream)
            self.upstream = None
        elif event == "upstream read some of it":
            self.may_have_read = True
        elif event in ("upstream dropped", "upstream released"):
            self._upstream_gone()
        elif event == "client closed":
            self.client.close()
            self.client = None
            time.sleep(CLOSE_IS_SEEN)  # before what the upstream says next, which comes by another connection
        elif event.startswith("closed ") and self.client:
            self._must_be_empty("the client", self.client.to_the_end())
        elif event == "drain":
            self.drain()

    def _handshake(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if self.client.unread:
            raise Differs(f"before the handshake the client hears {self.client.unread!r}")
        self.client = Ear(context.wrap_socket(self.client.connection, suppress_ragged_eofs=True))

    def _upstream_gone(self):
        ear, self.upstream = self.upstream, None
        if ear is None:
            return
        rest = ear.to_the_end()
        ear.close()
        if self.may_have_read:
            if b"\r\n.\r\n" in b"\r\n" + rest:
                raise Differs(f"the message was ended: {rest[:600]!r}")
            self.may_have_read = False
        else:
            self._must_be_empty("the upstream", rest)

    def _must_be_empty(self, who, rest):
        if rest:
            raise Differs(f"{who} hears too {rest[:600]!r}")

    def _nothing_left(self):
        time.sleep(0.02)
        for who, ear in (("the client", self.client), ("the upstream", self.upstream)):
            if not ear:
                continue
            if not ear.unread and select.select([ear.connection], [], [], 0)[0]:
                ear.connection.settimeout(0.2)  # what is readable may be TLS's own, such as a ticket
                try:
                    ear.more()
                except Differs:
                    pass
            if ear.unread:
                return f"at the end, {who} hears too {ear.unread[:600]!r}"
        return None


class Raw:
    """A block of octets that are sent at once."""

    def __init__(self, mark, octets, where):
        self.mark, self.octets, self.where = mark, octets, where
        self.text = octets[:200]


def reset(ear):
    """An abrupt end, as of a process that was killed."""
    ear.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ear.close()
