"""The servers of a bench run: the sink, nginx's mail proxy in its variants, and Gatepost. Each is a child of this process,
pinned to one CPU, started from a private folder and ended by its own process id. Never the system's services."""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PR_SET_PDEATHSIG = 1
USER, OTHER_USER = "bench@example.org", "other@example.org"
PASSWORD = "correct horse battery staple"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def on_cpu(cpu):
    """What a child does before it becomes the program: take its CPU, end when this process ends, and go before other work on
    the machine where that is permitted (a group of its own for the scheduler), so that a busy machine changes little."""

    def prepare():
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        try:
            with open("/proc/self/autogroup", "w", encoding="ascii") as file:
                file.write("-15")
        except OSError:
            pass

    return prepare


def wait_for_port(port, process, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with status {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not listen on {port}")


class Server:
    """A started child."""

    def __init__(self, command, cpu, log, **options):
        self.log = open(log, "ab")
        options.setdefault("stdout", self.log)
        self.process = subprocess.Popen(command, stderr=self.log, preexec_fn=on_cpu(cpu), **options)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(0.3)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)  # Gatepost: end without draining
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
        self.log.close()


class Sink(Server):
    def __init__(self, program, cpu, folder, *options):
        super().__init__([program, "--listen", "127.0.0.1:0", *options], cpu, folder / "sink.log", stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def connections(self):
        """How many it has accepted so far."""
        self.process.send_signal(signal.SIGUSR1)
        return int(self.process.stdout.readline().split()[-2])

    def stop(self):
        super().stop()
        self.process.stdout.close()


NGINX_CONF = """
{user}worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log error;
load_module {module};
events {{ worker_connections {files}; }}
"""

NGINX_AUTH = """
http {{
  access_log off;
  client_body_temp_path {prefix}/t1; proxy_temp_path {prefix}/t2; fastcgi_temp_path {prefix}/t3;
  uwsgi_temp_path {prefix}/t4; scgi_temp_path {prefix}/t5;
  server {{
    listen 127.0.0.1:{auth};
    location / {{
      add_header Auth-Status OK; add_header Auth-Server 127.0.0.1; add_header Auth-Port {upstream};
      return 204;
    }}
  }}
}}
"""

NGINX_MAIL = """
mail {{
  server_name gateway.test;
  auth_http 127.0.0.1:{auth}/;
  smtp_auth plain login;
  xclient off;
  ssl_certificate {certificate}; ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3;
{buffers}
  server {{ listen 127.0.0.1:{starttls}; protocol smtp; starttls on; }}
  server {{ listen 127.0.0.1:{implicit} ssl; protocol smtp; }}
  server {{ listen 127.0.0.1:{plain}; protocol smtp; }}
}}
"""

MAIL_MODULE = "usr/lib/nginx/modules/ngx_mail_module.so"


class NginxProgram:
    """Where nginx is: Debian's, installed, or else unpacked into a private folder of the build tree."""

    def __init__(self, root):
        self.program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.module = pathlib.Path("/") / MAIL_MODULE
        self.environment = dict(os.environ)
        if self.program and self.module.exists():
            return
        unpack, folder = root / "tests/tools/unpack_packages", root / "build/packages/nginx"
        subprocess.run([unpack, folder, "nginx", "libnginx-mod-mail"], check=True)
        libraries = subprocess.run([unpack, "--libraries", folder], check=True, capture_output=True, text=True)
        self.program, self.module = str(folder / "usr/sbin/nginx"), folder / MAIL_MODULE
        self.environment["LD_LIBRARY_PATH"] = libraries.stdout.strip()


class Proxy:
    """A proxy under test: ports for each kind of TLS, and the process whose cost is measured."""

    KINDS = ("starttls", "implicit", "none")

    def __init__(self, name, bench):
        self.name = name
        self.bench = bench
        self.servers = []
        self.ports = {}
        self.pid = None

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        self.servers = []

    def children(self):
        """The processes below the one that was started (nginx's worker)."""
        path = f"/proc/{self.pid}/task/{self.pid}/children"
        with open(path, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def restart(self):
        self.stop()
        self.start()


class Nginx(Proxy):
    """nginx's mail proxy. Its auth_http is a static `return 204` in the same nginx, or (`elsewhere`) in another one on the
    load's CPU, which is not counted. No password is ever verified."""

    def __init__(self, name, bench, elsewhere=False, tuned=False):
        super().__init__(name, bench)
        self.elsewhere = elsewhere
        self.tuned = tuned

    def start(self):
        auth, starttls, implicit, plain = free_ports(4)
        self.ports = {"starttls": starttls, "implicit": implicit, "none": plain}
        buffers = "  smtp_client_buffer 64k; proxy_buffer 64k;" if self.tuned else ""
        values = {
            "auth": auth, "starttls": starttls, "implicit": implicit, "plain": plain, "upstream": self.bench.sink.port,
            "certificate": self.bench.certificate, "key": self.bench.key, "buffers": buffers, "files": self.bench.files,
            "user": "user root;\n" if os.geteuid() == 0 else "",
            "module": self.bench.nginx.module,
        }
        if self.elsewhere:
            self._launch(self.name + "-auth", NGINX_CONF + NGINX_AUTH, values, self.bench.load_cpu, auth)
            server = self._launch(self.name, NGINX_CONF + NGINX_MAIL, values, self.bench.proxy_cpu, starttls)
        else:
            server = self._launch(self.name, NGINX_CONF + NGINX_AUTH + NGINX_MAIL, values, self.bench.proxy_cpu, starttls)
        self.pid = server.pid

    def _launch(self, name, conf, values, cpu, port):
        prefix = self.bench.folder / name
        prefix.mkdir(exist_ok=True)
        path = prefix / "nginx.conf"
        path.write_text(conf.format(prefix=prefix, **values))
        command = [self.bench.nginx.program, "-p", str(prefix), "-e", str(prefix / "error.log"), "-c", str(path)]
        server = Server(command, cpu, prefix / "out.log", env=self.bench.nginx.environment)
        self.servers.append(server)
        wait_for_port(port, server.process)
        return server


class Upstream(Proxy):
    """Nobody in between: the load talks to the sink."""

    def start(self):
        self.ports, self.pid = {"none": self.bench.sink.port}, self.bench.sink.pid


GATEPOST_CONF = """
hostname: gateway.test
workers: 1
listeners:
  - {{name: starttls, address: "127.0.0.1:{starttls}", tls: starttls}}
  - {{name: implicit, address: "127.0.0.1:{implicit}", tls: implicit}}
  - {{name: plain, address: "127.0.0.1:{plain}", tls: none}}
tls:
  certificates:
    - {{certificate: "{certificate}", key: "{key}"}}
auth:
  backends: [local]
  mechanisms: [PLAIN, LOGIN]
  plaintext_without_tls: true
backends:
  local: {{type: file, path: "{users}"}}
upstreams:
  - {{name: default, servers: ["127.0.0.1:{upstream}"]{more}}}
admin:
  address: ""
log:
  level: info
{rules}"""


class Gatepost(Proxy):
    """Gatepost with one worker, deadlines and limits as by default, its log (level info) written to a file. `more` is what its
    upstream has beside a server, which is the sink that speaks TLS with `to_tls`; `rules` is the part about limits."""

    def __init__(self, name, bench, more="", to_tls=False, rules=""):
        super().__init__(name, bench)
        self.more = more
        self.to_tls = to_tls
        self.rules = rules

    def start(self):
        starttls, implicit, plain = free_ports(3)
        self.ports = {"starttls": starttls, "implicit": implicit, "none": plain}
        prefix = self.bench.folder / self.name
        prefix.mkdir(exist_ok=True)
        users = prefix / "users"
        users.write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in (USER, OTHER_USER)))
        users.chmod(0o600)
        path = prefix / "gatepost.yaml"
        path.write_text(GATEPOST_CONF.format(
            starttls=starttls, implicit=implicit, plain=plain, users=users, more=self.more, rules=self.rules,
            upstream=(self.bench.tls_sink if self.to_tls else self.bench.sink).port, certificate=self.bench.certificate, key=self.bench.key))
        server = Server([self.bench.programs["gatepost"], "serve", "--config", str(path)], self.bench.proxy_cpu, prefix / "gatepost.log")
        self.servers.append(server)
        wait_for_port(starttls, server.process)
        self.pid = server.pid
        time.sleep(0.5)  # the first look at what the upstream can do
