"""The upstream that takes every message and keeps its exact octets: gatepost-sink (its --help says how it can misbehave)."""
import json
import re
import shutil

from .process import Program, build_folder, wait_until


class Sink(Program):
    """`port` is where it listens. Options are gatepost-sink's own; --store is always on."""

    def __init__(self, folder, *options, name="sink", host="127.0.0.1", port=0):
        self.store = folder / f"{name}-store"
        shutil.rmtree(self.store, ignore_errors=True)
        self.store.mkdir()
        self.wire = folder / f"{name}-wire"
        command = [build_folder() / "gatepost-sink", "--listen", f"{host}:{port}", "--store", self.store, *options]
        super().__init__(folder, name, command)
        found = wait_until(lambda: re.findall(r"listening [\d.]+:(\d+)", self.log) or not self.alive())
        assert found and self.alive(), f"gatepost-sink did not start:\n{self.log}"
        self.port = int(found[-1])

    def messages(self):
        """The exact octets of each message, in order of arrival."""
        return [path.read_bytes() for path in sorted(self.store.glob("*.eml"))]

    def envelopes(self):
        return [json.loads(path.read_text()) for path in sorted(self.store.glob("*.env")) if path.with_suffix(".eml").exists()]

    def wait_for(self, count, seconds=10.0):
        wait_until(lambda: len(self.messages()) >= count, seconds)
        messages = self.messages()
        assert len(messages) == count, f"{len(messages)} messages arrived, not {count}"
        return messages

    def stop(self):
        if self.alive():
            self.terminate()
        self.assert_no_sanitizer_report()


def without_received(message):
    """(the one Received field that Gatepost put in front, the message as the client sent it)"""
    field = re.match(rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", message)
    assert field, f"no Received field in front of {message[:200]!r}"
    return field.group(), message[field.end() :]
