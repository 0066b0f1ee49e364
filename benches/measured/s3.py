"""Batch over objects, beside batch over the same files on disk and a plain read of the same bytes."""
import http.client
import os
import shutil

from kit import parquet
from kit.processes import Server, fresh, free_port, listens, load, low_and_middle, program, quantile, run, until, write

QUESTIONS = {
    "count, sum by region": "metric m1 = { n: count(), total: sum(amount) } { from events  by region }\n",
    "count, sum by merchant × day":
        "metric m1 = { n: count(), total: sum(amount) } { from events  by merchant  every 24h }\n",
}
QUESTIONS["these two and three more"] = QUESTIONS["count, sum by region"] + """
metric m2 = { n: count(), total: sum(amount) } { from events  by merchant  every 24h }
metric m3 = { mean: mean(amount), lo: min(amount), hi: max(amount) } { from events  by country  every 5m }
metric m4 = { n: count() } { from events  where status == "captured" and amount > 0  by country  every 1h }
metric m5 = { n: distinct(merchant) } { from events  every 24h }
"""


class Moto:
    """A store in Python that has objects in memory."""

    def __init__(self, _work, files):
        self.port = free_port()
        self.server = Server([program("METRICC_MOTO"), "-H", "127.0.0.1", "-p", str(self.port)], quiet=True)
        until("moto listens", lambda: listens(self.port))
        for path in ["/lake", *files]:
            client = http.client.HTTPConnection("127.0.0.1", self.port)
            name = path if path == "/lake" else f"/lake/events/{os.path.basename(path)}"
            body = b"" if path == "/lake" else open(path, "rb").read()
            client.request("PUT", name, body, {"x-amz-acl": "public-read"})
            if client.getresponse().status != 200:
                raise SystemExit(f"{name} was not written")
            client.close()


class Plain:
    """The store of this folder, over the same files."""

    def __init__(self, work, files):
        self.port, folder = free_port(), os.path.dirname(os.path.dirname(files[0]))
        store = os.path.join(os.path.dirname(parquet.__file__), "store.py")
        command = ["python3", store, str(self.port), folder, "lake", f"{work}/asked"]
        self.server = Server(command, quiet=True)
        until("the store listens", lambda: listens(self.port))


def requests_of_curl(work, port):
    """The requests of the last run, for curl."""
    with open(f"{work}/asked", encoding="utf-8") as file:
        asked = [line.split() for line in file if line.startswith("GET")]
    lines = []
    for _, key, *of_part in asked:
        part = f'range = "{of_part[0].removeprefix("bytes=")}"\n' if of_part else ""
        lines.append(f'url = "http://127.0.0.1:{port}/lake/{key}"\n{part}output = "/dev/null"\n')
    return len(asked), write(f"{work}/curl", "next\n".join(lines))


def environment(port):
    store = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    return os.environ | store | {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def measure(options):
    n_events, folder = max(10_000, int(20_000_000 * options.scale)), fresh(f"{options.work}/lake/events")
    files = parquet.write_files(folder, parquet.payments(n_events), n_events, 8)
    size = sum(map(os.path.getsize, files))
    stores = {"moto": Moto(options.work, files), "a folder with `sendfile`": Plain(options.work, files)}
    print(f"{n_events:,} events, {len(files)} files, {size / 1e6:.0f} MB; {load()}\n")
    print("| metrics | from | seconds | CPU-s | CPU-s of the store | speed ÷ local | the same by curl: seconds |")
    print("|---|---|---|---|---|---|---|")
    try:
        for name, text in QUESTIONS.items():
            question(options, name, write(f"{options.work}/question.metric", parquet.PAYMENTS + text), stores)
            # It takes as long for any question, and that is what it measures.
            if "moto" in stores:
                stores.pop("moto").server.stop()
    finally:
        for store in stores.values():
            store.server.stop()
    print(f"\n{load()}")


def question(options, name, package, stores):
    """Runs a package over local files and both stores, in turns."""
    found = {}
    for _ in range(options.rounds):
        for place, store in {"local files": None, **stores}.items():
            out = f"{options.work}/rows"
            shutil.rmtree(out, ignore_errors=True)
            before = store.server.cpu() if store else 0
            if store and place != "moto":
                open(f"{options.work}/asked", "w").close()
            source = "s3://lake/events/" if store else f"{options.work}/lake/events"
            command = [options.metricc, "run", package, "--engine", "batch", "--output", "parquet", "--out", out]
            env = environment(store.port) if store else None
            timed = run(command + ["--source", f"events={source}"], env=env)
            found.setdefault(place, []).append((*timed, store.server.cpu() - before if store else 0))
    local = quantile([row[0] for row in found["local files"]], 0.5)
    for place, rows in found.items():
        cells = [low_and_middle([row[at] for row in rows]) for at in range(3)]
        curl = ""
        if place in stores:
            n, config = requests_of_curl(options.work, stores[place].port)
            command = ["curl", "-sS", "--parallel", "--parallel-max", "8", "--config", config]
            curl = low_and_middle([run(command)[0] for _ in range(options.rounds)]) + f" ({n} requests)"
        ratio = local / quantile([row[0] for row in rows], 0.5)
        print(f"| {name} | {place} | {' | '.join(cells)} | {ratio:.2f} | {curl} |", flush=True)
