"""Gatepost's log of each format, read back as a stranger would read it."""
import json
import re

FORMATS = ["text", "json", "logfmt"]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
VALUE = r'"(?:[^"\\]|\\.)*"|[^\s"=]+'
FIELD = re.compile(rf"([a-z_]+)=({VALUE})")
TEXT = re.compile(rf"({TIME}) (debug|info|warning|error) ([a-z_]+)((?: [a-z_]+=(?:{VALUE}))*)")
LOGFMT = re.compile(rf"(?:[a-z_]+=(?:{VALUE}))(?: [a-z_]+=(?:{VALUE}))*")


def read(line, form):
    """{field: value}, with time, level and event. Asserts that the whole line is of this format."""
    if form == "json":
        found = json.loads(line)
        assert isinstance(found, dict) and re.fullmatch(TIME, found["time"]), line
        return found
    if form == "logfmt":
        assert LOGFMT.fullmatch(line), line
        return {key: json.loads(value) if value[0] == '"' else value for key, value in FIELD.findall(line)}
    parts = TEXT.fullmatch(line)
    assert parts, line
    unescaped = lambda value: re.sub(rb"\\x(..)", lambda octet: bytes.fromhex(octet[1].decode()), value[1:-1].encode()).decode(errors="surrogateescape")  # noqa: E731
    fields = {key: unescaped(value) if value[0] == '"' else value for key, value in FIELD.findall(parts[4])}
    return {"time": parts[1], "level": parts[2], "event": parts[3], **fields}


def events(gate, form, event, **fields):
    """All lines of this event that have these fields, so far."""
    lines = [read(line, form) for line in gate.log.splitlines() if line]
    return [line for line in lines if line["event"] == event and all(line.get(key) == value for key, value in fields.items())]
