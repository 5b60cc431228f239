"""Reads transcripts for the live runner; the language is described in tests/transcripts/README.md."""
import dataclasses
import pathlib
import re

# Longer marks first.
MARKS = ["U<|", "U>|", "C|", "C:", "S:", "S|", "S*", "U<", "U>", "F:"]
ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})|\\\((\d+)\*([^)]*)\)|\\(.)", re.DOTALL)
LETTERS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}


@dataclasses.dataclass
class Step:
    mark: str  # one of MARKS, or "" for an event
    text: bytes  # as written behind the mark, or the event
    where: str

    @property
    def octets(self):
        line_end = b"\r\n" if self.mark in ("C:", "U<") else b""
        return unescaped(self.text) + line_end

    def matches(self, octets):
        pattern = b""
        rest = self.text
        while rest:
            if rest[:1] == b"*":
                pattern, rest = pattern + b".*", rest[1:]
                continue
            found = ESCAPE.match(rest)
            length = found.end() if found else 1
            pattern, rest = pattern + re.escape(unescaped(rest[:length])), rest[length:]
        return re.fullmatch(pattern, octets, re.DOTALL) is not None


@dataclasses.dataclass
class Transcript:
    name: str
    settings: dict
    steps: list
    only_memory: bool = False

    def has(self, event):
        return any(step.mark == "" and step.text.decode().startswith(event) for step in self.steps)


def unescaped(text):
    def octets(found):
        if found[1]:
            return bytes([int(found[1], 16)])
        if found[2]:
            return unescaped(found[3]) * int(found[2])
        return LETTERS.get(found[4], found[4])

    return ESCAPE.sub(octets, text)


def read(path):
    transcript = Transcript(path.stem, {}, [])
    _read_into(transcript, path)
    return transcript


def _read_into(transcript, path):
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line or line.startswith(b"#"):
            continue
        where = f"{path.name}:{number}"
        mark = next((mark for mark in MARKS if line == mark.encode() or line.startswith(mark.encode() + b" ")), None)
        if mark:
            transcript.steps.append(Step(mark, line[len(mark) + 1 :], where))
            continue
        words = line.decode().split(" ", 2)
        if words[0] == "include":
            _read_into(transcript, pathlib.Path(path.parent.parent if path.parent.name == "parts" else path.parent) / "parts" / f"{words[1]}.part")
        elif words[0] == "set":
            transcript.settings[words[1]] = words[2] if len(words) > 2 else ""
        elif words[:2] == ["only", "memory:"]:
            transcript.only_memory = True
        elif words[0] != "only":
            transcript.steps.append(Step("", line, where))
