"""No secret leaves Gatepost: not into its log at the finest level, not into errors, `--dump`, metrics or the memory of a core."""
import base64
import contextlib
import json
import pathlib
import struct
import subprocess
import urllib.parse
import urllib.request

import pytest

from harness import sasl
from harness.client import Client, b64, plain
from harness.gatepost import USERS, command
from harness.log_lines import FORMATS
from harness.process import sanitized, wait_until
from harness.redis import Redis

USER, PASSWORD = "alice@example.com", USERS["alice@example.com"]
WRONG = "wr0ng-guess-of-somebody"
REDIS_PASSWORD = "s3cret-of-redis-7431"
OPTION = "s3cret-of-an-option-8842"
SCRAM_SECRET = "s3cret-of-fake-salts-5510-and-more"
MECHANISMS = ["SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5"]


def forms(secret):
    """As it is, as the log writes it, in base64 at each of the three offsets, in hexadecimal and as in a URL."""
    octets = secret.encode()
    encoded = {base64.b64encode(b"\0" * n + octets).decode().rstrip("=")[2 * n + 2 : -2] for n in range(3)}
    return {secret, json.dumps(secret)[1:-1], secret.replace("\\", "\\x5c"), octets.hex(), urllib.parse.quote(secret), *encoded}


def holds(text, secret):
    return [form for form in forms(secret) if form in text]


def talk(client, mechanism, dialogue):
    message = next(dialogue)
    reply = client.command(f"AUTH {mechanism}" + ("" if message is None else f" {base64.b64encode(message).decode()}"))
    with contextlib.suppress(StopIteration):
        while reply.code == 334:
            challenge = base64.b64decode(reply.lines[0][4:])
            reply = client.command(base64.b64encode(dialogue.send(challenge)).decode())
    return reply.code


def every_way(gate, password):
    """The codes of an AUTH by each mechanism; a SCRAM record serves no CRAM-MD5, so users are {PLAIN} here."""
    ways = {
        "PLAIN": lambda: sasl.plain(USER, password),
        "LOGIN": lambda: sasl.login(USER, password),
        "CRAM-MD5": lambda: sasl.cram_md5(USER, password),
        "DIGEST-MD5": lambda: sasl.digest_md5(USER, password),
    }
    codes = set()
    for mechanism, way in ways.items():
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            codes.add(talk(client, mechanism, way()))
    return codes


@pytest.mark.parametrize("log_format", FORMATS)
def test_nothing_that_is_said_or_kept_shows_a_secret(make_gatepost, sink, tmp_path, log_format):
    (tmp_path / "scram-secret").write_text(SCRAM_SECRET)
    (tmp_path / "redis").mkdir()
    redis = Redis(tmp_path / "redis", f"requirepass {REDIS_PASSWORD}")
    try:
        gate = make_gatepost(sink.port, {
            "auth": {"backends": ["local", "redis"], "mechanisms": MECHANISMS, "failure_delay": "10ms", "scram_secret_file": str(tmp_path / "scram-secret"), "max_attempts": 50},
            "backends": {
                "redis": {"type": "redis", "url": f"redis://:{REDIS_PASSWORD}@127.0.0.1:{redis.port}/0", "mechanisms": MECHANISMS},
                "sql": {"type": "sasl", "method": "auxprop", "auxprop_plugin": "sql", "options": {"sql_passwd": OPTION}},
            },
            "log": {"level": "debug", "format": log_format},
        })  # fmt: skip
        assert every_way(gate, PASSWORD) == {235}
        assert every_way(gate, WRONG) == {535}
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            for line in (f"AUTH PLAIN {plain(USER, WRONG)}!", f"AUTH PLAIN {b64(WRONG)}", f"AUTH LOGIN {b64(USER)} {b64(WRONG)}",
                         f"AUTH NONSENSE {plain(USER, WRONG)}", f"AUTH PLAIN {plain(USER, WRONG, 'somebody')}", f"AUTH{plain(USER, WRONG)}",
                         plain(USER, WRONG), WRONG):  # fmt: skip
                assert client.command(line).code >= 500
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            client.send(b"AUTH PLAIN " + plain(USER, WRONG).encode() * 400 + b"\r\n")
            assert client.reply().code == 500
        redis.stop()
        assert wait_until(lambda: "backend_down" in gate.log, 15), gate.log
        pages = [urllib.request.urlopen(f"http://127.0.0.1:{gate.admin_port}/metrics").read().decode()]
    finally:
        redis.stop()

    bad = dict(gate.config, nonsense=1)
    bad["backends"] = dict(bad["backends"], redis=dict(bad["backends"]["redis"], url=f"redis://:{REDIS_PASSWORD}@[::1/0"))
    (tmp_path / "bad.yaml").write_text(json.dumps(bad))
    refused = command("check", "--config", tmp_path / "bad.yaml")
    dumped = command("check", "--config", gate.config_path, "--dump")
    assert refused.returncode == 1 and dumped.returncode == 0, (refused, dumped)
    assert "nonsense" in refused.stderr + refused.stdout and "scram_secret" in dumped.stdout

    said = {"the log": gate.log, "the metrics": pages[0], "errors of check": refused.stdout + refused.stderr, "--dump": dumped.stdout + dumped.stderr}
    for secret in (PASSWORD, *USERS.values(), WRONG, REDIS_PASSWORD, OPTION, SCRAM_SECRET):
        for what, text in said.items():
            assert not holds(text, secret), f"{what} shows {secret}"
    assert all(holds(f"{form} of {secret}", secret) for secret in (WRONG, PASSWORD) for form in (secret, b64(secret), plain(USER, secret))), "this test can find them"


