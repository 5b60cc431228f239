"""Who was told what about which message, held against what an upstream has: the promise that 250 means there, and anything else means not, or try again."""
import collections
import contextlib
import itertools
import re
import threading

from .client import Closed


class Attempt:
    """`reply` is what ended it, None while (or if never) told; `after_data`: the end of data had been sent by then."""

    def __init__(self, sender, recipients, data, user):
        self.sender, self.recipients, self.data, self.user = sender, list(recipients), data, user
        self.reply, self.after_data = None, False


class Ledger:
    def __init__(self, prefix="m"):
        self.attempts = collections.defaultdict(list)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.prefix = prefix

    def message(self, text=b"text\r\n..dots\r\n.\r\n", fields=b""):
        """(a new id, message data that carries it)"""
        with self._lock:
            number = f"{self.prefix}{next(self._numbers)}"
        return number, f"X-Id: {number}\r\n".encode() + fields + b"Subject: scripted\r\n\r\n" + text

    def begin(self, number, *words):
        attempt = Attempt(*words)
        with self._lock:
            self.attempts[number].append(attempt)
        return attempt

    @staticmethod
    def dialogue(upstreams, *numbers):
        """What was said on the connections that saw these messages, or on all when none did."""
        all_of_them = [connection for upstream in upstreams for connection in upstream.connections]
        marks = [f": {number})" for number in numbers]
        those = [connection for connection in all_of_them if any(mark in line for mark in marks for line in connection.dialogue)]
        return "".join(f"\n\n{connection.number} " + f"\n{connection.number} ".join(connection.dialogue[-60:]) for connection in those or all_of_them[-5:])

    def assert_agrees(self, *upstreams, exactly=True):
        """`exactly`: no reply was lost on its way, so that what is not 250 was not accepted."""
        accepted = collections.Counter(message.id for upstream in upstreams for message in upstream.accepted)
        complete = collections.Counter(message.id for upstream in upstreams for message in upstream.complete)
        strangers = set(complete) - set(self.attempts)
        assert not strangers, f"nobody sent {strangers}{self.dialogue(upstreams, *strangers)}"
        for number, attempts in list(self.attempts.items()):
            told = [attempt.reply for attempt in attempts]
            fine = sum(attempt.reply == 250 for attempt in attempts)
            unknown = sum(attempt.reply is None for attempt in attempts)
            again = sum(attempt.after_data and attempt.reply is not None and 400 <= attempt.reply.code < 500 for attempt in attempts)
            refused = sum(attempt.after_data and attempt.reply is not None and attempt.reply.code >= 500 for attempt in attempts)
            facts = f"{number}: the client was told {told}, the upstream accepted it {accepted[number]} and saw it whole {complete[number]} times"

            def said(number=number):
                return self.dialogue(upstreams, number)

            assert accepted[number] >= fine, f"lost after 250: {facts}{said()}"
            assert accepted[number] <= fine + unknown + (0 if exactly else again), f"accepted, and the client not told so: {facts}{said()}"
            assert complete[number] <= fine + unknown + again + refused, f"sent twice: {facts}{said()}"
        for upstream in upstreams:
            assert not upstream.violations, upstream.violations[0]

    def assert_unmixed(self, *upstreams, identity=False):
        """Each accepted message is one client's: its sender, recipients and octets, and with `identity` the user in force."""
        for upstream in upstreams:
            for message in upstream.accepted:
                found = [attempt for attempt in self.attempts[message.id] if attempt.sender == message.sender]
                assert found, f"{message} has another's sender, not {self.attempts[message.id][0].sender}{self.dialogue([upstream], message.id)}"
                attempt = found[-1]
                data = re.sub(rb"\AReceived: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", b"", message.data)
                assert (message.recipients, data) == (attempt.recipients, attempt.data), f"{message} is not {vars(attempt)}"
                if identity:
                    assert message.login == attempt.user, f"{message} was sent by {attempt.user}{self.dialogue([upstream], message.id)}"


def stuffed(data):
    return re.sub(rb"(?m)^\.", b"..", data)


HOW = ("data", "pipelined", "bdat", "chunks")


class Sender:
    """One client's session, whose transactions go into the ledger."""

    def __init__(self, ledger, client, user=None):
        self.ledger, self.client, self.user = ledger, client, user

    def send(self, how="data", sender="alice@example.com", recipients=("bob@example.net",), message=None, midway=None, taken=None, parameters=""):
        """One transaction; the reply that ended it. `midway` is called with half of the message sent; `taken` are the recipients that will be."""
        number, data = message or self.ledger.message()
        attempt = self.ledger.begin(number, sender, recipients if taken is None else taken, data, self.user)
        with contextlib.suppress(Closed):
            attempt.reply = self._send(attempt, how, f"{sender}>{parameters}", recipients, data, midway)
        return attempt.reply

    def _send(self, attempt, how, sender, recipients, data, midway):
        client = self.client
        commands = [f"MAIL FROM:<{sender}", *(f"RCPT TO:<{recipient}>" for recipient in recipients)]
        if how == "pipelined":
            client.send("\r\n".join([*commands, "DATA", ""]))
            replies = [client.reply() for _ in range(len(commands) + 1)]
            if replies[0] == 250 and not any(reply == 250 for reply in replies[1:-1]):
                assert replies[-1].code > 400, replies
                assert client.command("RSET") == 250
        else:
            replies = [client.command(commands[0])]
            if replies[0] == 250:
                replies += [client.command(command) for command in commands[1:]]
            may_go_on = any(reply == 250 for reply in replies[1:])
            if may_go_on and how == "data":
                replies.append(client.command("DATA"))
            elif replies[0] == 250 and not may_go_on:
                assert client.command("RSET") == 250
        if how in ("data", "pipelined"):
            if replies[-1] != 354:
                return refusal_in(replies)
            octets, half = stuffed(data) + b".\r\n", len(data) // 2
            client.send(octets[:half])
            if midway:
                midway()
            attempt.after_data = True
            client.send(octets[half:])
            return client.reply()
        if not may_go_on:
            return refusal_in(replies)
        half = len(data) // 2
        if how == "chunks":
            client.send(b"BDAT %d\r\n" % half + data[:half])
            first = client.reply()
            if first != 250:
                assert client.command("RSET") == 250  # RFC 3030 section 4.1 demands it
                return first
            data, half = data[half:], (len(data) - half) // 2
        client.send(b"BDAT %d LAST\r\n" % len(data) + data[:half])
        if midway:
            midway()
        attempt.after_data = True
        client.send(data[half:])
        return client.reply()


def refusal_in(replies):
    return next(reply for reply in replies if reply.code >= 400)
