"""Configuration, certificates and users change while mail flows: nothing is lost or reset, what is new is in force, and what is wrong changes nothing."""
import asyncio
import os
import re
import signal
import socket
import ssl
import threading
import time

import pytest
from harness import scripted_upstream as scripted
from harness.client import Client, b64, plain, scram_challenge
from harness.gatepost import users_file
from harness.ledger import Ledger
from harness.load import Door, Load
from harness.process import free_port, sanitized, wait_until
from harness.reload import KubernetesVolume, Reloads
from harness.scripted_upstream import ScriptedUpstream

ALICE, BOB, CAROL = ("alice@example.com", "correct horse battery"), ("bob@example.com", "pa:ss\\wörd"), ("carol", "staple-7421-zebra")
ENVELOPE = ("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>")
SUCCESSFUL = "gatepost_config_last_reload_successful"


def served(port, implicit=True):
    """The certificate that a new client is shown."""
    with Client(port, implicit_tls=implicit) as client:
        if not implicit:
            client.ehlo()
            client.starttls()
        return client.socket.getpeercert(binary_form=True)


def der(pair):
    return ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def size(gate):
    with Client(gate.plain_port) as client:
        return int(client.ehlo()["SIZE"])


def may_log_in(gate, user, password):
    with Client(gate.plain_port) as client:
        client.ehlo()
        return client.command(f"AUTH PLAIN {plain(user, password)}").code


class Counters:
    """Scrapes all the time; `fallen` are counters that went back. A counter may begin anew only after it was gone."""

    def __init__(self, gate):
        self.gate, self.fallen, self.is_over, self.scrapes = gate, [], False, 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        before = {}
        while not self.is_over:
            now = dict(re.findall(r"^(gatepost_\S*(?:_total|_bucket|_count)(?:\{[^\n]*\})?) (\S+)$", self.gate.admin("/metrics")[1], re.M))
            for name in before.keys() & now.keys():
                if float(now[name]) < float(before[name]):
                    self.fallen.append(f"{name}: {before[name]} -> {now[name]}")
            before, self.scrapes = now, self.scrapes + 1
            time.sleep(0.1)

    def see(self):
        """Until what is served now was scraped."""
        before = self.scrapes
        assert wait_until(lambda: self.scrapes >= before + 2)

    def end(self):
        self.is_over = True
        self.thread.join(10)
        assert not self.fallen, self.fallen[:5]
        assert self.scrapes > 10


