"""Sessions that wait because all connections that are allowed are in use: whatever becomes free is theirs, wherever it does."""
import threading
import time

from harness import scripted_upstream as scripted
from harness.client import Client
from harness.scripted_upstream import ScriptedUpstream

PATIENCE = "6s"
SOON = 3.0  # seconds: well within PATIENCE, and more than a loaded machine needs


def upstream(servers, interval, **pool):
    health = {"interval": interval, "timeout": "1s", "rise": 1, "fall": 2}
    return {"name": "default", "servers": [f"127.0.0.1:{server.port}" for server in servers], "health": health, "pool": {"wait_timeout": PATIENCE, **pool}}


def begin(gate):
    client = Client(gate.plain_port)
    client.ehlo()
    return client


def test_a_server_that_comes_back_serves_those_who_wait(make_gatepost):
    there, gone = ScriptedUpstream(), ScriptedUpstream()
    gone.shut()
    gate = make_gatepost(there.port, {"upstreams": [upstream([there, gone], "200ms", max_connections=1, max_idle=1)]})
    first, others = begin(gate), [begin(gate), begin(gate)]
    assert first.command("MAIL FROM:<first@example.com>") == 250
    for client in others:
        client.send("MAIL FROM:<other@example.com>\r\n")
    gate.wait_for_metric("gatepost_upstream_pool_waiting", 2)
    gone.listen()
    began = time.monotonic()
    gate.wait_for_metric("gatepost_upstream_pool_waiting", 1)
    assert time.monotonic() - began < SOON
    assert first.command("QUIT") == 221  # of which the second one has its connection
    assert [client.reply() for client in others] == [250, 250]
    assert time.monotonic() - began < SOON
    for server in (there, gone):
        server.stop()


def test_a_spare_is_not_kept_while_another_worker_waits(make_gatepost):
    server = ScriptedUpstream()
    changes = {"workers": 2, "upstreams": [upstream([server], "1h", max_connections=2, max_idle=2, min_idle=2)]}
    gate = make_gatepost(server.port, changes)

    def close_idle_ones():
        async def close():
            for connection in server.live():
                if not connection.in_transaction:
                    connection.writer.close()

        server._call(close())

    for _ in range(8):  # both workers are drawn, in any order
        gate.wait_for_metric("gatepost_upstream_connections", 2, state="idle")
        first = begin(gate)
        assert first.command("MAIL FROM:<first@example.com>") == 250
        late = scripted.Fault("greeting", scripted.drip(0.02))
        server.faults.append(late)
        close_idle_ones()  # so that a spare is opened, and takes the last place
        assert late.begun.wait(5)
        second = begin(gate)
        began = time.monotonic()
        assert second.command("MAIL FROM:<second@example.com>") == 250
        assert time.monotonic() - began < SOON, "there was an idle connection"
        for client in (first, second):
            client.quit()
        server.disarm()
    server.stop()


def test_nobody_is_forgotten_in_the_line(make_gatepost):
    """Turns that come in vain, as others were faster, are the difficulty: many, and one connection for each transaction."""
    server = ScriptedUpstream()
    changes = {"workers": 2, "upstreams": [upstream([server], "1h", max_connections=3, max_idle=0)]}
    gate = make_gatepost(server.port, changes)
    for _ in range(150):
        codes = []

        def sessions():
            for _ in range(2):
                with begin(gate) as client:
                    codes.append(client.command("MAIL FROM:<a@example.com>").code)  # noqa: B023

        threads = [threading.Thread(target=sessions) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes == [250] * 16
    server.stop()
