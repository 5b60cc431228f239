"""The quickstart after its first message: shows each new message at the upstream, and what Gatepost says about sessions that brought none."""
import json
import signal
import time

from programs import Problem, tail
from screen import clipped, printable
from transcript import read_log

WIDTH, BODY_LINES = 76, 8
KEPT = ("received", "from", "to", "subject")


def show_message(screen, path, envelope):
    """A message as the upstream has it: the fields that tell something, and the beginning of its text."""
    head, _, body = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")
    lines, keep = [], False
    for line in head.split("\n"):
        folded = line[:1] in (" ", "\t")
        keep = keep if folded else line.partition(":")[0].lower() in KEPT
        if keep:
            lines.append((line, lines[-1][1] if folded else "dim" if line.startswith("Received") else None))
    text = body.rstrip().split("\n") if body.strip() else []
    lines += [("", None)] * bool(text) + [(line, "bold") for line in text[:BODY_LINES]]
    if len(text) > BODY_LINES:
        lines.append((f"… and {len(text) - BODY_LINES} lines more", "dim"))
    title = f"{address(envelope['mail'])} → {', '.join(map(address, envelope['rcpt']))}"
    about = f"· {envelope['size']} octets · {path.name}"
    screen.line(f"   {clipped(printable(title), 50)} {screen.paint(about, 'dim')}")
    for line, style in lines:
        screen.line(f"   │ {screen.paint(clipped(printable(line), WIDTH - 2), *[style] * bool(style))}".rstrip())


def address(line):
    """The address of a MAIL or RCPT line."""
    return line.partition("<")[2].rpartition(">")[0] or "<>"


class Watch:
    def __init__(self, screen, state, servers):
        self.screen, self.state, self.servers = screen, state, servers
        self.log = open(state / "gatepost.log", errors="replace")
        self.log.seek(0, 2)
        self.seen = len(list(state.glob("messages/*.eml")))
        self.partial = ""

    def run(self):
        """Until Ctrl-C; a Problem when a server ends by itself."""
        # Set here, because who was started in the background of a shell has inherited that SIGINT is ignored.
        ended = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: ended.append(True))
        while not ended:
            for server in self.servers:
                if not server.alive():
                    raise Problem(server.name, f"has ended by itself; the last lines of {server.log}:", *tail(server.log))
            self.messages()
            self.events()
            time.sleep(0.1)
        raise KeyboardInterrupt

    def messages(self):
        paths = sorted(self.state.glob("messages/*.eml"))
        for path in paths[self.seen :]:
            self.screen.line()
            show_message(self.screen, path, json.loads(path.with_suffix(".env").read_text()))
        self.seen = len(paths)

    def events(self):
        text = self.partial + self.log.read()
        *lines, self.partial = text.split("\n")
        for line in lines:
            if (found := read_log(line)) and (words := sentence(*found)):
                style = "dim" if found[0] == "session" else "yellow"
                self.screen.line(f"   {self.screen.paint(clipped(printable(words), WIDTH), style)}")


def sentence(event, fields):
    """What a person would say of a log line; None for what is not worth it."""
    if event == "session":
        return f"{who(fields)}: {counted(fields, 'messages')}, {counted(fields, 'commands')}, {fields.get('reason')}"
    if event == "message":
        return None if fields.get("result") == "accepted" else f"message not accepted: {fields.get('code')} {fields.get('reply')}"
    if event == "upstream_up":
        return None
    words = f"{event} ({fields.get('user') or 'nobody authenticated'}): {fields.get('reason', '')}" if "reason" in fields else event
    return f"{words} {fields.get('what', '')}".rstrip()


def who(fields):
    tls = "without TLS" if fields.get("tls", "none") == "none" else fields["tls"]
    return f"session of {fields['user']} ({fields['mechanism']}, {tls})" if fields.get("mechanism") else f"session ({tls}), nobody authenticated"


def counted(fields, things):
    number = fields.get(things, "0")
    return f"{number} {things.removesuffix('s') if number == '1' else things}"
