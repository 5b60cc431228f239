"""A real Kerberos KDC (MIT's, from Debian's packages, unpacked privately), with a realm, a port and files of its own.

`service_environment` is for who accepts tickets, `client_environment(user)` for who shows them; neither looks at this machine's Kerberos.
"""
import os
import pathlib
import subprocess

from .packages import unpack
from .process import Program, answers, free_port, wait_until

REALM = "GATE.EXAMPLE"


class Kdc(Program):
    """Knows `users` (name: password) and the services (such as "smtp/localhost") whose keys are in `keytab`."""

    def __init__(self, folder, users, services):
        self.package, libraries = unpack("krb5-kdc", "krb5-admin-server", "krb5-user")
        self.work = pathlib.Path(folder) / "kdc"
        self.work.mkdir()
        self.port = free_port()
        self.keytab = self.work / "service.keytab"
        self._write_configuration()
        self.common = {"PATH": os.environ["PATH"], "KRB5_CONFIG": str(self.work / "krb5.conf")}
        self.environment = {**self.common, "KRB5_KDC_PROFILE": str(self.work / "kdc.conf"), "LD_LIBRARY_PATH": libraries}
        self._run("sbin/kdb5_util", "create", "-r", REALM, "-s", "-P", "master key of a test")
        for user, password in users.items():
            self.administer(f'addprinc -pw "{password}" {user}')
        for service in services:
            self.administer(f"addprinc -randkey {service}")
            self.administer(f"ktadd -k {self.keytab} {service}")
        super().__init__(self.work, "krb5kdc", [self.package / "usr/sbin/krb5kdc", "-n", "-r", REALM, "-P", self.work / "pid"], env=self.environment)
        assert wait_until(lambda: not self.alive() or answers(self.port), 10) and self.alive(), f"krb5kdc did not start:\n{self.log[-4000:]}"

    def _write_configuration(self):
        (self.work / "krb5.conf").write_text(f"""\
[libdefaults]
    default_realm = {REALM}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    {REALM} = {{
        kdc = 127.0.0.1:{self.port}
    }}
[domain_realm]
    localhost = {REALM}
[dbmodules]
    db_module_dir = {next(self.package.glob("usr/lib/*/krb5/plugins/kdb"))}
""")  # fmt: skip
        (self.work / "kdc.conf").write_text(f"""\
[kdcdefaults]
    kdc_listen = 127.0.0.1:{self.port}
    kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
    {REALM} = {{
        database_name = {self.work}/principal
        key_stash_file = {self.work}/stash
        acl_file = {self.work}/acl
    }}
[logging]
    kdc = STDERR
""")

    def _run(self, tool, *words, **more):
        done = subprocess.run([self.package / "usr" / tool, *words], env=self.environment, capture_output=True, text=True, timeout=60, **more)
        assert done.returncode == 0, (tool, words, done.stdout, done.stderr)

    def administer(self, query):
        self._run("sbin/kadmin.local", "-r", REALM, "-q", query)

    @property
    def service_environment(self):
        return {**os.environ, **self.common, "KRB5_KTNAME": f"FILE:{self.keytab}", "KRB5RCACHENAME": f"dfl:{self.work}"}

    def client_environment(self, user, password):
        """With a fresh ticket of this user."""
        cache = f"FILE:{self.work}/cache-{user}"
        self.environment["KRB5CCNAME"] = cache
        self._run("bin/kinit", user, input=password + "\n")
        return {**os.environ, **self.common, "KRB5CCNAME": cache}
