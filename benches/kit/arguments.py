"""What all measurements are told."""
import argparse
import glob
import os
import shutil
import tempfile


def parser(about, kinds):
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("what", choices=[*kinds, "all"])
    found.add_argument("--metricc", required=True, help="the program, a release build with all features")
    found.add_argument("--scale", type=float, default=1.0, help="of the number of events, files and rows")
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--work", help="a folder for a temporary folder with all data")
    return found


def measure(options, kinds):
    """Measures what was chosen, each in an empty folder `options.work`."""
    options.metricc = os.path.abspath(options.metricc)
    with tempfile.TemporaryDirectory(dir=options.work) as options.work:
        for name in kinds if options.what == "all" else [options.what]:
            print(f"## {name}\n", flush=True)
            kinds[name](options)
            for left in glob.glob(f"{options.work}/*"):
                shutil.rmtree(left) if os.path.isdir(left) else os.remove(left)
