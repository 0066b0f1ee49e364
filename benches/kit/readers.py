"""Readers over HTTP at a fixed rate, in a process of their own: one thread that waits for all connections.

Run as a program: `readers.py HOST PORT CONNECTIONS RATE PATHS`. It reads until its standard input is closed,
and then prints a line for each answer: when it was due, milliseconds from then until it was there,
milliseconds since it was sent, and its status (0: the connection failed). Paths are separated by spaces.

It has a real-time priority, if it may: clients on other machines do not wait for a core of the node's. Without
that, most of the slowest answers were those for which the reader waited.
"""
import heapq
import os
import selectors
import socket
import subprocess
import sys
import time


class Readers:
    """Readers of a node while a block runs; `answers` has what they saw."""

    def __init__(self, node, connections, rate, paths):
        command = [sys.executable, __file__, node.host, str(node.port), str(connections), str(rate), " ".join(paths)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        said, _ = self.process.communicate()
        self.answers = [tuple(map(float, line.split())) for line in said.splitlines()]

    def between(self, begun, ended):
        """The answers that were due in a time."""
        return [answer for answer in self.answers if begun <= answer[0] < ended]


class Connection:
    """A connection, and the request that waits for its answer."""

    def __init__(self, address, due):
        self.address, self.due, self.sent, self.read = address, due, 0.0, b""
        self.open()

    def open(self):
        self.socket = socket.create_connection(self.address, 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, path):
        self.read, self.sent = b"", time.monotonic()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.address[0]}:{self.address[1]}\r\n\r\n".encode())

    def status(self):
        """The status, when the answer is there as a whole; 0 if it was cut off."""
        part = self.socket.recv(1 << 20)
        self.read += part
        head, found, body = self.read.partition(b"\r\n\r\n")
        if found:
            lines = head.lower().split(b"\r\n")
            length = next((line for line in lines if line.startswith(b"content-length:")), None)
            is_whole = len(body) >= int(length[15:]) if length else body.endswith(b"0\r\n\r\n")
            if is_whole:
                return int(lines[0].split()[1])
        return None if part else 0


def main():
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except (AttributeError, PermissionError):
        print("readers have no real-time priority, and wait for cores", file=sys.stderr)
    host, port, n_connections, rate, paths = sys.argv[1:]
    n_connections, paths = int(n_connections), paths.split()
    step, now = n_connections / float(rate), time.monotonic()
    connections = [Connection((host, int(port)), now + step * n / n_connections) for n in range(n_connections)]
    waiting, answers, n_sent = selectors.DefaultSelector(), [], 0
    waiting.register(sys.stdin, selectors.EVENT_READ)
    idle = [(one.due, number) for number, one in enumerate(connections)]
    heapq.heapify(idle)
    while True:
        while idle and idle[0][0] <= time.monotonic():
            one = connections[heapq.heappop(idle)[1]]
            one.send(paths[n_sent % len(paths)])
            n_sent += 1
            waiting.register(one.socket, selectors.EVENT_READ, one)
        pause = max(0.0, idle[0][0] - time.monotonic()) if idle else 1.0
        for key, _ in waiting.select(pause):
            if key.data is None:
                return print("\n".join(answers))
            one, status, now = key.data, key.data.status(), time.monotonic()
            if status is None:
                continue
            waiting.unregister(one.socket)
            answers.append(f"{one.due} {1000 * (now - one.due)} {1000 * (now - one.sent)} {status}")
            if not status:
                one.open()
            one.due = max(one.due + step, now - 1)
            heapq.heappush(idle, (one.due, connections.index(one)))


if __name__ == "__main__":
    main()
