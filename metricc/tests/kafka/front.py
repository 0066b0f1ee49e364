"""A listener of a broker: with TLS, and with logins by SASL, which brokers of tests do not have.

It proves logins itself and passes everything else on, a request at a time. Where the broker says its own address, it
says this one. What it says of logins is that of Kafka (KIP-43, KIP-152), of SCRAM that of RFC 5802; the example of
RFC 7677 is computed at each start.

Argument: an object with `port` (of the broker), and perhaps `certificate` and `key` (PEM files), and `mechanism`,
`user` and `password`. With `http`, it stands before a web server instead. It prints the port that it listens at, and
ends with its standard input.
"""

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import sys
import threading

HANDSHAKE, VERSIONS, AUTHENTICATE = 17, 18, 36
NONE, BAD_MECHANISM, BAD_STATE, FAILED = 0, 33, 34, 58
HOST = b"127.0.0.1"
HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class Refused(Exception):
    """Whoever logs in is not let in."""


class Scram:
    """What a server keeps of a password, and what it answers to one login."""

    def __init__(self, name, user, password, salt, nonce):
        self.hash, self.user, self.salt, self.nonce = name, user, salt, nonce
        salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, 4096)
        self.stored = hashlib.new(name, self.mac(salted, b"Client Key")).digest()
        self.server = self.mac(salted, b"Server Key")
        self.first = None

    def mac(self, key, data):
        return hmac.new(key, data, self.hash).digest()

    def answer(self, message):
        """The answer to a message, and whether it is the last one."""
        if self.first is None:
            header, self.bare = message[:3], message[3:]
            fields = dict(field.split("=", 1) for field in self.bare.split(","))
            if header != "n,," or fields["n"].replace("=2C", ",").replace("=3D", "=") != self.user:
                raise Refused()
            self.whole_nonce = fields["r"] + self.nonce
            self.first = f"r={self.whole_nonce},s={base64.b64encode(self.salt).decode()},i=4096"
            return self.first, False
        without_proof, proof = message.rsplit(",p=", 1)
        if without_proof != f"c=biws,r={self.whole_nonce}":
            raise Refused()
        signed = f"{self.bare},{self.first},{without_proof}".encode()
        mask = self.mac(self.stored, signed)
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), mask, strict=True))
        if not hmac.compare_digest(hashlib.new(self.hash, key).digest(), self.stored):
            raise Refused()
        return f"v={base64.b64encode(self.mac(self.server, signed)).decode()}", True


def check_scram():
    """The example of RFC 7677."""
    client, server = "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    login = Scram("sha256", "user", "pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), server)
    login.answer(f"n,,n=user,r={client}")
    proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    last = login.answer(f"c=biws,r={client}{server},p={proof}")
    assert last == ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", True), last


class Closed(Exception):
    """The other side has ended the connection."""


def read_exact(stream, n_bytes):
    parts = b""
    while len(parts) < n_bytes:
        part = stream.recv(n_bytes - len(parts))
        if not part:
            raise Closed()
        parts += part
    return parts


def read_frame(stream):
    return read_exact(stream, struct.unpack(">i", read_exact(stream, 4))[0])


def frame(body):
    return struct.pack(">i", len(body)) + body


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class Connection:
    def __init__(self, settings, stream, port):
        self.settings, self.stream = settings, stream
        self.mechanism = settings.get("mechanism")
        self.is_in = self.mechanism is None
        self.chosen = self.login = None
        self.own = HOST + struct.pack(">i", port)
        self.brokers = HOST + struct.pack(">i", settings["port"])

    def serve(self):
        with socket.create_connection(("127.0.0.1", self.settings["port"])) as broker:
            while True:
                request = read_frame(self.stream)
                kind, _, number, n_client = struct.unpack(">hhih", request[:10])
                body, correlation = request[10 + max(n_client, 0):], struct.pack(">i", number)
                if self.mechanism and kind == HANDSHAKE:
                    self.stream.sendall(frame(correlation + self.handshake(body)))
                elif self.mechanism and kind == AUTHENTICATE:
                    answer, goes_on = self.authenticate(body)
                    self.stream.sendall(frame(correlation + answer))
                    if not goes_on:
                        return
                elif self.is_in or kind == VERSIONS:
                    broker.sendall(frame(request))
                    answer = read_frame(broker)
                    self.stream.sendall(frame(answer.replace(self.brokers, self.own)))
                else:
                    # As brokers do to those who have not logged in.
                    return

    def handshake(self, body):
        name = body[2:].decode()
        self.chosen = name if name == self.mechanism else None
        error = NONE if self.chosen else BAD_MECHANISM
        return struct.pack(">hi", error, 1) + text(self.mechanism)

    def authenticate(self, body):
        """The answer, and whether the connection goes on."""
        if self.chosen is None:
            return struct.pack(">h", BAD_STATE) + text("no handshake") + struct.pack(">iq", 0, 0), False
        try:
            answer, is_last = self.prove(body[4:].decode())
        except (Refused, KeyError, ValueError):
            said = f"Authentication failed during authentication due to invalid credentials with SASL mechanism {self.chosen}"
            return struct.pack(">h", FAILED) + text(said) + struct.pack(">iq", 0, 0), False
        self.is_in = is_last
        answer = answer.encode()
        return struct.pack(">hhi", NONE, -1, len(answer)) + answer + struct.pack(">q", 0), True

    def prove(self, message):
        user, password = self.settings["user"], self.settings["password"]
        if self.chosen == "PLAIN":
            if message != f"\0{user}\0{password}":
                raise Refused()
            return "", True
        if self.login is None:
            self.login = Scram(HASHES[self.chosen], user, password, os.urandom(16), os.urandom(18).hex())
        return self.login.answer(message)


def read_message(stream):
    """A message of HTTP whose length its head says."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exact(stream, 1)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + read_exact(stream, int(line.split(b":")[1]))
    return head


def serve_http(stream, port):
    with socket.create_connection(("127.0.0.1", port)) as server:
        while True:
            server.sendall(read_message(stream))
            stream.sendall(read_message(server))


def accept(settings, context, client, port):
    try:
        with context.wrap_socket(client, server_side=True) if context else client as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if settings.get("http"):
                serve_http(stream, settings["port"])
            else:
                Connection(settings, stream, port).serve()
    except (Closed, OSError, struct.error):
        pass
    finally:
        client.close()


def main():
    check_scram()
    settings, context = json.loads(sys.argv[1]), None
    if "certificate" in settings:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])
        if "client_ca" in settings:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(settings["client_ca"])
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    print(port, flush=True)

    def listen():
        while True:
            client = listener.accept()[0]
            threading.Thread(target=accept, args=(settings, context, client, port), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    sys.stdin.read()


main()