def test_twenty_changes_under_load(make_gatepost, upstream, tls, tmp_path):
    certificates, secrets = KubernetesVolume(tmp_path / "tls"), KubernetesVolume(tmp_path / "secrets")
    certificates.swap_pair(tls.rsa)
    secrets.swap(scram=b"one secret of thirty-two octets..")
    other = ScriptedUpstream()
    gate = make_gatepost(upstream.port, {
        "workers": 2,
        "tls": {"certificates": [{"certificate": str(tmp_path / "tls/tls.crt"), "key": str(tmp_path / "tls/tls.key")}]},
        "auth": {"plaintext_without_tls": True, "mechanisms": ["PLAIN", "LOGIN", "SCRAM-SHA-256"], "scram_secret_file": str(tmp_path / "secrets/scram")},
    })  # fmt: skip
    reloads, ledger = Reloads(gate), Ledger()
    listeners, upstreams = gate.config["listeners"], gate.config["upstreams"]
    old = Client(gate.plain_port)
    largest = old.ehlo()["SIZE"]
    old.login(*CAROL)
    before_tls = Client(gate.port)
    doors = [Door(gate.plain_port), Door(gate.port, "starttls", *ALICE), Door(gate.tls_port, "implicit", *BOB), Door(gate.plain_port, "none", *BOB)]
    load = Load(doors, ledger, 500, pause=3.0)
    counters = Counters(gate)
    assert wait_until(lambda: load.faults or gate.metric("gatepost_connections_active") > 450, 30)
    try:
        extra = {"name": "extra", "address": f"127.0.0.1:{free_port()}", "tls": "none", "trusted_networks": ["127.0.0.0/8"]}
        extra_door = Door(int(extra["address"].split(":")[1]))
        reloads.hup(listeners=[extra, *listeners])  # 1: a listener is added, and the others move
        visitors = Load([extra_door], ledger, 20, pause=1.0)
        reloads.watched(lambda: certificates.swap_pair(tls.ecdsa))  # 2
        assert served(gate.tls_port) == served(gate.port, implicit=False) == der(tls.ecdsa)
        reloads.hup({"session": {"max_message_size": "2MiB"}})  # 3
        assert size(gate) == 2 << 20
        gate.users["dave"], gate.secrets = "new-user-5-zebra", {*gate.secrets, "new-user-5-zebra"}
        gate.users_path.write_text(users_file(gate.users, {}))
        reloads.hup()  # 4: a user is added
        assert wait_until(lambda: may_log_in(gate, "dave", "new-user-5-zebra") == 235, 3)
        reloads.hup({"upstreams": [*upstreams, {"name": "other", "servers": [f"127.0.0.1:{other.port}"]}], "routes": [{"sender_domain": "other.example", "upstream": "other"}]})  # 5
        with Client(gate.plain_port) as client:
            client.ehlo()
            assert client.mail(b"Subject: other\r\n\r\n", sender="a@other.example") == 250
        assert len(other.accepted) == 1
        reloads.hup({"limits": [{"name": "most", "count": "messages", "per": "user", "rate": "1/1h", "action": "defer", "when": {"user": "dave"}}]})  # 6
        with Client(gate.plain_port) as client:
            client.ehlo()
            client.login("dave", "new-user-5-zebra")
            assert client.mail(b"Subject: one\r\n\r\n") == 250
            assert client.command("MAIL FROM:<dave@example.com>").code == 451
        salt = scram_salt(gate)
        reloads.watched(lambda: secrets.swap(scram=b"another secret of 32 octets......"))  # 7
        assert scram_salt(gate) != salt
        reloads.hup(listeners=[{**listeners[0], "max_connections": 900}, listeners[1], {**listeners[2], "max_connections": 800}, extra])  # 8
        assert gate.metric("gatepost_connections_limit", listener="internal") == 800
        visitors.may_leave = True
        reloads.hup(listeners=listeners)  # 9: the listener is gone, who is there stays
        counters.see()
        for number in range(4):  # 10 to 17: listener, certificate, again and again
            reloads.hup({"session": {"max_message_size": f"{3 + number}MiB"}}, listeners=[*listeners, {**extra, "address": f"127.0.0.1:{free_port()}"}])
            pair = (tls.rsa, tls.ecdsa)[number % 2]
            certificates.swap_pair(pair)
            reloads.hup(listeners=listeners)
            assert served(gate.tls_port) == der(pair)
        del gate.users["carol"], gate.users["dave"]
        gate.users_path.write_text(users_file(gate.users, {}))
        reloads.hup({"limits": []})  # 18: users are removed
        assert wait_until(lambda: may_log_in(gate, *CAROL) == 535, 3)
        reloads.hup({"upstreams": upstreams, "routes": None})  # 19
        with Client(gate.plain_port) as client:
            client.ehlo()
            assert client.mail(b"Subject: not other\r\n\r\n", sender="a@other.example") == 250
        assert len(other.accepted) == 1
        reloads.watched(lambda: certificates.swap_pair(tls.rsa))  # 20
        load.wait_for(200, 30)
        load.stop()
        visitors.stop()
        assert old.mail(b"Subject: of a session as old as the process\r\n\r\n") == 250, "sessions keep what they were born with"
        assert visitors.seen["refused"] > 0 and visitors.seen["accepted"] > 20, visitors.seen
        assert not visitors.seen["told 421"], "of the listener that is gone, too"
        assert old.ehlo()["SIZE"] == largest
        before_tls.ehlo()
        before_tls.starttls()
        before_tls.login(*BOB)
        assert before_tls.mail(b"Subject: and so is this one's certificate\r\n\r\n") == 250
        before_tls.quit()
        old.quit()
        counters.end()
        for each in (upstream, other):
            each.accepted = [message for message in each.accepted if message.id]
            each.complete = [message for message in each.complete if message.id]
        ledger.assert_agrees(upstream, other)
        ledger.assert_unmixed(upstream, other)
        gate.wait_for_metric("gatepost_connections_active", 0)
        assert gate.metric(SUCCESSFUL) == 1
        assert gate.metric("gatepost_messages_total", result="accepted") >= load.seen["accepted"]
    finally:
        old.socket.close()
        other.stop()


def scram_salt(gate):
    with Client(gate.plain_port) as client:
        client.ehlo()
        return scram_challenge(client, "a stranger")[0]


