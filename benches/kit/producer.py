"""Writes records to a topic: as much of Kafka's protocol as that takes, in versions that all brokers have.

A batch is encoded once, with its checksum, and may be sent any number of times: the offset that the broker
gives it is outside of the checksum. So a producer in Python costs next to nothing.
"""
import socket
import struct
import time

PRODUCE, METADATA, CREATE_TOPICS = 0, 3, 19


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def crc32c(data):
    table, crc = TABLE, 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def zigzag(number):
    number, out = number << 1 if number >= 0 else (-number << 1) - 1, bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def batch(values):
    """A batch of records without keys, not compressed, of this moment: retention would take older ones."""
    records, at_ms = bytearray(), int(1000 * time.time())
    for number, value in enumerate(values):
        record = b"\0" + zigzag(0) + zigzag(number) + zigzag(-1) + zigzag(len(value)) + value + zigzag(0)
        records += zigzag(len(record)) + record
    n = len(values)
    body = struct.pack(">hiqqqhii", 0, n - 1, at_ms, at_ms, -1, -1, -1, n) + bytes(records)
    checked = struct.pack(">ibI", -1, 2, crc32c(body)) + body
    return struct.pack(">qi", 0, len(checked)) + checked


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class Producer:
    """One connection to a broker."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = 0

    def _ask(self, key, version, body):
        self.number += 1
        head = struct.pack(">hhi", key, version, self.number) + text("benches")
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        size = struct.unpack(">i", self._read(4))[0]
        return self._read(size)[4:]

    def _read(self, size):
        out = bytearray()
        while len(out) < size:
            part = self.socket.recv(size - len(out))
            if not part:
                raise SystemExit("the broker has closed the connection")
            out += part
        return bytes(out)

    def create(self, topic, n_partitions):
        body = struct.pack(">i", 1) + text(topic) + struct.pack(">ihii", n_partitions, 1, 0, 0)
        answer = self._ask(CREATE_TOPICS, 2, body + struct.pack(">ib", 30_000, 0))
        error = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(topic))[0]
        if error:
            raise SystemExit(f"topic {topic} is not created: error {error}")
        self._ask(METADATA, 1, struct.pack(">i", 1) + text(topic))

    def send(self, topic, partition, records):
        """Sends a batch, and waits for its acknowledgement."""
        body = struct.pack(">hhi", -1, -1, 30_000) + struct.pack(">i", 1) + text(topic)
        body += struct.pack(">iii", 1, partition, len(records)) + records
        answer = self._ask(PRODUCE, 3, body)
        error = struct.unpack_from(">h", answer, 4 + 2 + len(topic) + 4 + 4)[0]
        if error:
            raise SystemExit(f"a batch is not written: error {error}")
