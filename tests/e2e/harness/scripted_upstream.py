"""An upstream in a thread of the test that follows a script: it takes mail, until a fault is armed for one of its steps.

It models SMTP strictly and remembers what it saw: each connection's dialogue, the messages it *accepted* (250 to their end of data), those that
were *complete* (the end of data was seen, whatever came of it), and `violations`: what no client may do (MAIL inside a transaction, XCLIENT twice …).
"""
import asyncio
import dataclasses
import re
import socket
import struct
import threading

from .process import free_port, wait_until

STEPS = ("connect", "greeting", "ehlo", "starttls", "handshake", "xclient", "mail", "rcpt", "data", "body", "chunk", "end_of_data", "rset", "quit", "idle")
EXTENSIONS = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "DSN", "SIZE 50000000")
XCLIENT = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN"


@dataclasses.dataclass
class Message:
    sender: str
    recipients: list
    data: bytes  # without the dots that were doubled
    login: str | None  # XCLIENT's, None when there was none
    connection: int

    @property
    def id(self):
        found = re.search(rb"^X-Id: (\S+)\r\n", self.data, re.M)
        return found.group(1).decode() if found else None


class _Over(Exception):
    """This connection's script has come to its end."""


class Action:
    """What is done at a step instead of `usual`, the reply that belongs there. `takes_effect`: the command counts as obeyed."""

    def __init__(self, run, takes_effect=False):
        self.run, self.takes_effect = run, takes_effect


def reply(text):
    async def run(connection, usual):
        connection.say(text if text.endswith("\n") else text + "\r\n")

    return Action(run)


def reset():
    async def run(connection, usual):
        connection.reset()
        raise _Over

    return Action(run)


def close(first="", usual_first=False):
    """`usual_first`: the step is obeyed, and the connection closed in the same moment."""

    async def run(connection, usual):
        connection.say(usual if usual_first else first)
        connection.writer.close()
        raise _Over

    return Action(run, takes_effect=usual_first)


def half_close():
    async def run(connection, usual):
        connection.note("!", "half-closed")
        connection.writer.write_eof()
        await connection.swallow()

    return Action(run)


def black_hole():
    async def run(connection, usual):
        connection.note("!", "silent from here on")
        await connection.swallow()

    return Action(run)


def frozen():
    """Reads nothing any more, either."""

    async def run(connection, usual):
        connection.note("!", "frozen")
        connection.writer.transport.pause_reading()
        await connection.released.wait()
        raise _Over

    return Action(run)


def drip(delay, takes_effect=True):
    """The usual reply, octet by octet."""

    async def run(connection, usual):
        connection.note("!", f"dripping {usual}")
        for octet in usual.encode():
            if connection.writer.is_closing() or connection.reader.exception():
                raise _Over
            await asyncio.sleep(delay)
            connection.writer.write(bytes([octet]))

    return Action(run, takes_effect)


def long_line(octets=5000):
    async def run(connection, usual):
        connection.say(usual[:3] + " " + "x" * octets + "\r\n")

    return Action(run)


def many_lines(lines=2000):
    async def run(connection, usual):
        connection.say((usual[:3] + "-" + "y" * 60 + "\r\n") * lines + usual[:3] + " end\r\n")

    return Action(run)


def extra(text="250 2.0.0 And another"):
    """The usual reply, and in the same packet one that nobody asked for."""

    async def run(connection, usual):
        connection.say(usual + text + "\r\n")

    return Action(run, takes_effect=True)


class Fault:
    """Armed: `step`, once, on the `nth` occasion from now, on any connection, a fresh or (reused=True) a reused one."""

    def __init__(self, step, action, reused=None, nth=1):
        assert step in STEPS
        self.step, self.action, self.reused, self.nth = step, action, reused, nth
        self.begun, self.fired = threading.Event(), threading.Event()

    def hits(self, step, connection):
        if self.begun.is_set() or step != self.step or self.reused not in (None, connection.transactions > 0):
            return False
        self.nth -= 1
        return self.nth == 0