def test_what_is_wrong_changes_nothing(make_gatepost, upstream, tls, tmp_path):
    volume = KubernetesVolume(tmp_path / "tls")
    volume.swap_pair(tls.rsa)
    gate = make_gatepost(upstream.port, {"tls": {"certificates": [{"certificate": str(tmp_path / "tls/tls.crt"), "key": str(tmp_path / "tls/tls.key")}]}})
    reloads = Reloads(gate)
    fine, before = gate.config, gate.config_path.read_text()
    loaded = gate.metric("gatepost_config_last_reload_success_timestamp_seconds")
    shown = re.search(r'gatepost_config_info\{hash="(\w+)"\} 1', gate.admin("/metrics")[1]).group(1)
    session = Client(gate.tls_port, implicit_tls=True)
    session.ehlo()
    session.login(*ALICE)
    listeners = fine["listeners"]
    wrong = {
        "no YAML": ({"text": before + "]"}, rf"{gate.config_path}:\d+"),
        "unknown key": ({"text": before.replace('"hostname"', '"hostnome"')}, rf"{gate.config_path}:2.*hostnome"),
        "no such certificate": ({"changes": {"tls": {"certificates": [{"certificate": "/nowhere.crt", "key": str(tls.rsa.key)}]}}}, rf"{gate.config_path}:\d+.*nowhere"),
        "another's key": ({"changes": {"tls": {"certificates": [{"certificate": str(tls.rsa.certificate), "key": str(tls.ecdsa.key)}]}}}, rf"{gate.config_path}:\d+.*key"),
        "a port in use": ({"listeners": [*listeners, {"name": "taken", "address": f"127.0.0.1:{upstream.port}", "tls": "none"}]}, rf"127.0.0.1:{upstream.port}"),
        "no listener": ({"listeners": []}, rf"{gate.config_path}:\d+"),
    }  # fmt: skip
    for name, (change, what) in wrong.items():
        said = reloads.failed_hup(**change)
        gate.config = fine
        assert re.search(what, said), (name, said)
        assert gate.metric(SUCCESSFUL) == 0, name
        assert gate.metric("gatepost_config_last_reload_success_timestamp_seconds") == loaded
        assert f'gatepost_config_info{{hash="{shown}"}} 1' in gate.admin("/metrics")[1]
        assert served(gate.tls_port) == der(tls.rsa)
        assert session.mail(b"Subject: as if nothing had been\r\n\r\n") == 250, name
        assert gate.is_ready()
    volume.swap(tls_crt=tls.ecdsa.certificate.read_bytes(), tls_key=tls.rsa.key.read_bytes())
    assert wait_until(lambda: reloads.outcomes("file"), 10) and reloads.outcomes("file")[-1].startswith("reload_failed ")
    assert served(gate.tls_port) == der(tls.rsa)
    volume.swap_pair(tls.ecdsa)
    reloads.hup({})
    assert gate.metric(SUCCESSFUL) == 1 and served(gate.tls_port) == der(tls.ecdsa)
    assert session.mail(b"Subject: still here\r\n\r\n") == 250
    session.quit()


@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_reloads_leave_nothing_behind(make_gatepost, upstream, workers):
    gate = make_gatepost(upstream.port, {"workers": workers})
    reloads = Reloads(gate)
    listeners = gate.config["listeners"]
    extra = {"name": "extra", "address": f"127.0.0.1:{free_port()}", "tls": "none"}

    def threads():
        return len(os.listdir(f"/proc/{gate.pid}/task"))

    def some(count):
        for number in range(count):
            clients = [Client(gate.tls_port, implicit_tls=True), Client(gate.plain_port)]
            clients[1].ehlo()
            assert clients[1].mail(b"Subject: x\r\n\r\n") == 250
            reloads.hup(listeners=[*listeners, extra] if number % 2 else listeners)
            assert clients[1].mail(b"Subject: y\r\n\r\n") == 250
            for client in clients:
                client.socket.close()
        reloads.hup(listeners=listeners)
        gate.wait_for_metric("gatepost_connections_active", 0)
        upstream.disconnect()

    some(5)
    wait_until(lambda: False, 0.3)
    files, tasks, memory = gate.descriptors(), threads(), gate.memory()
    some(20)
    assert wait_until(lambda: (gate.descriptors(), threads()) == (files, tasks), 5), (gate.descriptors(), files, threads(), tasks)
    grown = gate.memory() - memory
    assert grown < 3_000_000 or sanitized(), f"{grown} octets in 20 reloads"


