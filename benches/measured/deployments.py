"""Versions of a package that are deployed to a node with a large log: backfill, presentation, and restarts."""
import glob
import json
import os
import shutil
import signal
import subprocess
import threading
import time

from kit import parquet
from kit.processes import HEAD, Node, fresh, load, low_and_middle, quantile, run, until, write
from kit.readers import Readers

BASE = {
    "n_events": "count() { from events }",
    "by_region": "{ n: count(), total: sum(amount) } { from events  by region }",
    "revenue": 'sum(amount) { from events  where status == "captured"  by country  every 1h }',
    "by_day": "{ n: count(), most: max(amount) } { from events  by country  every 24h }",
}
# The number makes it another metric each time, of the same cost.
ADDED = {
    "min, max, mean by country × 5 min":
        "{{ mean: mean(amount), lo: min(amount), hi: max(amount) }} "
        "{{ from events  where amount >= {}  by country  every 5m }}",
    "count, sum by merchant × day":
        "{{ n: count(), total: sum(amount) }} {{ from events  where amount >= {}  by merchant  every 24h }}",
}
PATHS = [f"/v1/metrics/by_region?key.region={region}" for region in range(0, 1000, 37)] + [
    f"/v1/metrics/revenue?key.country=C{country}&from=2026-04-{day:02}&to=2026-04-{day + 1:02}"
    for country, day in zip(range(20), range(1, 21))
]
HEAD_OF_READS = "| reads | answers | not 200 | p50, ms | p99, ms | most, ms | p99 since they were sent, ms |"


def package(metrics):
    return parquet.PAYMENTS + "".join(f"metric {name} = {text}\n" for name, text in metrics.items())


class Home:
    """The folder of a node with all events."""

    def __init__(self, options):
        self.options, self.path = options, fresh(f"{options.work}/node")
        self.n_events = max(20_000, int(20_000_000 * options.scale))
        os.mkdir(f"{self.path}/inbox")
        write(f"{self.path}/package.metric", package(BASE))
        # At full scale, as many are flushed at a time as by default.
        flushing = f"[ingest]\nseal_events = {self.n_events // 20}\n"
        watching = '[sources.events]\nwatch = "inbox"\n'
        write(f"{self.path}/metricc.toml", HEAD + flushing + '[batch]\nevery = "3s"\n' + watching)
        parquet.write_files(f"{self.path}/inbox", parquet.payments(self.n_events), self.n_events, 20)
        begun = time.monotonic()
        with self.node() as node:
            node.has_viewed(self.n_events)
            print(f"{self.n_events:,} events taken from a watched folder and in the view after "
                  f"{time.monotonic() - begun:.0f} s, {node.cpu():.0f} CPU-s; {load()}\n", flush=True)
            node.stop_gently()
        shutil.rmtree(f"{self.path}/inbox")
        # Batch has its default from here on: it does not run beside the reads.
        write(f"{self.path}/metricc.toml", HEAD + flushing)

    def node(self):
        return Node(self.options.metricc, self.path)

    def flushed(self):
        found = glob.glob(f"{self.path}/metricc-data/log/events/events/*[0-9].parquet")
        return found and f"{self.path}/metricc-data/log/events/events/*[0-9].parquet"

    def package_file(self, metrics):
        return write(f"{self.options.work}/next.metric", package(metrics))


def deploy(node, metrics):
    """Deploys a version without waiting for it: its number."""
    body = json.dumps({"name": "next.metric", "text": package(metrics), "files": {}}).encode()
    return node.post("/v1/package?by=benches", body, "application/json")["version"]


def state(node, version):
    """What a version is: `live`, `building`, or `None` if it is retired."""
    versions = node.json("/v1/package")["versions"]
    return next((known["state"] for known in versions if known["version"] == version), None)


