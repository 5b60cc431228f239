"""Users as plugins of Cyrus SASL keep them, and what a backend must be told to find them there."""
import os
import sqlite3
import subprocess

from .packages import unpack
from .slapd import SERVICE, SERVICE_PASSWORD, Slapd


def backend(plugin, options, mechanisms, **more):
    return {"type": "sasl", "method": "auxprop", "auxprop_plugin": plugin, "options": options, "mechanisms": mechanisms, **more}


class Sasldb:
    """A file of saslpasswd2, which takes `alice@example.com` for alice in realm example.com, and carol for carol in `realm`."""

    plugin = "sasldb"

    def __init__(self, folder, users, realm="gate.example"):
        package, libraries = unpack("sasl2-bin")
        self.tool, self.environment = package / "usr/sbin/saslpasswd2", {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}
        self.path, self.realm = folder / "sasldb2", realm
        self.options = {"sasldb_path": str(self.path)}
        for user, password in users.items():
            self.set(user, password)

    def set(self, user, password):
        name, _, realm = user.partition("@")
        subprocess.run([self.tool, "-p", "-c", "-f", self.path, "-u", realm or self.realm, name], input=password.encode(), check=True, env=self.environment)

    def go(self):
        self.path.rename(self.path.with_suffix(".away"))

    def come_back(self):
        self.path.with_suffix(".away").rename(self.path)

    def stop(self):
        pass


class Sqlite:
    plugin = "sql"

    def __init__(self, folder, users):
        self.path = folder / "users.sqlite"
        self.options = {"sql_engine": "sqlite3", "sql_database": str(self.path), "sql_select": "SELECT %p FROM users WHERE name = '%u' AND realm = '%r'"}
        with sqlite3.connect(self.path) as database:
            database.execute("CREATE TABLE users (name TEXT, realm TEXT, userPassword TEXT)")
        for user, password in users.items():
            self.set(user, password)

    def set(self, user, password):
        name, _, realm = user.partition("@")
        with sqlite3.connect(self.path) as database:
            database.execute("INSERT INTO users VALUES (?, ?, ?)", (name, realm or "gate.example", password))

    def go(self):
        """The database is there, and its query fails: what the plugin reports as it does an unknown user."""
        with sqlite3.connect(self.path) as database:
            database.execute("ALTER TABLE users RENAME TO away")

    def come_back(self):
        with sqlite3.connect(self.path) as database:
            database.execute("ALTER TABLE away RENAME TO users")

    def stop(self):
        pass


class Ldap:
    plugin = "ldapdb"

    def __init__(self, folder, users, mapping="calculated", keys=None):
        self.slapd = Slapd(folder, users, mapping, keys)
        self.options = {"ldapdb_uri": self.slapd.uri, "ldapdb_id": SERVICE, "ldapdb_pw": SERVICE_PASSWORD, "ldapdb_mech": "DIGEST-MD5"}

    def go(self):
        self.slapd.kill()

    def come_back(self):
        self.slapd.start()

    def stop(self):
        self.slapd.stop()
