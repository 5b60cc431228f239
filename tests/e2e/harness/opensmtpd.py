"""A real OpenSMTPD from Debian's package, unpacked privately (nothing is installed), that wants a PROXY v2 header. It delivers to a maildir."""
import re

from .private_root import PrivateRoot
from .process import free_port, wait_until

CONFIGURATION = """\
listen on 127.0.0.1 port {port} hostname mta.example proxy-v2
action "keep" maildir "/var/mail" virtual {{ "@" = opensmtpd }}
match from any for any action "keep"
"""


class OpenSmtpd(PrivateRoot):
    def __init__(self, folder):
        self.port = free_port()
        folders = {"var/lib/opensmtpd/empty": None, "var/spool": None, "var/mail": "opensmtpd"}
        super().__init__(folder, "smtpd", "opensmtpd", {"opensmtpd": 64123, "opensmtpq": 64124}, folders, {"etc/smtpd.conf": CONFIGURATION.format(port=self.port)},
                         ["/package/usr/sbin/smtpd", "-d", "-v"])  # fmt: skip
        up = wait_until(lambda: not self.alive() or "smtp: listen on" in self.log, 20)
        self.assert_started(up)

    def mail_log(self):
        return self.log

    def whose(self, message_id):
        """Who sent the message of this id: (client address, None). The log names it by a number, which the delivered message has too."""
        found = wait_until(lambda: [message for message in self.messages() if f"<{message_id}>".encode() in message])
        assert found, f"no message {message_id!r}:\n{self.log[-3000:]}"
        number = re.search(rb"with ESMTPS? id ([0-9a-f]+)", found[0])[1].decode()
        session = re.search(rf"([0-9a-f]+) smtp message msgid={number} ", self.log)[1]
        return re.search(rf"{session} smtp connected address=(\S+)", self.log)[1].strip("[]"), None
