"""Many clients at once, of every kind, in one thread: they send until they are told to stop. What must not be is in `faults`; what was promised, in a ledger."""
import asyncio
import collections
import dataclasses
import random
import threading

from .client import Closed, Reply, plain, trusting_context
from .ledger import HOW, stuffed
from .process import wait_until


@dataclasses.dataclass(frozen=True)
class Door:
    """Where, and as whom, a client comes in."""

    port: int
    tls: str = "none"  # none, starttls, implicit
    user: str | None = None
    password: str | None = None


class Leaving(Exception):
    """The server said 421."""

    def __init__(self, reply):
        super().__init__(repr(reply))
        self.reply = reply


class Talk:
    """One connection; octets as they are told."""

    context = trusting_context()

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.began = False  # a transaction that the server has accepted

    @classmethod
    async def open(cls, door):
        tls = {"ssl": cls.context, "server_hostname": "localhost"} if door.tls == "implicit" else {}
        talk = cls(*await asyncio.open_connection("127.0.0.1", door.port, **tls))
        try:
            await talk.reply()
            await talk.command("EHLO client.example", 250)
            if door.tls == "starttls":
                await talk.command("STARTTLS", 220)
                await talk.writer.start_tls(cls.context, server_hostname="localhost")
                await talk.command("EHLO client.example", 250)
            if door.user:
                await talk.command(f"AUTH PLAIN {plain(door.user, door.password)}", 235)
        except BaseException:
            talk.close()
            raise
        return talk

    async def reply(self, code=None):
        lines = []
        while not lines or lines[-1][3:4] == "-":
            line = await self.reader.readline()
            if not line.endswith(b"\r\n"):
                raise Closed(f"after {line!r}")
            lines.append(line[:-2].decode())
        reply = Reply(lines)
        if reply.code == 421:
            raise Leaving(reply)
        assert code is None or reply == code, f"{reply!r} is not {code}"
        return reply

    def send(self, octets):
        self.writer.write(octets if isinstance(octets, bytes) else octets.encode())

    async def command(self, line, code=None):
        self.send(line + "\r\n")
        return await self.reply(code)

    async def at_end(self):
        """Nothing more comes, and the end is no reset."""
        rest = await self.reader.read()
        assert not rest, f"after 421: {rest!r}"

    def close(self):
        self.writer.close()

    async def transaction(self, how, attempt):
        """Every step must succeed; 421 may come instead of an answer to MAIL only (`began` says whether it was later)."""
        mail, rcpt = f"MAIL FROM:<{attempt.sender}>\r\n", f"RCPT TO:<{attempt.recipients[0]}>\r\n"
        data = attempt.data
        begin = {"data": mail, "chunks": mail, "pipelined": mail + rcpt + "DATA\r\n", "bdat": mail + rcpt + f"BDAT {len(data)} LAST\r\n"}[how]
        attempt.after_data = how == "bdat"
        self.send(begin.encode() + (data if how == "bdat" else b""))
        await self.reply(250)
        self.began = True
        if begin == mail:
            self.send(rcpt)
        await self.reply(250)
        if how == "data":
            self.send("DATA\r\n")
        if how in ("data", "pipelined"):
            await self.reply(354)
            attempt.after_data = True
            self.send(stuffed(data) + b".\r\n")
        elif how == "chunks":
            half = len(data) // 2
            self.send(f"BDAT {half}\r\n".encode() + data[:half])
            await self.reply(250)
            attempt.after_data = True
            self.send(f"BDAT {len(data) - half} LAST\r\n".encode() + data[half:])
        attempt.reply = await self.reply(250)
        self.began = False


class Load:
    """`count` senders, spread over the doors; each second one keeps its session, the others open one a message. They rest `pause` seconds, more or less, between messages.

    With may_leave=True (settable at any time) a server may say 421 between transactions, close while a session is opened, and refuse connections: then that sender is done.
    """

    def __init__(self, doors, ledger, count, pause=0.0, may_leave=False):
        self.doors, self.ledger, self.pause, self.may_leave = doors, ledger, pause, may_leave
        self.faults, self.seen = [], collections.Counter()  # seen: accepted, opened, told 421, closed while it was opened, refused
        self._stopping = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._thread, args=(count,), daemon=True)
        self.thread.start()

    def _thread(self, count):
        async def all_of_them():
            await asyncio.gather(*(self._sender(number) for number in range(count)))

        self.loop.run_until_complete(all_of_them())
        self.loop.close()

    async def _sender(self, number):
        await asyncio.sleep(random.random() * self.pause)
        done = False
        while not (done or self._stopping or self.faults):
            try:
                done = await self._visit(self.doors[number % len(self.doors)], number)
            except Exception as error:  # whatever it is, it must not be
                self.faults.append(f"sender {number} {self.doors[number % len(self.doors)]}: {error!r}")

    async def _visit(self, door, number):
        """True: the server is gone."""
        try:
            talk = await Talk.open(door)
        except ConnectionRefusedError:
            return self._left("refused")
        except Leaving:
            return self._left("told 421")
        except (Closed, ConnectionResetError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # a real reset; asyncio says the same of an end within a handshake, without a number
            return self._left("closed while it was opened")
        self.seen["opened"] += 1
        try:
            keeps = number // len(self.doors) % 2 == 0
            while not (self._stopping or self.faults):
                await self._send(talk, number)
                if not keeps:
                    break
            await talk.command("QUIT", 221)
        except Leaving as leaving:
            assert not talk.began, f"cut inside a transaction: {leaving}"
            await talk.at_end()
            return self._left("told 421")
        finally:
            talk.close()
        return False

    async def _send(self, talk, number):
        identity, data = self.ledger.message()
        attempt = self.ledger.begin(identity, f"sender{number}@example.com", ["bob@example.net"], data, None)
        try:
            await talk.transaction(HOW[(number // 2 + self.seen["accepted"]) % len(HOW)], attempt)
        except Leaving as leaving:
            attempt.reply = leaving.reply
            raise
        self.seen["accepted"] += 1
        await self._rest()

    async def _rest(self):
        end = self.loop.time() + self.pause * (0.5 + random.random())
        while not self._stopping and (left := end - self.loop.time()) > 0:
            await asyncio.sleep(min(left, 0.5))

    def _left(self, how):
        assert self.may_leave, f"{how}, and nobody said that it may"
        self.seen[how] += 1
        return True

    def wait_for(self, accepted, seconds=20):
        """Until so many more messages were accepted."""
        goal = self.seen["accepted"] + accepted
        assert wait_until(lambda: self.seen["accepted"] >= goal or self.faults, seconds), self.seen
        self.check()

    def check(self):
        assert not self.faults, f"{len(self.faults)} faults, {dict(self.seen)}: {self.faults[:3]}"

    def join(self, seconds=20):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"clients are left hanging: {self.seen}"
        self.check()

    def stop(self, seconds=20):
        """What is under way is finished."""
        self._stopping = True
        self.join(seconds)