class Connection:
    def __init__(self, upstream, number, reader, writer):
        self.upstream, self.number, self.reader, self.writer = upstream, number, reader, writer
        self.peer = writer.get_extra_info("peername")[0]
        self.dialogue = []
        self.transactions = 0  # MAILs that it has seen
        self.is_over = False
        self.released = asyncio.Event()
        self.login = None
        self.has_greeted = False
        self.xclients = 0
        self.forget()

    def forget(self):
        self.sender, self.recipients, self.body, self.chunked = None, [], b"", False

    @property
    def in_transaction(self):
        return self.sender is not None

    def note(self, who, text):
        self.dialogue.append(f"{who} {text[:200]}")

    def say(self, text):
        if not text:
            return
        self.note("<", text.rstrip().replace("\r\n", " | "))
        self.writer.write(text.encode())

    def reset(self):
        self.note("!", "reset")
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def swallow(self):
        while await self.reader.read(65536):
            pass
        raise _Over

    def violated(self, what):
        self.upstream.violations.append(f"connection {self.number}: {what}\n" + "\n".join(self.dialogue[-20:]))

    async def step(self, name, usual, effect=lambda: None):
        """True: the step is obeyed; then `effect` was called before a word was said about it."""
        fault = self.upstream._fault(name, self)
        if fault is None:
            effect()
            self.say(usual)
            return True
        self.note("!", f"fault at {name}")
        fault.begun.set()
        if fault.action.takes_effect:
            effect()
        try:
            await fault.action.run(self, usual)
        finally:
            fault.fired.set()
        return fault.action.takes_effect

    async def serve(self):
        await self.step("connect", "")
        await self.step("greeting", "220 mta.example ESMTP\r\n")
        while line := await self.reader.readline():
            if not line.endswith(b"\n"):
                break
            text = line.decode(errors="replace").rstrip("\r\n")
            self.note(">", text)
            await self.obey(text)
        self.note(">", "(end)")

    async def obey(self, line):
        verb, _, argument = line.partition(" ")
        name = verb.lower()
        if hasattr(self, "do_" + name):
            await getattr(self, "do_" + name)(argument)
        else:
            self.violated(f"unknown: {line}")
            self.say("500 5.5.1 What?\r\n")

    async def do_ehlo(self, argument, offer=True):
        self.forget()
        words = ["mta.example", *(self.upstream.extensions if offer else ())]
        if offer and self.upstream.tls and not self.writer.get_extra_info("ssl_object"):
            words.append("STARTTLS")
        usual = "".join(f"250{' ' if word is words[-1] else '-'}{word}\r\n" for word in words)
        if await self.step("ehlo", usual):
            self.has_greeted = True

    async def do_helo(self, argument):
        await self.do_ehlo(argument, offer=False)

    async def do_starttls(self, argument):
        context = self.upstream.tls
        if not await self.step("starttls", "220 2.0.0 Go\r\n"):
            return
        await self.step("handshake", "")
        await self.writer.start_tls(context)
        self.has_greeted = False

    async def do_xclient(self, argument):
        if not any(word.startswith("XCLIENT") for word in self.upstream.extensions):
            self.violated("XCLIENT was not offered")
        if self.in_transaction:
            self.violated("XCLIENT inside a transaction")
        attributes = dict(word.split("=", 1) for word in argument.split())
        self.xclients += 1
        if "ADDR" in attributes and self.xclients > 1:
            self.violated("a second XCLIENT with ADDR")
        if not await self.step("xclient", "220 mta.example ESMTP\r\n"):
            return
        self.forget()
        self.has_greeted = False
        if "LOGIN" in attributes:
            login = re.sub(r"\+([0-9A-F]{2})", lambda octet: chr(int(octet.group(1), 16)), attributes["LOGIN"]).encode("latin-1").decode()
            self.login = None if login.upper() == "[UNAVAILABLE]" else login

    async def do_mail(self, argument):
        if not self.has_greeted:
            self.violated("MAIL before EHLO")
        if self.in_transaction:
            self.violated("MAIL inside a transaction")
        sender = re.match(r"FROM:<([^>]*)>", argument, re.I).group(1)
        refusal = self.upstream.refuse(sender)
        usual = f"{refusal}\r\n" if refusal else "250 2.1.0 Sender fine\r\n"
        if await self.step("mail", usual) and not refusal:
            self.sender = sender
        self.transactions += 1

    async def do_rcpt(self, argument):
        recipient = re.match(r"TO:<([^>]*)>", argument, re.I).group(1)
        refusal = self.upstream.refuse(recipient) if self.in_transaction else "503 5.5.1 MAIL first"
        usual = f"{refusal}\r\n" if refusal else "250 2.1.5 Recipient fine\r\n"
        if await self.step("rcpt", usual) and not refusal:
            self.recipients.append(recipient)

    async def do_data(self, argument):
        if not self.recipients:
            return self.say("503 5.5.1 RCPT first\r\n" if not self.in_transaction else "554 5.5.1 No valid recipients\r\n")
        if not await self.step("data", "354 Go on\r\n"):
            return None
        lines = []
        while True:
            line = await self.reader.readline()
            if not line.endswith(b"\n"):
                self.note(">", "(end inside message data)")
                raise _Over
            if not lines:
                await self.step("body", "")
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        self.body = b"".join(lines)
        await self.end_of_data()

    async def do_bdat(self, argument):
        size, _, last = argument.partition(" ")
        if not self.recipients:
            self.violated("BDAT without a recipient")
        await self.step("body", "")
        try:
            self.body += await self.reader.readexactly(int(size))
        except asyncio.IncompleteReadError:
            self.note(">", "(end inside a chunk)")
            raise _Over from None
        if last:
            await self.end_of_data()
        else:
            await self.step("chunk", "250 2.0.0 Octets fine\r\n")

    async def end_of_data(self):
        message = Message(self.sender, self.recipients, self.body, self.login, self.number)
        self.note(">", f"({len(self.body)} octets of message data: {message.id})")
        self.upstream.complete.append(message)
        self.forget()
        if refusal := self.upstream.refuse_message(message):
            return self.say(f"{refusal}\r\n")
        if await self.step("end_of_data", "250 2.0.0 Taken\r\n", lambda: self.upstream.accepted.append(message)):
            if self.upstream._awaits("idle"):
                await asyncio.sleep(0.05)  # until the connection lies in the pool
            await self.step("idle", "")
        return None

    async def do_rset(self, argument):
        if await self.step("rset", "250 2.0.0 Forgotten\r\n"):
            self.forget()

    async def do_noop(self, argument):
        self.say("250 2.0.0 Ok\r\n")

    async def do_quit(self, argument):
        await self.step("quit", "221 2.0.0 Bye\r\n")
        raise _Over