def alone(options, home, text):
    """`metricc run` of a metric over what the node has flushed: events a second, and CPU-s per million."""
    file, source = home.package_file({"n_events": BASE["n_events"], "added": text}), f"events={home.flushed()}"
    command = [options.metricc, "run", file, "--source", source]
    said = subprocess.run(command + ["--metric", "n_events", "--output", "json"], capture_output=True, check=True)
    n_events, found = int(json.loads(said.stdout)["value"]), []
    for _ in range(options.rounds):
        shutil.rmtree(f"{options.work}/rows", ignore_errors=True)
        out = ["--metric", "added", "--engine", "batch", "--output", "parquet", "--out", f"{options.work}/rows"]
        found.append(run(command + out))
    return [n_events / took for took, _ in found], [1e6 * used / n_events for _, used in found]


def send_events(node, rate, is_over):
    """Sends events over HTTP in requests of 500."""
    line = '{{"at":"2026-04-25T10:00:00Z","country":"C3","region":7,"merchant":9,"amount":{},"status":"failed"}}\n'
    body = "".join(line.format(200 * number) for number in range(500)).encode()
    while not is_over.wait(500 / rate):
        node.post("/v1/sources/events/events", body)


def row_of_reads(what, answers):
    """A row of a table, and the p99."""
    times, since_sent = [answer[1] for answer in answers], [answer[2] for answer in answers]
    n_failed = sum(answer[3] != 200 for answer in answers)
    cells = " | ".join(f"{quantile(times, share):.2f}" for share in (0.5, 0.99, 1))
    print(f"| {what} | {len(answers)} | {n_failed} | {cells} | {quantile(since_sent, 0.99):.2f} |", flush=True)


