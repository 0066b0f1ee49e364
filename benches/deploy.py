"""Measures deployments to a node that has twenty million events in its log.

    benches/deploy.py live|backfill|restarts|all --metricc target/release/metricc

How soon a version is live that has nothing to compute; what reads of other metrics see while a metric is added,
and how fast it is computed beside `metricc run` on an idle machine; how soon a node that is started again after
a deployment answers. Prints tables in Markdown. CPU-seconds are user and system time of all threads. `--scale
0.01` checks the script.
"""
from kit import arguments
from measured import deployments

KINDS = {"live": deployments.at_once, "backfill": deployments.backfills, "restarts": deployments.restarts}


def main():
    parser = arguments.parser(__doc__, KINDS)
    parser.add_argument("--connections", type=int, default=8, help="that read")
    parser.add_argument("--reads", type=float, default=400, help="a second, over all connections")
    parser.add_argument("--writes", type=float, default=5000, help="events a second that come in meanwhile")
    parser.add_argument("--seconds", type=float, default=15.0, help="of reads before each deployment")
    arguments.measure(parser.parse_args(), KINDS)


if __name__ == "__main__":
    main()