class ScriptedUpstream:
    """`extensions` (what the next EHLO offers) and `tls` (a server's SSLContext, None: no STARTTLS) may be changed at any time."""

    def __init__(self, extensions=EXTENSIONS, host="127.0.0.1"):
        self.extensions, self.tls, self.host = tuple(extensions), None, host
        self.connections, self.accepted, self.complete, self.violations = [], [], [], []
        self.faults = []
        self.chaos = None  # called with each step and its connection: a Fault, or None
        self.server = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port = free_port()  # not one of outgoing connections, which might have it when it listens again
        self.listen()

    @staticmethod
    def refuse(address):
        """The reply that refuses this sender or recipient."""
        return "550 5.1.1 Nobody of that name" if address.startswith("refused") else None

    @staticmethod
    def refuse_message(message):
        return "554 5.6.0 Not that" if b"\r\nX-Refuse:" in message.data else None

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def listen(self):
        """Also again, after shut()."""

        async def start():
            self.server = await asyncio.start_server(self._serve, self.host, self.port, limit=1 << 20, backlog=200)
            self.port = self.server.sockets[0].getsockname()[1]

        self._call(start())

    def shut(self):
        """Who connects is refused; the connections that are live on."""

        async def close():
            self.server.close()

        self._call(close())

    def kill(self):
        """Refuses connections and resets all that are."""

        async def kill():
            self.server.close()
            for connection in self.live():
                connection.reset()

        self._call(kill())

    def disconnect(self):
        """Closes what is idle, and waits until the other side has, too: nobody has a connection any more."""

        async def close():
            for connection in self.connections:
                if not connection.is_over and not connection.writer.is_closing():
                    connection.note("!", "disconnected")
                    connection.released.set()
                    connection.writer.write_eof() if connection.writer.can_write_eof() else connection.writer.close()

        self._call(close())
        assert wait_until(lambda: not self.live(), 10), self.dialogue()

    def live(self):
        return [connection for connection in self.connections if not connection.is_over]

    def stop(self):

        async def end():
            self.server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    def arm(self, step, action, **where):
        fault = Fault(step, action, **where)
        self.faults.append(fault)
        return fault

    def disarm(self):
        self.faults.clear()

    def _fault(self, step, connection):
        if self.chaos:
            return self.chaos(step, connection)
        return next((fault for fault in list(self.faults) if fault.hits(step, connection)), None)

    def _awaits(self, step):
        return any(fault.step == step and not fault.begun.is_set() for fault in self.faults)

    def clear(self):
        """Forgets what was seen; connections live on."""
        self.disarm()
        for seen in (self.accepted, self.complete, self.violations):
            seen.clear()
        self.connections = self.live()
        for connection in self.connections:
            connection.dialogue.clear()

    def dialogue(self):
        """What was said, `>` by Gatepost and `<` by this upstream."""
        return "\n".join(f"{connection.number} {line}" for connection in self.connections for line in connection.dialogue)

    async def _serve(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self, len(self.connections) + 1 if not self.connections else self.connections[-1].number + 1, reader, writer)
        self.connections.append(connection)
        try:
            await connection.serve()
        except (_Over, OSError, asyncio.CancelledError):
            pass
        except Exception as error:
            connection.violated(f"the script broke: {error!r}")
        finally:
            connection.is_over = True
            writer.close()
