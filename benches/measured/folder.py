"""A folder of many small files."""
from kit import parquet
from kit.processes import fresh, load, low_and_middle, run, write
from measured.s3 import QUESTIONS

LINE = (
    '{{"at":"2026-04-25T10:00:00Z","country":"DE","region":{},"merchant":{},"amount":7,"status":"failed"}}\n'
)


def measure(options):
    n_files, package = max(100, int(10_000 * options.scale)), f"{options.work}/package.metric"
    write(package, parquet.PAYMENTS + QUESTIONS["count, sum by region"])
    print("| files | seconds | CPU-s |")
    print("|---|---|---|")
    for kind, n_rows in (("ndjson", 10), ("parquet", 100)):
        folder, columns = fresh(f"{options.work}/small"), parquet.payments(n_files * n_rows)
        for number in range(n_files):
            path = f"{folder}/{number:05}.{kind}"
            if kind == "parquet":
                parquet.write(path, columns, number * n_rows, n_rows)
                continue
            write(path, "".join(LINE.format((number + row) % 1000, number) for row in range(n_rows)))
        for engine in ("batch", "stream"):
            command = [options.metricc, "run", package, "--source", f"events={folder}", "--engine", engine]
            rows = [run(command) for _ in range(options.rounds)]
            cells = " | ".join(low_and_middle([row[at] for row in rows]) for at in (0, 1))
            print(f"| {n_files:,} files of {n_rows} records, {kind}, {engine} | {cells} |", flush=True)
    print(f"\n{load()}")
