"""The questions of the benchmark `wide` in engines that are Python packages.

usage: peers.py duckdb|polars|chdb|spark

Prints the engine's name and version, or ends if it is not installed. Then reads lines of a question, a kind of
files and their folder, with tabs between them, and prints the CPU-seconds that the answer took as Arrow columns,
of all threads, user and system; or `cannot ...`. Windows are integer arithmetic where that is the faster form.
Spark drops its rows instead of handing them over; the benchmark does not ask it, since its start costs more than
most answers. Ask each question several times: the first answers are those of a cold compiler.
"""
import os
import resource
import sys

THREADS = len(os.sched_getaffinity(0))
os.environ.setdefault("POLARS_MAX_THREADS", str(THREADS))

FILTER = "status = 'captured' AND amount_minor > 0"
EXTENSION = {"snappy": "parquet", "zstd": "parquet", "ndjson": "ndjson", "csv": "csv"}


def queries(table, day, hour, minutes, distinct, estimate, quantiles, top):
    """The questions in SQL, by what dialects have of their own."""
    return {
        "M1": f"SELECT country, {hour} h, count(*) n, sum(amount_minor) s FROM {table} WHERE {FILTER} GROUP BY 1, 2",
        "M2": f"SELECT {day} d, {distinct} n FROM {table} WHERE {FILTER} GROUP BY 1",
        "M3": f"SELECT {day} d, {estimate} n FROM {table} WHERE {FILTER} GROUP BY 1",
        "M4": f"SELECT country, {minutes} m, avg(latency_ms) a, min(latency_ms) lo, max(latency_ms) hi FROM {table} "
        "GROUP BY 1, 2",
        "M5": f"SELECT country, {hour} h, {quantiles} q FROM {table} GROUP BY 1, 2",
        "M6": f"SELECT merchant_id, {day} d, sum(amount_minor) s FROM {table} WHERE {FILTER} GROUP BY 1, 2",
        "M7": top.format(table=table, day=day, filter=FILTER),
    }


def duckdb():
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    readers = {"parquet": "read_parquet", "ndjson": "read_json", "csv": "read_csv"}

    def run(question, kind, files):
        by_kind = f"{readers[EXTENSION[kind]]}('{files}/*.{EXTENSION[kind]}')"
        asked = queries(
            by_kind,
            "((epoch_us(created_at) + 19800000000) // 86400000000)",
            "(epoch_us(created_at) // 3600000000)",
            "(epoch_us(created_at) // 300000000)",
            "count(DISTINCT merchant_id)",
            "approx_count_distinct(merchant_id)",
            "approx_quantile(latency_ms, [0.5, 0.99])",
            "SELECT d, merchant_id, s FROM (SELECT *, row_number() OVER (PARTITION BY d ORDER BY s DESC, merchant_id) r "
            "FROM (SELECT merchant_id, {day} d, sum(amount_minor) s FROM {table} WHERE {filter} GROUP BY 1, 2)) "
            "WHERE r <= 10",
        )
        connection.sql(asked[question]).to_arrow_table()

    return f"DuckDB {duckdb.__version__}", run


