"""Processes of a measurement: servers, nodes, and the processor time that they take.

Servers listen on 127.0.0.1 and are stopped by their own group; nothing else is.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")

# What the configuration of each node begins with.
HEAD = 'package = "package.metric"\nlisten = "127.0.0.1:0"\n'


def program(variable):
    """What a variable of the environment names."""
    found = os.environ.get(variable)
    if not found:
        raise SystemExit(f"{variable} has to name a program; see .ci/run")
    return found


def write(path, text):
    """Writes a file; its path."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def until(what, is_true, seconds=60.0, pause=0.02):
    """Waits until something is true, and returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        found = is_true()
        if found:
            return found
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not after {seconds:.0f} s")
        time.sleep(pause)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def stat(pid):
    """The parent of a process, and the ticks that it and its ended children have used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15]))


def tree(pid):
    """A process and all below it, with their ticks."""
    known = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            known[int(name)] = stat(name)
        except (OSError, IndexError):
            continue
    found, new = {}, {pid}
    while new:
        found.update({one: known[one][1] for one in new if one in known})
        new = {one for one, (parent, _) in known.items() if parent in new} - found.keys()
    return found


def peak_memory(pid):
    """The most resident memory of a process so far, in MB."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024


class Server:
    """A process in a group of its own, which is killed at the end."""

    def __init__(self, command, quiet=False, **options):
        if quiet:
            options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, start_new_session=True, **options)

    def cpu(self):
        """Seconds of user and system time, of it and all processes below it."""
        return sum(tree(self.process.pid).values()) / TICKS

    def stop(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Node(Server):
    """`metricc serve` in a folder with a `metricc.toml` that says `listen = "127.0.0.1:0"`."""

    def __init__(self, metricc, home, environment=None):
        self.begun = time.monotonic()
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        super().__init__([metricc, "serve"], cwd=home, env=environment, **options)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            found = re.search(r"http://([0-9.]+):(\d+)", line)
            if found:
                break
        else:
            raise SystemExit("the node did not start:\n" + "".join(self.said))
        self.host, self.port = found.group(1), int(found.group(2))
        threading.Thread(target=self._read_rest, daemon=True).start()

    def _read_rest(self):
        self.said.extend(self.process.stderr)

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def get(self, path):
        """The status of a request, and its answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def json(self, path):
        status, body = self.get(path)
        if status != 200:
            raise SystemExit(f"{path}: {status} {body.decode()}")
        return json.loads(body)

    def post(self, path, body, kind="application/x-ndjson"):
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def source(self):
        """What `/v1/sources` says of the first source."""
        return self.json("/v1/sources")["sources"][0]

    def ready(self, seconds=600.0):
        until("the node answers", lambda: self.get("/readyz")[0] == 200, seconds, 0.01)
        return self

    def has_viewed(self, n_events, seconds=1800.0):
        """Waits until its view has so many events."""
        until("all events in the view", lambda: sum(self.source()["view"] or [0]) >= n_events, seconds, 0.1)

    def stop_gently(self):
        """As an operator does: the journal is ended."""
        self.stop(signal.SIGTERM)


def run(command, **options):
    """Runs a command; its seconds on the clock and of the processor."""
    before, begun = os.times(), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    took, after = time.monotonic() - begun, os.times()
    if done.returncode:
        raise SystemExit(f"{command}:\n{done.stderr.decode()}")
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def quantile(values, share):
    """As elsewhere in these measurements: the least value that so many are not above."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)] if ordered else float("nan")


def low_and_middle(values, form="{:.2f}"):
    """The least value and the median, as text."""
    return f"{form.format(min(values))}, {form.format(quantile(values, 0.5))}"


def high_and_middle(values, form="{:,.0f}"):
    """The greatest value and the median, as text."""
    return f"{form.format(max(values))}, {form.format(quantile(values, 0.5))}"


def fresh(folder):
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def load():
    """How busy the machine was in the last minute, as `uptime` says."""
    return f"load {os.getloadavg()[0]:.1f}"
