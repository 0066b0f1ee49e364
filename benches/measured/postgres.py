"""A sink of PostgreSQL: all rows of a metric are written, and then all are changed."""
import os
import re
import shutil
import signal
import subprocess
import time

from kit import parquet
from kit.processes import (
    HEAD, Node, Server, fresh, free_port, high_and_middle, load, low_and_middle, program, until, write,
)

SINK_PACKAGE = """
source events { at: timestamp time  user: int  amount: int  country: string }
metric by_user = { n: count(), total: sum(amount) } { from events  by user  }
"""


class Postgres:
    """A server with a fresh folder and its own defaults."""

    def __init__(self, work):
        self.bin, self.port, data = program("METRICC_POSTGRES"), free_port(), fresh(f"{work}/postgres")
        self.log, is_root = f"{work}/postgres.log", os.geteuid() == 0
        # PostgreSQL refuses to run as root.
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if is_root else []
        if is_root:
            os.chmod(work, 0o755)
            shutil.chown(data, "postgres")
        subprocess.run(user + [f"{self.bin}/initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", data],
                       check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        command = [f"{self.bin}/postgres", "-D", data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", "unix_socket_directories=", "-c", "log_min_duration_statement=50"]
        with open(self.log, "wb") as said:
            self.server = Server(user + command, cwd="/", stdout=said, stderr=said)
        until("PostgreSQL answers", lambda: self.ask("SELECT 1") == "1")

    def ask(self, statement):
        command = [f"{self.bin}/psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-XAtqc", statement]
        return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False).stdout.strip()

    def slow_statements(self):
        """The statements that took long, and their milliseconds."""
        with open(self.log, encoding="utf-8") as file:
            found = re.findall(r"duration: ([0-9.]+) ms +\w+(?: [^:]+)?: (.{0,60})", file.read())
        return [f"{float(ms):.0f} ms: {text}" for ms, text in found]


def take(options, home, n_rows, seed):
    """A node without its sink takes an event for each user."""
    columns = {"at": parquet.Times(parquet.START_US, 1_000_000), "user": parquet.Counter(),
               "amount": parquet.Numbers(1000, seed), "country": parquet.Words(["DE", "IN"], seed)}
    write(f"{home}/metricc.toml", HEAD + '[batch]\nevery = "2s"\n[sources.events]\nwatch = "inbox"\n')
    parquet.write(f"{home}/{seed}.parquet", columns, 0, n_rows)
    os.rename(f"{home}/{seed}.parquet", f"{home}/inbox/{seed}.parquet")
    with Node(options.metricc, home) as node:
        node.has_viewed(n_rows * (1 + seed))
        node.stop_gently()


def fill_sink(options, home, server, n_rows):
    """A node with its sink is started; how long it takes until all rows are written."""
    url = f"postgres://postgres@127.0.0.1:{server.port}/postgres"
    write(f"{home}/metricc.toml", HEAD + f'[sinks.out]\nevery = "1s"\n[sinks.out.postgres]\nurl = "{url}"\n')
    with Node(options.metricc, home) as node:
        node.ready()
        begun, before = time.monotonic(), (node.cpu(), server.server.cpu())

        def metric():
            return node.json("/v1/sources")["sinks"][0]["metrics"][0]

        until("all rows", lambda: (found := metric())["lag"] == 0 and found["rows_written"] >= n_rows, 600, 0.01)
        took = time.monotonic() - begun
        return took, node.cpu() - before[0], server.server.cpu() - before[1]


def measure(options):
    n_rows, home = max(1000, int(500_000 * options.scale)), fresh(f"{options.work}/node")
    os.mkdir(f"{home}/inbox")
    write(f"{home}/package.metric", SINK_PACKAGE)
    server, found = Postgres(options.work), {"all rows, into no table": [], "all rows, changed": []}
    with server.server:
        take(options, home, n_rows, 0)
        for seed in range(1, options.rounds + 1):
            server.ask("DROP SCHEMA IF EXISTS metricc CASCADE")
            found["all rows, into no table"].append(fill_sink(options, home, server, n_rows))
            take(options, home, n_rows, seed)
            found["all rows, changed"].append(fill_sink(options, home, server, n_rows))
            count = server.ask("SELECT count(*), sum(n) FROM metricc.by_user")
            if count != f"{n_rows}|{n_rows * (seed + 1)}":
                raise SystemExit(f"the table has {count} rows and events")
        print(f"{n_rows:,} rows; {load()}\n")
        print("| written | rows a second, best and median | seconds | CPU-s of the node | CPU-s of PostgreSQL |")
        print("|---|---|---|---|---|")
        for what, rows in found.items():
            cells = [low_and_middle([row[at] for row in rows]) for at in range(3)]
            print(f"| {what} | {high_and_middle([n_rows / row[0] for row in rows])} | {' | '.join(cells)} |")
        print("\nstatements of the last round:\n" + "\n".join(server.slow_statements()[-6:]))
        # Its processes are in groups of their own, and end with it.
        server.server.stop(signal.SIGQUIT)
