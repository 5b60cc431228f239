"""Many clients of a balancer, who send all the time and come again when they are told 421 before a transaction, as every MTA does. Anything else that goes wrong is in `faults`."""
import asyncio
import collections
import random
import ssl
import threading

from .client import plain
from .ledger import HOW, stuffed
from .load import Leaving, Talk
from .process import wait_until

PATIENCE = 60  # seconds without an answer are a lost one


class TicketHolder(ssl.SSLContext):
    """Shows the ticket that it was given last, as asyncio alone would not. `giver` is who gave it."""

    session, giver = None, None

    def wrap_bio(self, *words, **more):
        return super().wrap_bio(*words, **more, session=self.session)

    @classmethod
    def of_version(cls, version):
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        return context


class Caller:
    """One client. Each second one keeps its session as long as it may, each fourth is deaf while it rests (so its MAIL crosses a 421), each tenth takes `slow` seconds over a message, by DATA or between two BDAT."""

    slow = 2.5

    def __init__(self, load, number, door, metered):
        self.load, self.number, self.door, self.metered = load, number, door, metered
        self.sender, self.address = f"client{number}@example.com", f"127.1.{number // 200}.{number % 200 + 1}"
        self.keeps, self.is_deaf, self.is_slow = number % 2 == 0, number % 4 == 0, number % 10 == 8
        self.has_chunks = number % 20 == 8
        self.tls = TicketHolder.of_version((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)[number // 2 % 2])
        self.message, self.wished, self.server = None, None, None

    async def run(self):
        await asyncio.sleep(random.random() * self.load.pause)
        while not self.load.is_over():
            was_done = await self._visit()
            if was_done and not self.keeps:
                await self._rest()

    async def _visit(self):
        """False: told to come again."""
        self._wish()
        more = {"ssl": self.tls, "server_hostname": "localhost"} if self.door.tls == "implicit" else {}
        async with asyncio.timeout(PATIENCE):
            talk = Talk(*await asyncio.open_connection("127.0.0.1", self.door.port, local_addr=(self.address, 0), **more))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._introduce(talk)
            await self._send_some(talk)
            await talk.command("QUIT", 221)
            await talk.at_end()
            return True
        except Leaving as leaving:
            assert not talk.began, f"cut inside a transaction: {leaving}"
            self.load.seen["421"] += 1
            await talk.at_end()
            return False
        finally:
            talk.close()

    async def _introduce(self, talk):
        self.server = (await talk.reply(220)).texts[0].split()[0]
        self.load.seen["connections"] += 1
        if self.door.tls == "implicit":
            self._shook_hands(talk)
        await talk.command("EHLO client.example", 250)
        if self.door.tls == "starttls":
            await talk.command("STARTTLS", 220)
            await talk.writer.start_tls(self.tls, server_hostname="localhost")
            self._shook_hands(talk)
            await talk.command("EHLO client.example", 250)
        if self.door.tls != "none":
            self._keep_ticket(talk.writer.get_extra_info("ssl_object").session)
        if self.door.user:
            await talk.command(f"AUTH PLAIN {plain(self.door.user, self.door.password)}", 235)

    def _keep_ticket(self, session):
        """Who resumed one of TLS 1.2 may have been given no new one: then it is still the giver's."""
        if session != self.tls.session:
            self.tls.session, self.tls.giver = session, self.server

    def _shook_hands(self, talk):
        if self.tls.session is None:
            self.load.seen["first handshakes"] += 1
        elif talk.writer.get_extra_info("ssl_object").session_reused:
            self.load.seen["resumed"] += 1
            self.load.resumed[self.tls.giver, self.server] += 1
        else:
            self.load.seen["not resumed"] += 1

    async def _send_some(self, talk):
        while True:
            self._wish()
            async with asyncio.timeout(PATIENCE):
                await self._send(talk)
            if not self.keeps or self.load.is_over():
                return
            await self._rest(None if self.is_deaf else talk)
            if self.load.is_over():
                return

    def _wish(self):
        """From now on it has something to send."""
        self.wished = self.wished or self.load.loop.time()
        self.message = self.message or self.load.ledger.message()

    async def _send(self, talk):
        identity, data = self.message
        attempt = self.load.ledger.begin(identity, self.sender, ["bob@example.net"], data, self.door.user)
        try:
            if self.metered or self.is_slow:
                await self._step_by_step(talk, attempt)
            else:
                await talk.transaction(HOW[(self.number // 2 + self.load.seen["accepted"]) % len(HOW)], attempt)
        except Leaving as leaving:
            attempt.reply = leaving.reply
            raise
        if attempt.reply == 250:
            self.load.seen["accepted"] += 1
            self.load.served[self.server] += 1
            self.load.waited(self.wished, self.slow if self.is_slow else 0)
        else:
            self.load.seen["limited"] += 1
            self.load.refusals[self.server] += 1
        self.message = self.wished = None

    async def _step_by_step(self, talk, attempt):
        attempt.reply = await talk.command(f"MAIL FROM:<{self.sender}>")
        if self.metered and attempt.reply == "451 4.7.1":
            return
        assert attempt.reply == 250, attempt.reply
        attempt.reply, talk.began = None, True
        await talk.command(f"RCPT TO:<{attempt.recipients[0]}>", 250)
        half = len(attempt.data) // 2
        if self.has_chunks:
            first, rest = attempt.data[:half], b"BDAT %d LAST\r\n" % (len(attempt.data) - half) + attempt.data[half:]
            talk.send(b"BDAT %d\r\n" % half + first)
            await talk.reply(250)
        else:
            await talk.command("DATA", 354)
            octets = stuffed(attempt.data) + b".\r\n"
            first, rest = octets[:half], octets[half:]
            talk.send(first)
        if self.is_slow:
            await asyncio.sleep(self.slow)
        attempt.after_data = True
        talk.send(rest)
        attempt.reply = await talk.reply(250)
        talk.began = False

    async def _rest(self, talk=None):
        """Who is not deaf hears a 421 at once."""
        end = self.load.loop.time() + (0 if self.metered and self.load.hurry else self.load.pause * (0.5 + random.random()) * (2 if self.metered else 1))
        while not self.load.is_over() and (left := end - self.load.loop.time()) > 0:
            if talk is None:
                await asyncio.sleep(min(left, 0.5))
                continue
            try:
                unasked = await asyncio.wait_for(talk.reply(), min(left, 0.5))
            except asyncio.TimeoutError:
                continue
            raise AssertionError(f"nobody asked for it: {unasked}")


class ReturningLoad:
    """`doors` and the `metered` one (whose user a limit counts, so that a 451 4.7.1 is no fault; `refusals` counts it by the server's name) are given to `count` clients, each tenth of them metered.

    `seen` counts connections, accepted, limited, 421, first handshakes, resumed, not resumed; `served` the accepted ones by the server's name; `resumed` sessions by who gave
    the ticket and who took it. With hurry=True the metered ones rest no more.
    """

    def __init__(self, doors, metered, ledger, count, pause):
        self.ledger, self.pause, self.hurry = ledger, pause, False
        self.faults, self.seen, self.served, self.resumed, self.longest = [], collections.Counter(), collections.Counter(), collections.Counter(), 0.0
        self.refusals, self._stopping = collections.Counter(), False
        self.loop = asyncio.new_event_loop()
        self.callers = [Caller(self, number, metered if number % 10 == 4 else doors[number % len(doors)], number % 10 == 4) for number in range(count)]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        async def all_of_them():
            await asyncio.gather(*map(self._one, self.callers))

        self.loop.run_until_complete(all_of_them())
        self.loop.close()

    async def _one(self, caller):
        try:
            await caller.run()
        except Exception as error:  # noqa: BLE001  whatever it is, it must not be
            self.faults.append(f"client {caller.number} at {caller.server} through {caller.door}: {error!r}")

    def is_over(self):
        return self._stopping or bool(self.faults)

    def waited(self, since, on_purpose):
        self.longest = max(self.longest, self.loop.time() - since - on_purpose)

    def check(self):
        assert not self.faults, f"{len(self.faults)} faults, {dict(self.seen)}: {self.faults[:3]}"

    def wait_for(self, what, how_many, seconds=60):
        """Until so many more were seen of it."""
        goal = self.seen[what] + how_many
        assert wait_until(lambda: self.seen[what] >= goal or self.faults, seconds, 0.05), self.seen
        self.check()

    def stop(self, seconds=90):
        """What is under way is finished."""
        self._stopping = True
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"clients are left hanging: {self.seen}"
        self.check()
