"""A real Postfix from Debian's package, unpacked privately (nothing is installed) and started on a free port of 127.0.0.1.

Its master needs root and two accounts that share no id with others; those of every Debian (uucp and irc) do, so none is made. What it
takes it delivers to a maildir, where the octets can be read back: line ends are LF there, and Postfix puts its own fields in front.
"""
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import socket

from .packages import unpack
from .process import Program, answers, free_port, wait_until
from .sasldb import make_sasldb

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {work}/queue
data_directory = {work}/data
command_directory = {package}/usr/sbin
daemon_directory = {package}/usr/lib/postfix/sbin
shlib_directory = {package}/usr/lib/postfix
meta_directory = {package}/etc/postfix
mail_owner = uucp
setgid_group = irc
default_privs = nobody
import_environment = MAIL_CONFIG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH={libraries}
export_environment = TZ LANG=C LD_LIBRARY_PATH={libraries}
maillog_file = {work}/maillog
maillog_file_prefixes = {work}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mta.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{refused@example.net = 550 5.1.1 No such mailbox}}, {{later@example.net = 450 4.2.1 Mailbox busy}} }}, permit_mynetworks
virtual_mailbox_domains = example.com, example.net
virtual_mailbox_base = {work}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = 67108864
local_header_rewrite_clients =
alias_maps =
alias_database =
"""  # fmt: skip

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
virtual unix - n n - - virtual
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
"""


PROXY_CF = """\
smtpd_upstream_proxy_protocol = haproxy
"""

# Who logged in may send as himself only, and others as carol.
OWN_SENDERS = """\
smtpd_sender_login_maps = inline:{ {ann@example.com = ann}, {bob@example.com = bob}, {news@example.com = ann+news=x@example.com} }
smtpd_sender_restrictions = reject_sender_login_mismatch
"""

# Postfix looks at the LOGIN of an XCLIENT only where SASL is on, whether or not anybody can log in.
SASL_CF = """\
smtpd_sasl_auth_enable = yes
"""

SASL_CONF = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {sasl}/sasldb2
mech_list: {mechanisms}
"""


def each_key_once(lines):
    """The last line of each key. Of a second one each process warns, postlogd too, and that to itself: it may wait for itself for ever."""
    return "".join(f"{line}\n" for line in {line.partition("=")[0].strip(): line for line in lines.splitlines()}.values())


class Postfix(Program):
    def __init__(self, folder, more="", proxy=False, mechanisms="", accounts=None):
        """`more`: further lines of main.cf, or other ones for its keys; `proxy`: who connects must begin with a PROXY header; `mechanisms` that AUTH offers to
        `accounts`, {name: password}."""
        assert os.getuid() == 0, "Postfix's master needs root: run the end-to-end tests as root"
        package, libraries = unpack("postfix")
        self.port = free_port()
        work = folder / "postfix"
        self.mail = work / "mail"
        owner = pwd.getpwnam("uucp")
        shutil.rmtree(work, ignore_errors=True)
        self._make_folders(work, owner)
        facts = {"work": work, "package": package, "libraries": libraries, "uid": owner.pw_uid, "gid": owner.pw_gid, "port": self.port}
        self.first = f"PROXY TCP4 127.0.0.1 127.0.0.1 1 {self.port}\r\n".encode() if proxy else b""
        parts = [MAIN_CF, PROXY_CF if proxy else "", SASL_CF if mechanisms else ""]
        (work / "etc" / "main.cf").write_text(each_key_once("".join(parts).format(**facts) + more))
        if mechanisms:
            self.sasl = work / "etc" / "sasl"  # Debian's Postfix looks there and nowhere else
            self.sasl.mkdir()
            (self.sasl / "smtpd.conf").write_text(SASL_CONF.format(sasl=self.sasl, mechanisms=mechanisms))
            for name, password in (accounts or {"nobody": "nothing"}).items():
                self.set_account(name, password)
            shutil.chown(self.sasl / "sasldb2", owner.pw_uid)
        (work / "etc" / "master.cf").write_text(MASTER_CF.format(**facts))
        master = package / "usr/lib/postfix/sbin/master"
        super().__init__(folder, "postfix-master", [master, "-c", work / "etc", "-d"], env={"LD_LIBRARY_PATH": libraries, "PATH": os.environ["PATH"]})
        self.maillog = work / "maillog"
        up = wait_until(lambda: self._greets() or not self.alive(), 20)
        self.assert_started(up, self.mail_log()[-4000:])

    def _greets(self):
        if not answers(self.port):
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as probe:
            probe.sendall(self.first)
            return probe.recv(100).startswith(b"220 ")
        return False

    @staticmethod
    def _make_folders(work, owner):
        group = "irc"
        for parent in [work.parent, *work.parent.parents]:  # Postfix's own users must be able to reach their files
            if parent != pathlib.Path("/") and parent.stat().st_uid == 0:
                parent.chmod(parent.stat().st_mode | 0o011)
        for name in ("etc", "data", "mail", "queue", "queue/pid"):
            (work / name).mkdir(parents=True)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace", "public", "maildrop"):
            (work / "queue" / name).mkdir(mode=0o700)
            shutil.chown(work / "queue" / name, "uucp")
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            shutil.chown(work / "queue" / name, group=group)
            (work / "queue" / name).chmod(mode)
        for name in ("data", "mail"):
            shutil.chown(work / name, owner.pw_uid, owner.pw_gid)

    def set_account(self, name, password):
        make_sasldb(self.sasl / "sasldb2", {(name, "mta.example"): password})

    def mail_log(self):
        return self.maillog.read_text(errors="replace") if self.maillog.exists() else ""

    def whose(self, message_id):
        """Who sent the message of this id, as the log has it: (client address, user or None)."""

        def line():
            queue_id = re.search(rf"cleanup\[\d+\]: (\w+): message-id=<{re.escape(message_id)}>", self.mail_log())
            return queue_id and re.search(rf"smtpd\[\d+\]: {queue_id[1]}: client=[^ ,]*\[([^\]]*)\](?:.*?sasl_username=(\S+))?", self.mail_log())

        found = wait_until(line, 10, 0.02)
        assert found, f"no message {message_id!r}:\n{self.mail_log()[-3000:]}"
        return found.groups()

    def sessions(self):
        """What was said on each connection that is over and took a MAIL: ["ehlo=2 xclient=1 mail=1 …", …]."""
        return [said for said in re.findall(r": disconnect from \S+ (.*)", self.mail_log()) if " mail=" in said]

    def messages(self):
        """Delivered messages, oldest first, as Postfix wrote them."""
        return [path.read_bytes() for path in sorted(self.mail.glob("all/new/*"), key=lambda path: path.stat().st_mtime_ns)]

    def wait_for_message(self, marker, seconds=15.0):
        """The one delivered message that holds `marker`."""
        found = wait_until(lambda: [message for message in self.messages() if marker in message], seconds, 0.05)
        assert found and len(found) == 1, f"{len(found or [])} messages with {marker!r}:\n{self.mail_log()[-3000:]}"
        return found[0]

    def stop(self):
        if self.alive():
            self.terminate()
