"""The harness's own upstreams are what they claim to be: a real Postfix that gives octets back."""
import smtplib


def test_postfix_delivers_octet_for_octet(postfix):
    message = b"Subject: direct\r\nX-Mark: harness-1\r\n\r\n.dot\r\n..two\r\nnul \x00 and \xff\r\n" + b"x" * 3000 + b"\r\n"
    with smtplib.SMTP("127.0.0.1", postfix.port) as client:
        client.sendmail("a@example.com", ["b@example.net"], message)
    assert postfix.wait_for_message(b"X-Mark: harness-1").endswith(message.replace(b"\r\n", b"\n"))
