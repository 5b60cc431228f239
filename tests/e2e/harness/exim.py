"""A real Exim from Debian's package, unpacked privately (nothing is installed), that wants a PROXY header (v1 or v2) from 127.0.0.1.

It is the heavy one, because the light one of Debian 12 cannot do PROXY. It announces AUTH, so that a gateway sends MAIL … AUTH=, and
its log says whom that named.
No log_selector = +proxy: with that, Exim 4.96 dies of a message on a connection that began with PROXY v2 LOCAL. What it takes it delivers to a maildir.
"""
import re

from .private_root import PrivateRoot
from .process import free_port, wait_until

CONFIGURATION = """\
primary_hostname = mta.example
exim_user = Debian-exim
exim_group = Debian-exim
keep_environment =
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
hosts_proxy = 127.0.0.1
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
helo_allow_chars = _
smtp_accept_max_per_connection = 1000
deliver_drop_privilege = true
log_selector = +smtp_connection +received_recipients
acl_smtp_mailauth = accept
acl_smtp_rcpt = accept
acl_smtp_data = say_who
begin acl
say_who:
  accept logwrite = message-id=$h_message-id: client=$sender_host_address mail_auth=$authenticated_sender
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  directory = /var/mail
  maildir_format = true
  user = Debian-exim
  group = Debian-exim
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = false
"""


class Exim(PrivateRoot):
    def __init__(self, folder):
        self.port = free_port()
        owner = "Debian-exim"
        folders = dict.fromkeys(("var/spool/exim4", "var/log/exim4", "var/mail"), owner)
        super().__init__(folder, "exim", "exim4-daemon-heavy", {owner: 64123}, folders, {"etc/exim4/exim4.conf": CONFIGURATION.format(port=self.port)},
                         ["/package/usr/sbin/exim4", "-bdf", "-oX", str(self.port)])  # fmt: skip
        up = wait_until(lambda: not self.alive() or "listening for SMTP" in self.mail_log(), 20)
        self.assert_started(up, self.mail_log()[-4000:])

    def mail_log(self):
        path = self.root / "var/log/exim4/mainlog"
        return path.read_text(errors="replace") if path.exists() else ""

    def whose(self, message_id):
        """Who sent the message of this id, as the log has it: (client address, user of MAIL … AUTH= or None)."""
        found = wait_until(lambda: re.search(rf" <= .*\[([^\]]*)\] .* id={re.escape(message_id)} ", self.mail_log()))
        said = re.search(rf"message-id=<{re.escape(message_id)}> client=(\S+) mail_auth=(\S*)", self.mail_log())
        assert found and said and said[1] == found[1], f"no message {message_id!r}:\n{self.mail_log()[-3000:]}"
        return said[1], said[2] or None
