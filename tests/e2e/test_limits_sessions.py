"""`count: sessions`: so many at a time, as long as they are there, and never one more."""
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.client import Closed
from harness.limits import ALICE, BOB, attempt, begun, connect, is_full, limited, reset, rule, send, visit

RECIPIENT = "RCPT TO:<b@example.net>"


def stalls(client):
    """Says nothing any more."""


def is_silly(client):
    with contextlib.suppress(Closed, OSError):
        for _ in range(20):
            client.command("WHAT")


def breaks_the_line(client):
    client.send(b"NOOP\n")


def finishes(client):
    send(client)
    client.quit()


ENDS = {"quit": lambda client: client.quit(), "reset": reset, "close": lambda client: client.socket.close(), "timeout": stalls, "errors": is_silly, "bare-newline": breaks_the_line,
        "after-a-message": finishes, "in-a-transaction": lambda client: reset(begun(client, RECIPIENT)), "in-data": lambda client: reset(begun(client, RECIPIENT, "DATA")),
        "waiting-for-upstream": lambda client: (client.send("MAIL FROM:<a@example.com>\r\n"), reset(client))}  # fmt: skip


@pytest.mark.parametrize("per", ["ip", "user"])
@pytest.mark.parametrize("end", ENDS)
def test_a_session_is_over_however_it_ends(make_gatepost, upstream, end, per):
    gate = limited(make_gatepost, upstream.port, rule("sessions", per, rate=2), changes={"session": {"command_timeout": "1s" if end == "timeout" else "5m"}})
    clients = [visit(gate, ALICE) for _ in range(2)]
    if per == "ip":
        is_full(connect(gate).greeting, "421 4.7.0")
    else:
        with visit(gate) as third:
            is_full(attempt(third), "454 4.7.0")
    for client in clients:
        ENDS[end](client)
    gate.wait_for_metric("gatepost_connections_active", 0)
    again = [visit(gate, ALICE) for _ in range(2)]
    assert (connect(gate).greeting == 421) == (per == "ip"), "there were two places, not more"
    for client in [*clients, *again]:
        client.socket.close()


def test_who_is_refused_as_one_may_come_as_another(make_gatepost, upstream):
    gate = limited(make_gatepost, upstream.port, rule("sessions", rate=1))
    first = visit(gate, ALICE)
    for _ in range(3):
        with visit(gate) as second:
            is_full(attempt(second), "454 4.7.0")
            assert attempt(second, BOB, "wrong") == 535
            assert attempt(second, BOB) == 235
            with visit(gate) as third:
                is_full(attempt(third, BOB), "454 4.7.0")
        gate.wait_for_metric("gatepost_connections_active", 1)
    first.quit()


@pytest.mark.parametrize("per", ["ip", "user", "all", "listener"])
def test_a_number_at_a_time_is_never_exceeded(make_gatepost, upstream, per):
    gate = limited(make_gatepost, upstream.port, rule("sessions", per, rate=7), changes={"workers": 2})
    now, most, lock, served = 0, 0, threading.Lock(), []

    def come_and_go(_):
        nonlocal now, most
        for _ in range(4):
            client = connect(gate)
            if client.greeting == 220:
                client.ehlo()
            is_in = client.greeting == 220 and (per != "user" or attempt(client) == 235)
            if is_in:
                with lock:
                    now, most = now + 1, max(most, now + 1)
                time.sleep(0.02)
                with lock:
                    now -= 1
            served.append(is_in)
            client.socket.close()

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(come_and_go, range(50)))
    assert 2 <= most <= 7 and sum(served) >= 7 and len(served) == 200
    gate.wait_for_metric("gatepost_connections_active", 0)
    again = [visit(gate, ALICE) for _ in range(7)]
    assert all(client.command("NOOP") == 250 for client in again), "nobody's place was lost"
    for client in again:
        client.socket.close()
