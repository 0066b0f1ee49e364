"""Measures the doors of a node: point reads over PostgreSQL's protocol, long answers, and idle connections.

    benches/doors.py points|rows|idle|all --metricc target/release/metricc

Prints tables in Markdown. Clients run on this machine beside the node; CPU-seconds are user and system time of
all threads. `--scale 0.01` checks the script. METRICC_POSTGRES names the folder of PostgreSQL's programs, of
which `pgbench` and `psql` are used, as in `.ci/run`.
"""
from kit import arguments
from measured import doors

KINDS = {"points": doors.points, "rows": doors.rows, "idle": doors.idle}


def main():
    parser = arguments.parser(__doc__, KINDS)
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 8, 50], help="that read points")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement of point reads")
    parser.add_argument("--idle", type=int, default=1000, help="idle connections")
    arguments.measure(parser.parse_args(), KINDS)


if __name__ == "__main__":
    main()