def polars():
    import polars as pl

    scans = {
        "parquet": pl.scan_parquet,
        "ndjson": pl.scan_ndjson,
        "csv": lambda files: pl.scan_csv(files, try_parse_dates=True),
    }

    def run(question, kind, files):
        table = scans[EXTENSION[kind]](f"{files}/*.{EXTENSION[kind]}")
        if kind == "ndjson":
            table = table.with_columns(pl.col("created_at").str.to_datetime("%+", time_unit="us", time_zone="UTC"))
        micros = pl.col("created_at").to_physical()
        day = ((micros + 19_800_000_000) // 86_400_000_000).alias("d")
        hour, minutes = (micros // 3_600_000_000).alias("h"), (micros // 300_000_000).alias("m")
        paid = table.filter((pl.col("status") == "captured") & (pl.col("amount_minor") > 0))
        merchant, latency, total = pl.col("merchant_id"), pl.col("latency_ms"), pl.col("amount_minor").sum()
        sums = paid.group_by("merchant_id", day).agg(total.alias("s"))
        asked = {
            "M1": lambda: paid.group_by("country", hour).agg(pl.len().alias("n"), total.alias("s")),
            "M2": lambda: paid.group_by(day).agg(merchant.n_unique().alias("n")),
            "M3": lambda: paid.group_by(day).agg(merchant.approx_n_unique().alias("n")),
            "M4": lambda: table.group_by("country", minutes).agg(
                latency.mean().alias("a"), latency.min().alias("lo"), latency.max().alias("hi")
            ),
            "M5": lambda: table.group_by("country", hour).agg(
                latency.quantile(0.5).alias("p50"), latency.quantile(0.99).alias("p99")
            ),
            "M6": lambda: sums,
            "M7": lambda: sums.group_by("d").agg(pl.col("merchant_id", "s").top_k_by("s", 10)),
        }
        asked[question]().collect(engine="streaming").to_arrow()

    return f"Polars {pl.__version__}", run


def chdb():
    import chdb
    import pyarrow as pa
    from chdb import session

    session = session.Session()
    session.query(f"SET max_threads = {THREADS}")
    formats = {"parquet": "Parquet", "ndjson": "JSONEachRow", "csv": "CSVWithNames"}

    def run(question, kind, files):
        if EXTENSION[kind] != "parquet":
            raise ValueError("times with a zone in texts")
        table = f"file('{files}/*.{EXTENSION[kind]}', {formats[EXTENSION[kind]]})"
        asked = queries(
            table,
            "toDate(created_at, 'Asia/Kolkata')",
            "toStartOfHour(created_at)",
            "toStartOfFiveMinutes(created_at)",
            "uniqExact(merchant_id)",
            "uniqCombined(merchant_id)",
            "quantilesTDigest(0.5, 0.99)(latency_ms)",
            "SELECT d, merchant_id, sum(amount_minor) s FROM {table} WHERE {filter} GROUP BY merchant_id, {day} AS d "
            "ORDER BY d, s DESC, merchant_id LIMIT 10 BY d",
        )
        answer = session.query(asked[question] + f" SETTINGS max_threads = {THREADS}", "ArrowStream")
        pa.ipc.open_stream(pa.py_buffer(answer.bytes())).read_all()

    return f"chDB {chdb.__version__}", run


def spark():
    import pyspark
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master(f"local[{THREADS}]").config("spark.ui.enabled", "false")
    session = session.config("spark.sql.shuffle.partitions", str(THREADS)).config("spark.driver.memory", "6g")
    session = session.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    global cpu_seconds
    machine = session.sparkContext._gateway.proc.pid

    def cpu_seconds():
        fields = open(f"/proc/{machine}/stat").read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(question, kind, files):
        if EXTENSION[kind] != "parquet":
            raise ValueError("only Parquet is asked for")
        session.read.parquet(files).createOrReplaceTempView("payments")
        asked = queries(
            "payments",
            "((unix_micros(created_at) + 19800000000) div 86400000000)",
            "(unix_micros(created_at) div 3600000000)",
            "(unix_micros(created_at) div 300000000)",
            "count(DISTINCT merchant_id)",
            "approx_count_distinct(merchant_id, 0.01)",
            "approx_percentile(latency_ms, array(0.5, 0.99), 100)",
            "SELECT d, merchant_id, s FROM (SELECT *, row_number() OVER (PARTITION BY d ORDER BY s DESC, merchant_id) r "
            "FROM (SELECT merchant_id, {day} d, sum(amount_minor) s FROM {table} WHERE {filter} GROUP BY 1, 2)) "
            "WHERE r <= 10",
        )
        session.sql(asked[question]).write.format("noop").mode("overwrite").save()

    return f"Spark {pyspark.__version__}", run


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    name, run = {"duckdb": duckdb, "polars": polars, "chdb": chdb, "spark": spark}[sys.argv[1]]()
    print(name, flush=True)
    for line in sys.stdin:
        question, kind, files = line.rstrip("\n").split("\t")
        start = cpu_seconds()
        try:
            run(question, kind, files)
        except Exception as error:  # Whatever an engine does not do is no figure.
            print("cannot", repr(error).replace("\n", " ")[:300], flush=True)
            continue
        print(cpu_seconds() - start, flush=True)


main()
