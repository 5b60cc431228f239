"""Who said what: reads the client's transcript (swaks), the octets that the upstream received and Gatepost's log, and makes the rows of one
diagram of them. Nothing in it is assumed: a line stands there because that program said or received it."""
import re
import shlex

SWAKS = re.compile(r"^(<-|<~|<\*\*|<~\*| ->| ~>|\*\*>|===|\*\*\*) ? ?(.*)$")
SHOWN_FIRST = ("AUTH", "STARTTLS", "SIZE", "PIPELINING", "CHUNKING")


class Said:
    """One command, message or reply; `lines` without the code of a reply."""

    def __init__(self, who, lines):
        self.who, self.lines = who, lines

    @property
    def verb(self):
        return self.lines[0].split(" ")[0].upper() if self.who == "client" else self.who


def read_swaks(text):
    """The session as a list of Said: client, message, server and tls."""
    said, in_message, reply = [], False, []
    for line in text.splitlines():
        found = SWAKS.match(line)
        if not found:
            continue
        mark, words = found.group(1).strip(), found.group(2)
        if mark == "===" and words.startswith("TLS started with cipher "):
            protocol, cipher = words.removeprefix("TLS started with cipher ").split(":")[:2]
            said.append(Said("tls", [f"{protocol} {cipher}"]))
        elif mark.startswith("<"):
            reply.append(words)
            if words[3:4] != "-":
                in_message = reply[-1].startswith("354")
                said.append(Said("server", reply))
                reply = []
        elif mark.endswith(">"):
            if in_message and said[-1].who == "message":
                said[-1].lines.append(words)
            else:
                said.append(Said("message" if in_message else "client", [words]))
    return said


def read_wire(octets):
    """The commands that the upstream received on one connection, with `message` where the message came."""
    lines = octets.decode("utf-8", "replace").split("\r\n")
    commands = []
    while lines:
        line = lines.pop(0)
        if line:
            commands.append(line)
        if line.upper() == "DATA" and "." in lines:
            received = [text for text in lines[: lines.index(".")] if text.startswith("Received: ")]
            commands.append("message + Received: field" if received else "message")
            lines = lines[lines.index(".") + 1 :]
    return commands


def read_log(line):
    """A line of Gatepost's log → (event, fields), or None."""
    try:
        _, level, event, *words = shlex.split(line)
    except ValueError:
        return None
    fields = dict(word.partition("=")[::2] for word in words)
    return event, {**fields, "level": level}


def shown_reply(lines):
    """A reply on one line; of several lines the words that matter most."""
    if len(lines) == 1:
        return lines[0]
    words = [line[4:] for line in lines[1:]]
    words.sort(key=lambda word: next((place for place, first in enumerate(SHOWN_FIRST) if word.startswith(first)), len(SHOWN_FIRST)))
    return f"{lines[0][:3]} " + ", ".join(words)


def rows(said, upstream, final_reply):
    """(left cell, right cell) of each row. `upstream` is what read_wire gave, `final_reply` what Gatepost's log says the upstream answered."""
    left_over = list(upstream)
    for one in said:
        if one.who == "tls":
            yield ("=", one.lines[0], ("cyan",)), None
        elif one.who == "server":
            good = one.lines[0][0] in "23"
            last = final_reply if one.lines[0].endswith(final_reply or "\0") else None
            yield ("<", shown_reply(one.lines), ("green",) if good else ("red",)), last and ("<", last, ("green",))
        else:
            yield from command_rows(one, left_over)


def command_rows(one, left_over):
    right = None
    verb = "message" if one.who == "message" else one.verb
    if verb in ("MAIL", "RCPT", "DATA", "QUIT", "message"):
        matching = next((place for place, command in enumerate(left_over) if command.split(" ")[0] == verb), None)
        if matching is not None:
            for command in left_over[:matching]:
                yield None, (">", command, ())
            right = (">", left_over[matching], ("cyan",) if verb == "message" else ())
            del left_over[: matching + 1]
    yield (">", shown_command(one), ("cyan",) if verb == "message" else ()), right


def shown_command(one):
    if one.who == "message":
        subject = next((line for line in one.lines if line.startswith("Subject: ")), f"{len(one.lines)} lines")
        return f"message “{subject.removeprefix('Subject: ')}”"
    secret = re.match(r"(?i)(AUTH \S+ )\S", one.lines[0])
    return secret.group(1) + "••••••••••••" if secret else one.lines[0]
