"""Changing what a running Gatepost serves: its configuration, by SIGHUP or by the files that it watches, and Kubernetes' way to swap files."""
import json
import os
import pathlib
import re
import signal

from .gatepost import merged
from .process import wait_until


class KubernetesVolume:
    """A folder as Kubernetes mounts secrets: each name a link into ..data, and ..data a link that is swapped. With `mode` and `group` the files are root's, with this group."""

    def __init__(self, folder, mode=None, group=None):
        self.folder, self.number, self.mode, self.group = pathlib.Path(folder), 0, mode, group
        self.folder.mkdir()

    def swap(self, **files):
        """All of `files` (name with _ for . : octets) at once, in place of all that were."""
        self.number += 1
        former = (self.folder / "..data").resolve() if self.number > 1 else None
        new = self.folder / f"..2026_{self.number}"
        new.mkdir()
        for name, octets in files.items():
            path = self.folder / name.replace("_", ".")
            (new / path.name).write_bytes(octets)
            if self.mode is not None:
                os.chown(new / path.name, 0, self.group)
                (new / path.name).chmod(self.mode)
            if not path.is_symlink():
                path.symlink_to(pathlib.Path("..data") / path.name)
        (self.folder / "..data_tmp").symlink_to(new.name)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")
        if former:
            for path in former.iterdir():
                path.unlink()
            former.rmdir()

    def swap_pair(self, pair):
        self.swap(tls_crt=pair.certificate.read_bytes(), tls_key=pair.key.read_bytes())


class Reloads:
    """What was asked of a gate, and what its log says came of it."""

    def __init__(self, gate):
        self.gate = gate

    def write(self, changes=None, listeners=None, text=None):
        """The configuration with `changes`; `listeners` is the whole new list; `text` is written as it is."""
        if text is None:
            self.gate.config = merged(self.gate.config, changes or {})
            if listeners is not None:
                self.gate.config["listeners"] = listeners
            text = json.dumps(self.gate.config, indent=2, ensure_ascii=False)
        new = self.gate.config_path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.gate.config_path)

    def outcomes(self, trigger):
        return re.findall(rf"^\S+ \S+ ((?:reload|reload_failed) trigger={trigger} .*)$", self.gate.log, re.M)

    def _next(self, trigger, act, seconds):
        before = len(self.outcomes(trigger))
        act()
        assert wait_until(lambda: len(self.outcomes(trigger)) > before, seconds), f"no reload by {trigger}:\n{self.gate.log[-3000:]}"
        return self.outcomes(trigger)[before]

    def hup(self, *words, **more):
        """Writes (see write()), sends SIGHUP, and waits until it is served."""
        if words or more:
            self.write(*words, **more)
        said = self._next("signal", lambda: self.gate.process.send_signal(signal.SIGHUP), 12)
        assert said.startswith("reload "), said
        return said

    def failed_hup(self, *words, **more):
        """Likewise, and it must fail: what is said of it."""
        self.write(*words, **more)
        said = self._next("signal", lambda: self.gate.process.send_signal(signal.SIGHUP), 12)
        assert said.startswith("reload_failed "), said
        return said

    def watched(self, act):
        """Until the change that `act` makes to files was noticed and is served."""
        said = self._next("file", act, 12)
        assert said.startswith("reload "), said
        return said
