"""An upstream in a thread of the test, for what no real MTA does: TLS that is wrong in a way that the test chooses."""
import contextlib
import socket
import ssl
import threading


class TlsUpstream:
    """Takes mail. `mode`: "starttls", "implicit" or "plain"; `answer` is said to STARTTLS, `inject` behind it in the same packet.

    `seen`: for each connection its TLS version (None = in the clear), the server name that was asked for and the client's common name;
    `messages`: the same of each message taken."""

    def __init__(self, pair, mode="starttls", client_ca=None, answer="220 2.0.0 go", inject=""):
        self.mode, self.answer, self.inject = mode, answer, inject
        self.seen, self.messages, self.names = [], [], {}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.use(pair)
        if client_ca:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.sni_callback = lambda connection, name, context: self.names.__setitem__(id(connection), name)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.is_stopped = False
        threading.Thread(target=self._accept, daemon=True).start()

    def use(self, pair):
        self.context.load_cert_chain(pair.certificate, pair.key)

    def stop(self):
        self.is_stopped = True
        self.socket.close()

    def _accept(self):
        while not self.is_stopped:
            with contextlib.suppress(OSError):
                threading.Thread(target=self._serve, args=(self.socket.accept()[0],), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError, ssl.SSLError):
            connection.settimeout(20)
            if self.mode == "implicit":
                connection = self.context.wrap_socket(connection, server_side=True)
            self._talk(connection)
        connection.close()

    def facts(self, connection):
        if not isinstance(connection, ssl.SSLSocket):
            return None, None, None
        subject = dict(part[0] for part in (connection.getpeercert() or {}).get("subject", ()))
        return connection.version(), self.names.get(id(connection)), subject.get("commonName")

    def _talk(self, connection, greets=True):
        facts = self.facts(connection)
        self.seen.append(facts)
        if greets:
            connection.sendall(b"220 mta.example ESMTP\r\n")
        reader = connection.makefile("rb")
        while line := reader.readline():
            verb = line.split()[0].upper()
            if verb == b"EHLO":
                offer = b"250-STARTTLS\r\n" if self.mode == "starttls" and facts[0] is None else b""
                connection.sendall(b"250-mta.example\r\n" + offer + b"250 8BITMIME\r\n")
            elif verb == b"STARTTLS":
                connection.sendall(f"{self.answer}\r\n{self.inject}".encode())
                if self.answer.startswith("220"):
                    return self._talk(self.context.wrap_socket(connection, server_side=True), greets=False)
            elif verb == b"DATA":
                connection.sendall(b"354 go on\r\n")
                while (data := reader.readline()) and data != b".\r\n":
                    pass
                self.messages.append(facts)
                connection.sendall(b"250 2.0.0 Ok\r\n")
            elif verb == b"QUIT":
                return connection.sendall(b"221 2.0.0 Bye\r\n")
            else:
                connection.sendall(b"250 2.0.0 Ok\r\n")
        return None
