"""The sink keeps exactly what it was sent, and nothing of what was cut off."""
from harness.client import Client


def test_sink_keeps_octets_and_envelope(make_sink):
    sink = make_sink()
    message = b"Subject: direct\r\n\r\n.dot\r\n..two\r\nnul \x00 and \xff\r\n" + b"x" * 70000 + b"\r\n"
    with Client(sink.port) as client:
        client.ehlo()
        assert client.mail(message) == 250
        client.quit()
    assert sink.wait_for(1) == [message]


def test_sink_keeps_no_message_that_was_cut_off(make_sink):
    sink = make_sink()
    with Client(sink.port) as client:
        client.ehlo()
        client.commands("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA")
        client.send("Subject: cut\r\n\r\nhalf")
    with Client(sink.port) as client:
        client.ehlo()
        assert client.mail(b"Subject: whole\r\n\r\n") == 250
    assert sink.wait_for(1) == [b"Subject: whole\r\n\r\n"]


def test_sink_takes_messages_in_tls_and_forgets_what_came_before(make_sink, tls):
    sink = make_sink("--certificate", tls.ecdsa.certificate, "--key", tls.ecdsa.key)
    message = b"Subject: in TLS\r\n\r\n" + b"x" * 300_000 + b"\r\n"
    with Client(sink.port) as client:
        assert "STARTTLS" in client.ehlo()
        assert client.command("MAIL FROM:<before@example.com>") == 250
        assert "STARTTLS" not in client.starttls()
        assert client.mail(message) == 250
        client.send("RSET\r\nMAIL FROM:<a@example.com>\r\nNOOP\r\n")
        assert [client.reply().code for _ in range(3)] == [250, 250, 250]
        client.quit()
    assert sink.wait_for(1) == [message]
