"""A real slapd from Debian's package, unpacked privately (nothing is installed) and run in the foreground on a free port.

Its users are `uid=NAME,ou=people,dc=example,dc=com` with the password in clear, as SASL needs it. The service `gate` may act for each of them, which is
what Cyrus' ldapdb does: it binds by SASL as ldapdb_id and asks, on behalf of the user, for the user's own entry.
"""
import os
import signal
import subprocess

from .packages import unpack
from .process import Program, answers, free_port, wait_until

SERVICE, SERVICE_PASSWORD = "gate", "service-8842-tulip"

CONFIGURATION = """\
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.4203.1.3.4 NAME 'authPassword' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
modulepath {root}/usr/lib/ldap
moduleload back_mdb
pidfile {work}/pid
sasl-host localhost
sasl-auxprops slapd
password-hash {{CLEARTEXT}}
authz-policy to
authz-regexp uid=([^,@]+)(@example.com)?(,cn=localhost)?(,cn=digest-md5)?,cn=auth {mapping}
database mdb
suffix dc=example,dc=com
directory {work}/data
access to attrs=userPassword,authPassword by self read by anonymous auth by * none
access to * by * read
"""

# By calculation, everybody has a place in the tree, and only looking there shows that nobody stands on it; by search, nobody is mapped to nothing.
MAPPINGS = {"calculated": "uid=$1,ou=people,dc=example,dc=com", "searched": "ldap:///ou=people,dc=example,dc=com??one?(uid=$1)"}


class Slapd(Program):
    def __init__(self, folder, users, mapping="calculated", keys=None):
        """`keys`: name to SCRAM keys, for users without a password."""
        self.root, libraries = unpack("slapd")
        self.work = folder / "slapd"
        (self.work / "data").mkdir(parents=True)
        self.environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}
        self.configuration = self.work / "slapd.conf"
        self.configuration.write_text(CONFIGURATION.format(root=self.root, work=self.work, mapping=MAPPINGS[mapping]))
        entries = ["dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n",
                   "dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n",
                   self._person(SERVICE, SERVICE_PASSWORD) + "authzTo: dn.regex:^uid=[^,]+,ou=people,dc=example,dc=com$\n"]  # fmt: skip
        entries += [self._person(name.partition("@")[0], password) for name, password in users.items()]
        entries += [self._person(name, None) + f"objectClass: extensibleObject\nauthPassword: {value}\n" for name, value in (keys or {}).items()]
        self._run("-T", "add", "-f", self.configuration, input="\n".join(entries))
        self.port = free_port()
        self.uri = f"ldap://127.0.0.1:{self.port}"
        self.start()

    @staticmethod
    def _person(name, password):
        entry = f"dn: uid={name},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
        return entry + (f"userPassword: {password}\n" if password else "")

    def _run(self, *words, **more):
        done = subprocess.run([self.root / "usr/sbin/slapd", *words], env=self.environment, capture_output=True, text=True, **more)
        assert done.returncode == 0, done.stderr

    def start(self):
        """Also again, after kill()."""
        super().__init__(self.work, "slapd", [self.root / "usr/sbin/slapd", "-f", self.configuration, "-h", self.uri, "-d", "stats"], env=self.environment)
        up = wait_until(lambda: not self.alive() or answers(self.port), 10)
        assert up and self.alive(), f"slapd did not start:\n{self.log[-4000:]}"

    def freeze(self):
        """Connections are taken by the kernel, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def stop(self):
        if self.alive():
            self.kill()
