"""PROXY headers as a well-behaved balancer writes them."""
import ipaddress
import struct


def proxy_v1(client, server="127.0.0.1", port=56324):
    family = "TCP6" if ":" in client else "TCP4"
    return f"PROXY {family} {client} {server} {port} 25\r\n".encode()


def proxy_v2(client=None, server="127.0.0.1", port=56324):
    """Without a client: LOCAL, what a balancer says for itself."""
    command, family, addresses = 0x20, 0, b""
    if client:
        ends = [ipaddress.ip_address(end).packed for end in (client, server)]
        command, family, addresses = 0x21, 0x21 if ":" in client else 0x11, b"".join(ends) + struct.pack("!HH", port, 25)
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", command, family, len(addresses)) + addresses
