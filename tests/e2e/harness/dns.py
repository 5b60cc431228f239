"""A DNS server of a test, on an address of its own at port 53, and how a program is made to ask it: DnsServer.wrapper in front of its command."""
import ipaddress
import shlex
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".")) + b"\0"


class DnsServer:
    """Answers from `names`, {"mta.test": ["192.0.2.1", "2001:db8::1"] or "another.test" for a CNAME}, which a test may change at any time.

    `ttl` is that of each record, `mode` one of "answer", "servfail", "servfail for AAAA" and "silent"; `asked` lists (name, type) of all questions. Use as a context.
    """

    def __init__(self, folder, names=None, ttl=1):
        self.names, self.ttl, self.mode, self.asked = dict(names or {}), ttl, "answer", []
        self._socket, self.address = self._listen()
        self.resolv_conf = folder / "resolv.conf"
        self.resolv_conf.write_text(f"nameserver {self.address}\n")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def wrapper(self):
        """Words in front of a command. It gets a mount namespace with another /etc/resolv.conf, which nobody else sees; its pid stays. Needs root."""
        script = f'mount --bind {shlex.quote(str(self.resolv_conf))} "$(readlink -f /etc/resolv.conf)" && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh"]

    def asked_for(self, name):
        return sum(asked == name for asked, _ in list(self.asked))

    def stop(self):
        self._socket.close()
        self._thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @staticmethod
    def _listen():
        """Each server has an address of its own, because resolv.conf cannot name a port."""
        for host in range(1, 255):
            listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listening.settimeout(0.1)
            try:
                listening.bind((f"127.53.0.{host}", 53))
                return listening, f"127.53.0.{host}"
            except PermissionError:
                listening.close()
                raise
            except OSError:
                listening.close()
        raise AssertionError("no address of 127.53.0.0/24 is free at port 53")

    def _serve(self):
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            answer = self._answer(query)
            if answer:
                self._socket.sendto(answer, client)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, (kind,) = ".".join(labels), struct.unpack_from("!H", query, at + 1)
        question = query[12 : at + 5]
        self.asked.append((name, kind))
        if self.mode == "silent":
            return None
        code, records = (SERVFAIL, []) if self.mode == "servfail" or (self.mode == "servfail for AAAA" and kind == AAAA) else self._find(name, kind)
        room, cut = self._room(query[at + 5 :]) - 12 - len(question), 0
        while sum(map(len, records)) > room:
            records.pop()
            cut = 0x0200
        header = query[:2] + struct.pack("!HHHHH", 0x8180 | cut | code, 1, len(records), 0, 0)
        return header + question + b"".join(records)

    @staticmethod
    def _room(additional):
        """What the client takes by UDP: 512, or what its OPT record says."""
        if additional[:3] == b"\0\0\x29":
            return max(512, *struct.unpack_from("!H", additional, 3))
        return 512

    def _find(self, name, kind):
        records, self._question = [], name
        while isinstance(self.names.get(name), str) and len(records) < 10:
            target = self.names[name]
            records.append(self._record(name, CNAME, encoded(target)))
            name = target
        if name not in self.names:
            return NXDOMAIN, records
        for address in map(ipaddress.ip_address, self.names[name]):
            if kind == (A if address.version == 4 else AAAA):
                records.append(self._record(name, kind, address.packed))
        return NOERROR, records

    def _record(self, name, kind, data):
        # A name is written in full only where it is not the one in the question, as servers do to save room.
        owner = b"\xc0\x0c" if name == self._question else encoded(name)
        return owner + struct.pack("!HHIH", kind, 1, self.ttl, len(data)) + data