def test_a_core_would_hold_no_memory(gatepost):
    process = pathlib.Path(f"/proc/{gatepost.process.pid}")
    assert int((process / "coredump_filter").read_text(), 16) == 0
    limit = next(line for line in (process / "limits").read_text().splitlines() if line.startswith("Max core file size"))
    assert limit.split()[4:6] == ["0", "0"], limit


PT_LOAD = 1  # a segment of memory in an ELF file


def core_of(process, folder):
    """The memory that gcore writes of the process, honouring coredump_filter as the kernel does. Not the registers, which are the notes of a core: the
    widest of them hold what was copied last, and nothing wipes those."""
    done = subprocess.run(["gcore", "-o", folder / "core", str(process.pid)], capture_output=True, text=True, timeout=120)
    path = folder / f"core.{process.pid}"
    assert path.exists(), done.stdout + done.stderr
    octets = path.read_bytes()
    path.unlink()
    begin, size, count = *struct.unpack_from("<Q", octets, 32), *struct.unpack_from("<HH", octets, 54)
    headers = [struct.unpack_from("<IIQQQQ", octets, begin + size * i) for i in range(count)]
    return b"".join(octets[offset : offset + length] for kind, _, offset, _, _, length in headers if kind == PT_LOAD)


def test_a_core_that_is_written_nevertheless(make_gatepost, sink, tmp_path):
    """As started it holds nothing. Made to hold everything, it holds the users file and no trace of who has logged in with a password."""
    user, password, guess = "hashed@example.com", "core-8841-of-a-hashed-user", "core-1177-wrong-guess"
    gate = make_gatepost(sink.port, {"auth": {"failure_delay": "10ms", "mechanisms": ["PLAIN", "LOGIN"], "max_attempts": 20}})
    record = command("hash", input=password + "\n").stdout.strip()
    gate.users_path.write_text(gate.users_path.read_text() + f"{user}:{record}\n")
    assert wait_until(lambda: f"users={len(USERS) + 1}" in gate.log)
    gate.secrets.update({password, guess})

    def talk(*lines):
        return [client.command(line).code for line in lines][-1]

    with Client(gate.tls_port, implicit_tls=True) as stays, Client(gate.tls_port, implicit_tls=True) as fails:
        for client in (fails, stays):
            client.ehlo()
            assert talk(f"AUTH PLAIN {plain(user, guess)}", f"AUTH PLAIN {b64(guess)}", f"AUTH PLAIN {plain(user, guess)}!") == 501
            assert talk("AUTH LOGIN", b64(user), b64(guess)) == 535
            assert talk(f"AUTH PLAIN {'A' * 3000}{b64(guess)}!") == 501  # so far behind that no later line covers it
        assert talk(f"AUTH PLAIN {plain(user, password)}") == 235
        with Client(gate.tls_port, implicit_tls=True) as client:
            client.ehlo()
            assert talk("AUTH LOGIN", b64(user), b64(password)) == 235
        forms_of = {secret: [form.encode() for form in (secret, b64(secret), plain(user, secret)[:-2])] for secret in (password, guess)}
        core = core_of(gate.process, tmp_path)  # the kernel's own pages are in it
        assert len(core) <= 65536 and not any(form in core for forms in forms_of.values() for form in forms)
        assert USERS["carol"].encode() not in core and record.encode() not in core
        if not sanitized():  # the memory of a sanitizer is terabytes
            pathlib.Path(f"/proc/{gate.process.pid}/coredump_filter").write_text("0x33")
            core = core_of(gate.process, tmp_path)
            assert USERS["carol"].encode() in core and record.encode() in core, "a core of the whole memory holds the users file: this test can find things"
            assert {secret: [form for form in forms if form in core] for secret, forms in forms_of.items()} == {password: [], guess: []}