def watch(node, version, seconds):
    """Asks for a version until it is live, as often as without a deployment; whether it is. For none, it waits."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if state(node, version) == "live":
            return True
        time.sleep(0.05)
    return False


def add(node, text, own):
    """Deploys a version with a metric, and waits: when it began and ended, and what it took."""
    before, begun = node.cpu(), time.monotonic()
    version = deploy(node, BASE | {"added": text})
    if not watch(node, version, 600):
        raise SystemExit(f"version {version} is not live: {node.source()['backfill']}")
    own.append((begun, time.monotonic(), node.cpu() - before))
    return version


def backfills(options):
    """Metrics are added beside readers and a writer."""
    home = Home(options)
    speeds, seconds = [], max(2.0, options.seconds * options.scale)
    for name, text in ADDED.items():
        idle, idle_cost = alone(options, home, text.format(0))
        with home.node() as node:
            node.ready()
            is_over = threading.Event()
            writer = threading.Thread(target=send_events, args=(node, options.writes, is_over))
            writer.start()
            own, rests = [], []
            with Readers(node, options.connections, options.reads, PATHS) as readers:
                for number in range(1, options.rounds + 1):
                    rests.append((time.monotonic() + 1, time.monotonic() + seconds))
                    watch(node, None, seconds)
                    version = add(node, text.format(number), own)
                    deploy(node, BASE)
                    node.post(f"/v1/package/retire?version={version}", b"", "application/json")
                    time.sleep(1)
            is_over.set()
            writer.join()
            node.stop_gently()
        print(f"\nAdding {name}; {load()}\n\n{HEAD_OF_READS}\n|{'---|' * 7}")
        row_of_reads("nothing is deployed", [one for rest in rests for one in readers.between(*rest)])
        row_of_reads("a metric is added", [one for begun, ended, _ in own for one in readers.between(begun, ended)])
        speeds.append((name, idle, idle_cost, own))
    print("\n| added | `metricc run` alone: million events a second | CPU-s per million | until live, seconds "
          "| million events a second | CPU-s of the node per million | speed ÷ alone |")
    print("|---|---|---|---|---|---|---|")
    for name, idle, idle_cost, own in speeds:
        took = [ended - begun for begun, ended, _ in own]
        rates = [home.n_events / one for one in took]
        ratio = quantile(rates, 0.5) / quantile(idle, 0.5)
        millions = (f"{max(each) / 1e6:.2f}, {quantile(each, 0.5) / 1e6:.2f}" for each in (idle, rates))
        alone_text, rate_text = millions
        used = low_and_middle([1e6 * used / home.n_events for *_, used in own], "{:.3f}")
        print(f"| {name} | {alone_text} | {low_and_middle(idle_cost, '{:.3f}')} | {low_and_middle(took)} "
              f"| {rate_text} | {used} | {ratio:.2f} |", flush=True)


def at_once(options):
    """Deployments that have nothing to compute, by the command, as a person waits for it."""
    home = Home(options)
    renamed = BASE | {"revenue": BASE["revenue"].replace("by country ", "by country as land ")}
    fewer = {name: text for name, text in BASE.items() if name != "by_day"}
    turns = {"another key name": renamed, "a metric is removed": fewer}
    print("\n| deployed | until `metricc deploy` has returned, seconds: least, median, most | positions computed |")
    print("|---|---|---|")
    with home.node() as node:
        node.ready()
        environment = os.environ | {"METRICC_NODE": node.url}
        for what, metrics in turns.items():
            took, n_computed = [], 0
            for _ in range(10):
                file = home.package_file(metrics)
                took.append(run([options.metricc, "deploy", file], env=environment)[0])
                n_computed += bool(node.source()["backfill"])
                row = node.get("/v1/metrics/revenue?limit=1")[1]
                shows = node.get("/v1/metrics/by_day?latest=true")[0], b'"land"' in row
                if shows != ((404, False) if metrics is fewer else (200, True)):
                    raise SystemExit(f"{what}: the version is not live: {shows}")
                deploy(node, BASE)
            print(f"| {what} | {low_and_middle(took, '{:.3f}')}, {max(took):.3f} | {n_computed} |", flush=True)
        node.stop_gently()


def answers_after(home, wanted=None):
    """Starts a node; the seconds until a metric that was there before is answered, and all are."""
    with home.node() as node:
        path = "/v1/metrics/by_region?key.region=7"
        until("an answer", lambda: node.get(path)[0] == 200, 600, 0.005)
        first = time.monotonic() - node.begun
        if wanted:
            until("the new metric", lambda: node.get(f"/v1/metrics/{wanted}?limit=1")[0] == 200, 600, 0.02)
        every = time.monotonic() - node.begun
        node.stop_gently()
    return first, every


def restarts(options):
    """How soon a node that is started again answers, with and without a deployment before."""
    home, text, found = Home(options), ADDED["count, sum by merchant × day"], {}

    def note(what, wanted=None):
        found.setdefault(what, []).append(answers_after(home, wanted))

    for number in range(100, 100 + options.rounds):
        note("stopped, no deployment")
        with home.node() as node:
            node.ready().stop(signal.SIGKILL)
        note("killed, no deployment")
        with home.node() as node:
            node.ready()
            version = deploy(node, BASE | {"added": text.format(number)})
            until("a backfill", lambda: (node.source()["backfill"] or {"done": 0})["done"], 60, 0.005)
            is_building = state(node, version) == "building"
            node.stop(signal.SIGKILL)
        note("killed in a backfill" + ("" if is_building else " (that had ended)"), "added")
        note("stopped, after that deployment", "added")
        write(f"{home.path}/package.metric", package(BASE | {"added": text.format(number + 1000)}))
        note("stopped, and the file has a changed metric", "added")
        write(f"{home.path}/package.metric", package(BASE))
        with home.node() as node:
            node.ready()
            deploy(node, BASE)
            for known in node.json("/v1/package")["versions"]:
                if known["state"] != "live":
                    node.post(f"/v1/package/retire?version={known['version']}", b"", "application/json")
            node.stop_gently()
    print("\n| the node was | seconds until a metric of before is answered | until all are |")
    print("|---|---|---|")
    for what, rows in found.items():
        print(f"| {what} | {low_and_middle([row[0] for row in rows])} | {low_and_middle([row[1] for row in rows])} |")
    print(f"\n{load()}", flush=True)
