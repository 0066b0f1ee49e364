"""Measures the logs that people have: a topic of Kafka, object storage, a folder of small files, and a sink.

    benches/logs.py kafka|s3|folder|postgres|all --metricc target/release/metricc

Prints rows of a table in Markdown. Servers run on this machine beside what is measured; CPU-seconds are user
and system time of all threads. `--scale 0.01` checks the script. METRICC_NOIDA_DB, METRICC_MOTO and
METRICC_POSTGRES name the programs, as in `.ci/run`.
"""
import os

from kit import arguments
from measured import folder, kafka, postgres, s3

KINDS = {"kafka": kafka.measure, "s3": s3.measure, "folder": folder.measure, "postgres": postgres.measure}


def main():
    parser = arguments.parser(__doc__, KINDS)
    parser.add_argument("--read-topic", help="the example `read_topic` of metricc-kafka, for a read without a node")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement of freshness")
    rates = [75_000]
    parser.add_argument("--rates", type=int, nargs="*", default=rates, help="events a second for freshness")
    options = parser.parse_args()
    options.read_topic = options.read_topic and os.path.abspath(options.read_topic)
    arguments.measure(options, KINDS)


if __name__ == "__main__":
    main()
