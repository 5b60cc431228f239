"""A real Exim from Debian's package, unpacked privately (nothing is installed), that wants a PROXY header (v1 or v2) from 127.0.0.1.

It is the heavy one, because the light one of Debian 12 cannot do PROXY. It announces AUTH, so that a gateway sends MAIL … AUTH=, and
its log says whom that named: "mail_auth=ann". What it takes it delivers to a maildir.
"""
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
log_selector = +proxy +smtp_connection +received_recipients
acl_smtp_mailauth = accept
acl_smtp_rcpt = say_who
acl_smtp_data = accept
begin acl
say_who:
  accept logwrite = client=$sender_host_address mail_auth=$authenticated_sender from=$sender_address
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
        assert up and self.alive(), f"Exim did not start:\n{self.log}\n{self.mail_log()}"

    def mail_log(self):
        path = self.root / "var/log/exim4/mainlog"
        return path.read_text(errors="replace") if path.exists() else ""
