"""The doors of a node with a million groups: prepared point reads, answers of all rows, idle connections."""
import os
import re
import socket
import struct
import subprocess
import time

from kit import parquet
from kit.processes import (
    HEAD, Node, Server, fresh, free_port, high_and_middle, load, low_and_middle, peak_memory, program, until, write,
)

PACKAGE = """
source events { at: timestamp time  user: int  amount: int  country: string }
metric by_user = { n: count(), total: sum(amount) } { from events  by user }
"""
# What one user of PostgreSQL's protocol may have at once here: more than by default, for the idle ones.
POSTGRES = '[postgres]\nlisten = "127.0.0.1:{}"\nmax_connections = {}\nmax_rows = 100000000\nstatement_timeout = "600s"\n'
POINT = "\\set user random(0, {})\nSELECT n, total FROM by_user WHERE \"user\" = :user;\n"


class Filled:
    """A node whose view has a row for each of so many users, and its port for PostgreSQL's protocol."""

    def __init__(self, options, n_users, max_connections=200):
        self.home, self.port, self.n_users = fresh(f"{options.work}/node"), free_port(), n_users
        os.mkdir(f"{self.home}/inbox")
        write(f"{self.home}/package.metric", PACKAGE)
        batch = '[batch]\nevery = "2s"\n[sources.events]\nwatch = "inbox"\n'
        write(f"{self.home}/metricc.toml", HEAD + POSTGRES.format(self.port, max_connections) + batch)
        columns = {"at": parquet.Times(parquet.START_US, 1_000_000), "user": parquet.Counter(),
                   "amount": parquet.Numbers(1000, 1), "country": parquet.Words(["DE", "IN"], 1)}
        parquet.write(f"{self.home}/events.parquet", columns, 0, n_users)
        os.rename(f"{self.home}/events.parquet", f"{self.home}/inbox/events.parquet")
        self.node = Node(options.metricc, self.home)
        self.node.has_viewed(n_users)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.node.stop()

    def psql(self, *arguments, **options):
        command = [f"{program('METRICC_POSTGRES')}/psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench"]
        return Server(command + ["-XAtq", "-d", "metricc", *arguments], cwd="/", **options)

    def ask(self, statement):
        with self.psql("-c", statement, stdout=subprocess.PIPE, text=True) as client:
            return client.process.communicate()[0].strip()


def pgbench(options, filled, n_connections):
    """Prepared point reads by `pgbench`, in one thread: reads a second, milliseconds of one, CPU-s of the node."""
    script = write(f"{options.work}/point.sql", POINT.format(filled.n_users - 1))
    command = [f"{program('METRICC_POSTGRES')}/pgbench", "-n", "-M", "prepared", "-f", script, "-h", "127.0.0.1"]
    command += ["-p", str(filled.port), "-U", "bench", "-c", str(n_connections), "-j", "1"]
    before = filled.node.cpu()
    done = subprocess.run(command + ["-T", str(max(1, int(options.seconds))), "metricc"], capture_output=True,
                          text=True, cwd="/", check=False)
    if done.returncode or "number of failed transactions: 0 " not in done.stdout + " ":
        raise SystemExit(done.stdout + done.stderr)
    a_second = float(re.search(r"tps = ([0-9.]+)", done.stdout).group(1))
    return a_second, float(re.search(r"latency average = ([0-9.]+)", done.stdout).group(1)), filled.node.cpu() - before


def points(options):
    n_users = max(1000, int(1_000_000 * options.scale))
    with Filled(options, n_users) as filled:
        print(f"{n_users:,} users, prepared reads by key over PostgreSQL's protocol; {load()}\n")
        print("| connections | reads a second, best and median | ms, least and median | CPU-s of the node |")
        print("|---|---|---|---|")
        for n_connections in options.connections:
            found = [pgbench(options, filled, n_connections) for _ in range(options.rounds)]
            cells = [low_and_middle([one[at] for one in found]) for at in (1, 2)]
            print(f"| {n_connections} | {high_and_middle([one[0] for one in found])} | {' | '.join(cells)} |")


def timed(filled, command, **options):
    """Seconds on the clock, the node's CPU-seconds and its peak memory, of a client that throws rows away."""
    before, begun = filled.node.cpu(), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return time.monotonic() - begun, filled.node.cpu() - before, peak_memory(filled.node.process.pid)


def rows(options):
    n_users = max(1000, int(10_000_000 * options.scale))
    url = "{}/v1/metrics/by_user?format={}"
    with Filled(options, n_users) as filled:
        psql = [f"{program('METRICC_POSTGRES')}/psql", "-h", "127.0.0.1", "-p", str(filled.port), "-U", "bench",
                "-XAtq", "-d", "metricc", "-v", "FETCH_COUNT=10000", "-c", "SELECT * FROM by_user"]
        doors = {"HTTP, JSON": ["curl", "-sSf", url.format(filled.node.url, "json")],
                 "HTTP, Arrow": ["curl", "-sSf", url.format(filled.node.url, "arrow")],
                 "PostgreSQL, with a cursor": psql,
                 "PostgreSQL": psql[:-4] + psql[-2:]}
        idle = peak_memory(filled.node.process.pid)
        print(f"{n_users:,} rows; peak memory before {idle:,.0f} MB; {load()}\n")
        print("| door | rows a second | seconds | CPU-s of the node | peak memory so far, MB |\n|---|---|---|---|---|")
        for door, command in doors.items():
            took, cpu, peak = timed(filled, command, cwd="/")
            print(f"| {door} | {n_users / took:,.0f} | {took:.1f} | {cpu:.1f} | {peak:,.0f} |", flush=True)


def connect(port):
    """A connection that is ready for statements, without TLS."""
    opened = socket.create_connection(("127.0.0.1", port), 30)
    body = struct.pack(">I", 196608) + b"user\0bench\0database\0metricc\0\0"
    opened.sendall(struct.pack(">I", len(body) + 4) + body)
    read = b""
    while not read.endswith(b"Z\0\0\0\x05I"):
        part = opened.recv(1 << 16)
        if not part:
            raise SystemExit(f"a connection was closed: {read!r}")
        read += part
    return opened


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


def idle(options):
    n_users = max(1000, int(1_000_000 * options.scale))
    with Filled(options, n_users, options.idle + 100) as filled:
        alone = pgbench(options, filled, 8)
        before = resident(filled.node.process.pid)
        begun = time.monotonic()
        opened = [connect(filled.port) for _ in range(options.idle)]
        took, after = time.monotonic() - begun, resident(filled.node.process.pid)
        until("the node answers", lambda: filled.ask("SELECT count(*) FROM by_user") == str(n_users))
        beside = pgbench(options, filled, 8)
        for one in opened:
            one.close()
    print(f"{options.idle:,} idle connections, opened in {took:.2f} s, take {after - before:.1f} MB; point reads of 8 "
          f"connections a second: {alone[0]:,.0f} without them, {beside[0]:,.0f} beside them; {load()}")
