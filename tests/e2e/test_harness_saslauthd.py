"""The harness's saslauthd is the real one: it judges, hangs, dies and comes back as told."""
import socket

import pytest
from harness.gatepost import USERS
from harness.saslauthd import Saslauthd, ask


@pytest.fixture
def daemon(tmp_path):
    daemon = Saslauthd(tmp_path, USERS)
    yield daemon
    daemon.stop()


def test_judges_by_name_and_realm(daemon):
    for user, password in USERS.items():
        name, _, realm = user.partition("@")
        assert ask(daemon.path, name, password, realm) == "OK"
        assert ask(daemon.path, name, password + "x", realm).startswith("NO")
    assert ask(daemon.path, "alice@example.com", USERS["alice@example.com"]).startswith("NO"), "sasldb does not split names itself"
    assert ask(daemon.path, "alice", "x" * 256, "example.com").startswith("NO")
    assert ask(daemon.path, "alice", "x" * 257, "example.com") == "NO ", "it says so of a password that it does not take, too"


def test_freezes_dies_and_comes_back(daemon):
    name, _, realm = "alice@example.com".partition("@")
    daemon.freeze()
    with pytest.raises(socket.timeout):
        ask(daemon.path, name, "x", realm, timeout=0.5)
    daemon.thaw()
    assert ask(daemon.path, name, USERS["alice@example.com"], realm) == "OK"
    daemon.kill()
    with pytest.raises(ConnectionError):  # refused, or reset where it was still waiting to be taken
        ask(daemon.path, name, "x", realm)
    daemon.start()
    assert ask(daemon.path, name, USERS["alice@example.com"], realm) == "OK"
