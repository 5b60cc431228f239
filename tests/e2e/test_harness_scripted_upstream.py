"""The scripted upstream and the ledger see what they are there to see."""
import types

import pytest
from harness import scripted_upstream as scripted
from harness.client import Client, Closed, Reply
from harness.ledger import Ledger, Sender
from harness.scripted_upstream import ScriptedUpstream

TAKEN, AGAIN, NEVER = (Reply([line]) for line in ("250 2.0.0 Taken", "451 4.4.2 Lost", "554 5.6.0 No"))


@pytest.fixture
def upstream():
    server = ScriptedUpstream((*scripted.EXTENSIONS, scripted.XCLIENT))
    yield server
    server.stop()


def talk(upstream, *lines):
    with Client(upstream.port) as client:
        client.ehlo()
        return client.commands(*lines)


def test_it_takes_mail_and_knows_whose(upstream):
    ledger = Ledger()
    with Client(upstream.port) as client:
        client.ehlo()
        assert client.command("XCLIENT LOGIN=zo+C3+AB+2B") == 220
        client.ehlo()
        assert all(Sender(ledger, client, "zoë+").send(how) == 250 for how in ("data", "pipelined", "bdat", "chunks"))
        client.quit()
    ledger.assert_agrees(upstream)
    ledger.assert_unmixed(upstream, identity=True)
    assert len(upstream.accepted) == 4


@pytest.mark.parametrize("lines, what", [
    (["MAIL FROM:<a@example.com>", "MAIL FROM:<b@example.com>"], "MAIL inside a transaction"),
    (["MAIL FROM:<a@example.com>", "XCLIENT LOGIN=ann"], "XCLIENT inside a transaction"),
    (["XCLIENT LOGIN=ann", "MAIL FROM:<a@example.com>"], "MAIL before EHLO"),
    (["XCLIENT ADDR=192.0.2.1", "EHLO x", "XCLIENT ADDR=192.0.2.2"], "a second XCLIENT with ADDR"),
    (["WHAT"], "unknown"),
])  # fmt: skip
def test_it_sees_what_no_client_may_do(lines, what, upstream):
    talk(upstream, *lines)
    assert len(upstream.violations) == 1 and what in upstream.violations[0]
    with pytest.raises(AssertionError, match=what):
        Ledger().assert_agrees(upstream)


@pytest.mark.parametrize("word", ["RSET", "EHLO again.example"])
def test_forgetting_ends_a_transaction(word, upstream):
    talk(upstream, "MAIL FROM:<a@example.com>", word, "MAIL FROM:<b@example.com>")
    assert not upstream.violations


def test_a_fault_hits_once_and_where_it_was_told_to(upstream):
    upstream.arm("mail", scripted.reply("450 4.2.1 Later"), reused=True)
    upstream.arm("ehlo", scripted.reset(), nth=3)
    assert [reply.code for reply in talk(upstream, "MAIL FROM:<a@example.com>", "RSET", "MAIL FROM:<a@example.com>", "MAIL FROM:<a@example.com>")] == [250, 250, 450, 250]
    talk(upstream)
    with pytest.raises(Closed):
        talk(upstream)
    talk(upstream)


def heard(*replies, accepted=0, complete=0, **more):
    """One message, of which the client and the upstream tell this."""
    ledger = Ledger()
    number, data = ledger.message()
    for reply in replies:
        attempt = ledger.begin(number, "a@example.com", ["b@example.net"], data, "ann")
        attempt.reply, attempt.after_data = reply, True
    message = scripted.Message("a@example.com", ["b@example.net"], data, "ann", 1)
    message = types.SimpleNamespace(**{**vars(message), "id": message.id, **more})
    return ledger, types.SimpleNamespace(accepted=[message] * accepted, complete=[message] * complete, violations=[], connections=[])


@pytest.mark.parametrize("replies, accepted, complete, what", [
    ([TAKEN], 1, 1, None), ([AGAIN], 0, 1, None), ([AGAIN], 0, 0, None), ([NEVER], 0, 1, None), ([AGAIN, TAKEN], 1, 2, None), ([None], 1, 1, None), ([None], 0, 0, None),
    ([TAKEN], 0, 1, "lost after 250"), ([TAKEN], 2, 2, "accepted, and"), ([TAKEN], 1, 2, "sent twice"), ([AGAIN], 1, 1, "accepted, and"), ([NEVER], 1, 1, "accepted, and"),
    ([AGAIN], 0, 2, "sent twice"), ([AGAIN, TAKEN], 2, 2, "accepted, and"), ([TAKEN, TAKEN], 1, 2, "lost after 250"),
])  # fmt: skip
def test_the_ledger_sees_who_disagrees(replies, accepted, complete, what):
    ledger, upstream = heard(*replies, accepted=accepted, complete=complete)
    if what is None:
        return ledger.assert_agrees(upstream)
    with pytest.raises(AssertionError, match=what):
        ledger.assert_agrees(upstream)
    return None


@pytest.mark.parametrize("more", [{"sender": "x@example.com"}, {"recipients": []}, {"login": "ben"}, {"login": None}, {"data": b""}])
def test_the_ledger_sees_what_was_mixed(more):
    ledger, upstream = heard(TAKEN, accepted=1, complete=1)
    ledger.assert_unmixed(upstream, identity=True)
    ledger, upstream = heard(TAKEN, accepted=1, complete=1, **more)
    with pytest.raises(AssertionError):
        ledger.assert_unmixed(upstream, identity=True)


def test_the_ledger_sees_a_stranger():
    _, upstream = heard(TAKEN, accepted=1, complete=1)
    with pytest.raises(AssertionError, match="nobody sent"):
        Ledger().assert_agrees(upstream)
