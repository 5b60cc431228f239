"""Gatepost itself: written configuration, running program, and what must be true when it has ended."""
import base64
import copy
import json
import subprocess
import urllib.error
import urllib.request

from .process import Program, answers, build_folder, free_port, wait_until

# user: password. No log of any test may hold one of these passwords, plain or in base64.
USERS = {
    "alice@example.com": "correct horse battery",
    "bob@example.com": "pa:ss\\wörd",
    "carol": "staple-7421-zebra",
}


# Most tests fail to log in from one address on purpose, and often; tests/e2e/test_guessing.py is about the rules.
NO_GUESSING_RULES = {"per_ip": "off", "per_network": "off", "per_user_and_network": "off", "per_user_delay": "off"}


def program():
    return build_folder() / "gatepost"


def command(*words, **more):
    """One run of the program to its end."""
    return subprocess.run([str(program()), *map(str, words)], capture_output=True, text=True, timeout=60, **more)


def merged(base, changes):
    """`changes` into `base`: maps are merged, everything else is replaced, None takes a key out."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def users_file(users, attributes):
    lines = []
    for name, password in users.items():
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        more = " ".join(f"{attribute}={value}" for attribute, value in attributes.get(name, {}).items())
        lines.append(f"{name}:{{PLAIN}}{escaped}{':' if more else ''}{more}\n")
    return "".join(lines)


class Gatepost(Program):
    """Three listeners: `port` (STARTTLS), `tls_port` (implicit TLS) and `plain_port` (no TLS, 127.0.0.0/8 may send without AUTH).

    `changes` are merged into the configuration; {"listeners": {name: {...}}} changes the listener of that name. With ready=False it
    only waits until the ports answer. `attributes` are what records say besides passwords: {user: {"senders": "*@example.org"}}. With everywhere=True all ports are those of every address, IPv4 and IPv6. `wrapper` is words in front of the command (DnsServer.wrapper), which end in an exec of it.
    """

    def __init__(self, folder, tls, upstream, changes=None, ready=True, users=None, environment=None, wrapper=(), attributes=None, everywhere=False):
        self.host = "*" if everywhere else "127.0.0.1"
        self.port, self.tls_port, self.plain_port, self.admin_port = (free_port() for _ in range(4))
        self.users = dict(USERS if users is None else users)
        self.secrets = set(self.users.values())
        self.users_path = folder / "users"
        self.users_path.write_text(users_file(self.users, attributes or {}))
        changes = dict(changes or {})
        listeners = changes.pop("listeners", {})
        self.config = merged(self.default_config(tls, upstream), changes)
        self.config["listeners"] = [merged(listener, listeners.get(listener["name"], {})) for listener in self.config["listeners"]]
        self.config_path = folder / "gatepost.yaml"
        self.config_path.write_text(json.dumps(self.config, indent=2, ensure_ascii=False))
        super().__init__(folder, "gatepost", [*wrapper, program(), "serve", "--config", self.config_path], env=environment)
        up = wait_until(lambda: not self.alive() or (self.is_ready() if ready else all(map(answers, (self.port, self.tls_port, self.plain_port, self.admin_port)))), 20)
        self.assert_started(up)

    def default_config(self, tls, upstream):
        servers = upstream if isinstance(upstream, list) else [f"127.0.0.1:{upstream}"]
        return {
            "hostname": "gate.example",
            "listeners": [
                {"name": "submission", "address": f"{self.host}:{self.port}", "tls": "starttls"},
                {"name": "submissions", "address": f"{self.host}:{self.tls_port}", "tls": "implicit"},
                {"name": "internal", "address": f"{self.host}:{self.plain_port}", "tls": "none", "require_auth": True, "trusted_networks": ["127.0.0.0/8"]},
            ],
            "tls": {"certificates": [{"certificate": str(tls.rsa.certificate), "key": str(tls.rsa.key)}]},
            "auth": {"backends": ["local"], "mechanisms": ["PLAIN", "LOGIN"], "failure_delay": "50ms", "guessing": NO_GUESSING_RULES},
            "backends": {"local": {"type": "file", "path": str(self.users_path)}},
            "upstreams": [{"name": "default", "servers": servers, "reply_timeout": "10s", "connect_timeout": "3s", "health": {"interval": "1s", "timeout": "1s"}}],
            "admin": {"address": f"{self.host}:{self.admin_port}"},
            "drain": {"delay": "0s", "timeout": "5s"},
        }  # fmt: skip

    def admin(self, path):
        """(status, body) of the admin HTTP."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_ready(self):
        try:
            return self.admin("/readyz")[0] == 200
        except OSError:
            return False

    def metric(self, name, **labels):
        """The sum of the series of `name` that have these labels."""
        total, found = 0.0, False
        for line in self.admin("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == name and all(f'{label}="{text}"' in series for label, text in labels.items()):
                total, found = total + float(value), True
        assert found, f"no series of {name} {labels}"
        return total

    def wait_for_metric(self, name, value, **labels):
        assert wait_until(lambda: self.metric(name, **labels) == value), f"{name} {labels} is {self.metric(name, **labels)}, not {value}"

    def stop(self):
        """Ends it, and holds what must hold at every end: status 0, silent sanitizers, no password in the log."""
        assert self.alive(), f"gatepost died with {self.process.returncode}:\n{self.log[-6000:]}"
        status = self.terminate()
        self.assert_no_sanitizer_report()
        assert status == 0, f"exit status {status}:\n{self.log[-4000:]}"
        self.assert_no_secret()

    def assert_no_secret(self):
        log = self.log_path.read_bytes()
        for user, password in self.users.items():
            octets = password.encode()
            for form in (octets, base64.b64encode(octets), base64.b64encode(f"\0{user}\0{password}".encode())):
                assert form not in log, f"a password of {user} is in the log"