@pytest.mark.parametrize("workers", [1, 2])
def test_connections_are_counted_over_reloads(make_gatepost, upstream, workers):
    gate = make_gatepost(upstream.port, {"workers": workers, "listeners": {"internal": {"max_connections": 5}}})
    reloads = Reloads(gate)
    listeners = gate.config["listeners"]

    def may_come_in(most):
        return [*listeners[:2], {**listeners[2], "max_connections": most}]

    def is_full():
        with Client(gate.plain_port, greeting=False) as client:
            return client.reply() == "421 4.3.2"

    clients = [Client(gate.plain_port) for _ in range(3)]
    reloads.hup({"hostname": "second.example"})
    clients += [Client(gate.plain_port) for _ in range(2)]
    assert is_full()
    reloads.hup(listeners=may_come_in(4))
    assert gate.metric("gatepost_connections_active", listener="internal") == 5 and is_full()
    for client in clients[:2]:
        client.socket.close()
    gate.wait_for_metric("gatepost_connections_active", 3, listener="internal")
    clients = [*clients[2:], Client(gate.plain_port)]
    assert is_full()
    reloads.hup(listeners=may_come_in(6))
    clients += [Client(gate.plain_port) for _ in range(2)]
    assert is_full() and gate.metric("gatepost_connections_active", listener="internal") == 6
    for client in clients:
        client.socket.close()
    gate.wait_for_metric("gatepost_connections_active", 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_connections_to_an_upstream_are_counted_over_reloads(make_gatepost, upstream, workers):
    pool = {"max_connections": 1, "max_idle": 1, "wait_timeout": "10s"}
    server = f"127.0.0.1:{upstream.port}"
    gate = make_gatepost(upstream.port, {"workers": workers, "upstreams": [{"name": "default", "servers": [server], "health": {"interval": "1h"}, "pool": pool}]})
    reloads = Reloads(gate)

    def of_sessions():
        return [connection for connection in upstream.live() if connection.transactions > 0]

    def connections():
        return sum(gate.metric("gatepost_upstream_connections", state=state) for state in ("active", "idle", "opening"))

    clients = [Client(gate.plain_port)]
    clients[0].ehlo()
    assert [reply.code for reply in clients[0].commands(*ENVELOPE)] == [250, 250]
    for _ in range(3):
        reloads.hup()
        clients.append(Client(gate.plain_port))
        clients[-1].ehlo()
        clients[-1].send("MAIL FROM:<a@example.com>\r\n")
    assert not wait_until(lambda: len(of_sessions()) > 1, 0.5)
    assert connections() == 1
    for number, client in enumerate(clients):
        if number > 0:
            assert client.reply() == 250 and client.command("RCPT TO:<b@example.net>") == 250, "whoever is next hears of what has become free"
        assert client.data(b"Subject: one at a time\r\n\r\n") == 250
    assert wait_until(lambda: len(of_sessions()) == 1 and connections() == 1, 3), "what the served configuration keeps"
    idle = of_sessions()[0]
    reloads.hup()
    assert wait_until(lambda: idle.is_over, 3), "and no other does"
    assert all("> QUIT" in connection.dialogue for connection in upstream.connections if connection.transactions > 0)
    assert clients[-1].mail(b"Subject: of a former configuration\r\n\r\n") == 250
    assert wait_until(lambda: not of_sessions(), 3)
    for client in clients:
        client.quit()
    assert not upstream.violations and len(upstream.accepted) == 5


def test_who_waits_at_a_listener_that_goes_is_let_in(make_gatepost, upstream):
    gate = make_gatepost(upstream.port)
    reloads = Reloads(gate)
    listeners = gate.config["listeners"]
    stays = [Client(gate.plain_port) for _ in range(5)]
    for client in stays:
        client.ehlo()
    reloads.hup(listeners=listeners[:2])
    for client in stays:
        assert client.mail(b"Subject: still served\r\n\r\n") == 250
        client.quit()
    with pytest.raises(ConnectionRefusedError):
        Client(gate.plain_port)
    reloads.hup(listeners=listeners)
    with Client(gate.plain_port) as client:
        client.ehlo()
        assert client.mail(b"Subject: back again\r\n\r\n") == 250


def test_sessions_under_way_go_on_whatever_is_changed(make_gatepost, upstream):
    other = ScriptedUpstream()
    gate = make_gatepost(upstream.port)
    reloads = Reloads(gate)
    listeners = gate.config["listeners"]
    try:
        idle, in_data, in_chunks, begun, waiting = (Client(gate.plain_port) for _ in range(5))
        before_tls = Client(gate.port)
        for client in (idle, in_data, in_chunks, begun, waiting, before_tls):
            client.ehlo()
        for client in (in_data, in_chunks, begun, waiting):
            assert [reply.code for reply in client.commands(*ENVELOPE)] == [250, 250]
        before_tls.starttls()
        assert before_tls.command("AUTH LOGIN") == 334
        assert in_data.command("DATA") == waiting.command("DATA") == 354
        in_data.send("Subject: in data\r\n\r\nfirst\r\n")
        in_chunks.send("BDAT 10\r\nSubject: i")
        assert in_chunks.reply() == 250
        answer = upstream.arm("end_of_data", held(other_is_done := threading.Event()))
        waiting.send("Subject: awaits its answer\r\n\r\n.\r\n")
        assert wait_until(answer.begun.is_set)
        # Another upstream, and implicit TLS where STARTTLS was; then all as before, and the listener is gone.
        reloads.hup({"upstreams": [{"name": "new", "servers": [f"127.0.0.1:{other.port}"]}]}, listeners=[{**listeners[0], "tls": "implicit"}, *listeners[1:]])
        with Client(gate.port, implicit_tls=True) as client:
            client.ehlo()
            client.login(*ALICE)
            assert client.mail(b"Subject: to the new one\r\n\r\n") == 250
        reloads.hup(listeners=listeners[:1])
        assert (len(other.accepted), len(upstream.accepted)) == (1, 1)
        upstream.loop.call_soon_threadsafe(other_is_done.set)
        assert waiting.reply() == 250
        in_data.send("second\r\n.\r\n")
        in_chunks.send("BDAT 11 LAST\r\nn parts\r\n\r\n")
        assert in_data.reply() == in_chunks.reply() == 250
        assert begun.data(b"Subject: begun\r\n\r\n") == 250
        assert before_tls.command(b64(BOB[0])) == 334 and before_tls.command(b64(BOB[1])) == 235
        for client in (idle, before_tls, begun):
            assert client.mail(b"Subject: the next\r\n\r\n") == 250, "by the upstream that they were born with"
        assert (len(other.accepted), len(upstream.accepted)) == (1, 7)
        for client in (idle, in_data, in_chunks, begun, waiting, before_tls):
            client.quit()
        assert not upstream.violations
        assert wait_until(lambda: not upstream.live()), "what nobody needs any more is closed"
    finally:
        other.stop()


def held(event):
    """The usual reply, once `event` is set."""

    async def run(connection, usual):
        while not event.is_set():
            await asyncio.sleep(0.01)
        connection.say(usual)

    return scripted.Action(run, takes_effect=True)


def test_a_burst_of_signals_is_one_reload_or_two(make_gatepost, upstream):
    gate = make_gatepost(upstream.port)
    reloads = Reloads(gate)
    for number in range(40):
        gate.process.send_signal(signal.SIGHUP)
        reloads.write({"session": {"max_message_size": f"{number + 1}MiB"}})
    reloads.hup({"workers": 3})
    assert wait_until(lambda: size(gate) == 40 << 20, 5), "the last one is served"
    # A reload before the last may have read the 40 already.
    assert wait_until(lambda: re.search(r"config_note file=\S+ what=\"[^\n]*workers", gate.log), 5), "what needs a restart is said"
    assert all(said.startswith("reload ") for said in reloads.outcomes("signal"))


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_while_a_reload_waits_for_an_upstream(make_gatepost, upstream, workers):
    gate = make_gatepost(upstream.port, {"workers": workers})
    reloads = Reloads(gate)
    with socket.create_server(("127.0.0.1", 0)) as silent, Client(gate.plain_port) as client:
        client.ehlo()
        assert [reply.code for reply in client.commands(*ENVELOPE)] == [250, 250]
        reloads.write({"upstreams": [*gate.config["upstreams"], {"name": "silent", "servers": [f"127.0.0.1:{silent.getsockname()[1]}"], "health": {"timeout": "5s"}}]})
        gate.process.send_signal(signal.SIGHUP)
        silent.settimeout(10)
        silent.accept()  # it is being looked at
        began = time.monotonic()
        gate.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: gate.admin("/readyz") == (503, "draining\n"), 3)
        assert client.data(b"Subject: before the end\r\n\r\n") == 250
        assert client.reply() == "421 4.3.2"
        client.socket.close()
        assert gate.process.wait(10) == 0 and time.monotonic() - began < 4
    gate.assert_no_sanitizer_report()
