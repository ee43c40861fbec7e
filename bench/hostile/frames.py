"""HTTP/2 frames by hand (RFC 9113), as an attacker without a certificate writes them."""

import socket
import ssl
import struct

from crowd import connect_plain

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CANCEL = struct.pack(">I", 8)
MAX_FRAME = 16384


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def integer(value, bits):
    """An integer of RFC 7541, 5.1, whose first byte has no other bits."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((value,))
    out, value = [limit], value - limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def field(name, value):
    """A literal header field without indexing and without Huffman's code."""
    return b"\0" + integer(len(name), 7) + name + integer(len(value), 7) + value


def call_headers(method):
    return b"".join((field(b":method", b"POST"), field(b":scheme", b"https"), field(b":path", method),
                     field(b":authority", b"127.0.0.1"), field(b"content-type", b"application/grpc"),
                     field(b"te", b"trailers")))


def message(fields):
    """A gRPC message of string fields, by their numbers."""
    body = b"".join(integer(number << 3 | 2, 8) + varint(len(text)) + text for number, text in fields.items())
    return b"\0" + struct.pack(">I", len(body)) + body


def varint(value):
    out = bytearray()
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


class Stranger:
    """A TLS connection to the fleet port without a certificate."""

    def __init__(self, host, port, source, protocols=("h2",)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        plain = connect_plain(host, port, source)
        try:
            self.sock = context.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise
        self.protocol, self.received = self.sock.selected_alpn_protocol(), b""

    def begin(self, seconds=5):
        """Sends the preface; whether the server answered in HTTP/2."""
        self.sock.settimeout(seconds)
        try:
            self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
            while len(self.received) < 9:
                more = self.sock.recv(65536)
                if not more:
                    return False
                self.received += more
        except OSError:
            return False
        return self.received[3] == SETTINGS

    def frames(self):
        """The frames that have come, after waiting for some; raises OSError at the end."""
        more = self.sock.recv(65536)
        if not more:
            raise ConnectionResetError
        self.received += more
        while len(self.received) >= 9:
            length = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + length:
                return
            kind, flags = self.received[3], self.received[4]
            payload, self.received = self.received[9:9 + length], self.received[9 + length:]
            yield kind, flags, payload

    def drain(self):
        """Reads and forgets what has come."""
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            while self.sock.recv(65536):
                pass
        except (ssl.SSLWantReadError, BlockingIOError, socket.timeout):
            pass
        finally:
            self.sock.settimeout(timeout)

    def close(self):
        self.sock.close()
