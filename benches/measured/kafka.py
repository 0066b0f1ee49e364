"""A node that reads a topic: how fast it catches up, and how soon an event shows."""
import http.client
import os
import random
import re
import subprocess
import threading
import time

from kit import producer
from kit.processes import (
    HEAD, Node, Server, fresh, free_port, high_and_middle, listens, load, low_and_middle, peak_memory, program,
    quantile, until, write,
)

TOPIC_PACKAGE = """
source events { at: timestamp time  id: int  country: string?  amount: decimal(10, 2) }
metric n_events = count() { from events }
metric revenue = sum(amount) { from events  by country  every 1h }
metric by_id = { n: count(), money: sum(amount) } { from events  by id }
"""
N_PARTITIONS, N_OF_BATCH, N_IDS = 4, 1000, 10_000


def event(choose, number=None):
    """A record of 200 bytes."""
    country = choose.choice(["IN", "DE", "US", "FR", "BR", "JP", "GB", "NG"])
    start = (
        f'{{"at":"2026-04-25T{choose.randrange(24):02}:{choose.randrange(60):02}:00.000Z",'
        f'"id":{choose.randrange(N_IDS) if number is None else number},"country":"{country}",'
        f'"amount":"{choose.randrange(1000)}.50","note":"'
    )
    return f'{start}{"x" * (198 - len(start))}"}}'.encode()


class Topic:
    """A broker with a topic, and batches to send."""

    def __init__(self, work):
        self.port, choose = free_port(), random.Random(7)
        command = [program("METRICC_NOIDA_DB"), "start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port"]
        self.server = Server(command + [str(self.port), "--data-dir", fresh(f"{work}/broker")], quiet=True)
        until("the broker listens", lambda: listens(self.port))
        self.batches = [producer.batch([event(choose) for _ in range(N_OF_BATCH)]) for _ in range(48)]
        self.producer = producer.Producer(self.port)
        self.producer.create("events", N_PARTITIONS)
        self.n_sent = 0

    def send(self):
        number = self.n_sent // N_OF_BATCH
        self.producer.send("events", number % N_PARTITIONS, self.batches[number % len(self.batches)])
        self.n_sent += N_OF_BATCH

    def pace(self, rate, seconds):
        """Sends so many events a second, and returns the rate that was reached."""
        begun, n_before = time.monotonic(), self.n_sent
        while (now := time.monotonic() - begun) < seconds:
            due = (self.n_sent - n_before) / rate
            time.sleep(max(0.0, due - now))
            self.send()
        return (self.n_sent - n_before) / (time.monotonic() - begun)

    def node(self, metricc, home):
        fresh(home)
        write(f"{home}/package.metric", TOPIC_PACKAGE)
        of_topic = f'[sources.events.kafka]\nbrokers = ["127.0.0.1:{self.port}"]\ntopic = "events"\n'
        write(f"{home}/metricc.toml", HEAD + of_topic)
        return Node(metricc, home)


def catch_up(options, topic):
    """A node reads a full topic; events a second, and what that costs."""
    broker = topic.server.cpu()
    with topic.node(options.metricc, f"{options.work}/node") as node:
        durable = None
        while True:
            source, now = node.source(), time.monotonic() - node.begun
            durable = durable or (now if sum(source["end"]) >= topic.n_sent else None)
            if sum(source["served"] or [0]) >= topic.n_sent:
                break
            time.sleep(0.02)
        row = topic.n_sent / durable, topic.n_sent / now, node.cpu(), topic.server.cpu() - broker
        memory, found = peak_memory(node.process.pid), node.json("/v1/metrics/n_events")["rows"]
    if found[0]["value"] != topic.n_sent:
        raise SystemExit(f"{topic.n_sent} events were sent, and {found} are there")
    return row, memory


def probe(node, port, times, is_over, number):
    """Sends an event and reads until it is in an answer; the time since before it was sent."""
    sender, client = producer.Producer(port), http.client.HTTPConnection(node.host, node.port)
    choose = random.Random(number)
    while not is_over.is_set():
        number += 1
        records, begun = producer.batch([event(choose, number)]), time.monotonic()
        sender.send("events", number % N_PARTITIONS, records)
        while True:
            client.request("GET", f"/v1/metrics/by_id?key.id={number}")
            answer = client.getresponse()
            if b'"n":1' in answer.read() and answer.status == 200:
                break
            time.sleep(0.003)
        times.append(time.monotonic() - begun)
        time.sleep(0.05 * choose.random())


def freshness(options, topic, rate):
    """The times until an event shows, while a node follows a topic."""
    with topic.node(options.metricc, f"{options.work}/node") as node:
        node.ready()
        until("the node reads the topic", lambda: node.source()["kafka"]["partitions"])
        topic.pace(rate, 3)
        times, is_over, before = [], threading.Event(), (node.cpu(), topic.server.cpu())
        probes = [
            threading.Thread(target=probe, args=(node, topic.port, times, is_over, 10_000_000 * (1 + number)))
            for number in range(4)
        ]
        for one in probes:
            one.start()
        seconds = options.seconds
        reached = topic.pace(rate, seconds)
        is_over.set()
        for one in probes:
            one.join()
        used = (node.cpu() - before[0]) / seconds, (topic.server.cpu() - before[1]) / seconds
    ms = [1000 * quantile(times, share) for share in (0.5, 0.99, 1.0)]
    print(f"| {rate:,} | {reached:,.0f} | {len(times)} | {ms[0]:.0f} | {ms[1]:.0f} | {ms[2]:.0f} "
          f"| {used[0]:.2f} | {used[1]:.2f} |", flush=True)


def bare_read(options, topic, n_threads):
    """`read_topic` alone."""
    broker, address = topic.server.cpu(), f"kafka://127.0.0.1:{topic.port}/events"
    before = os.times()
    done = subprocess.run([options.read_topic, address, str(n_threads)], capture_output=True, text=True, check=True)
    after = os.times()
    rate = re.search(r"([0-9]+) events/s", done.stderr).group(1)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return int(rate), used, topic.server.cpu() - broker


def measure(options):
    n_events = max(10_000, int(600_000 * options.scale))
    topic = Topic(options.work)
    with topic.server:
        begun = time.monotonic()
        while topic.n_sent < n_events:
            topic.send()
        print(f"{n_events:,} events of 200 bytes written in {time.monotonic() - begun:.1f} s; {load()}\n")
        rows = [(*catch_up(options, topic), *[bare_read(options, topic, n) for n in (1, 2) if options.read_topic])
                for _ in range(options.rounds)]
        print("| what | events a second, best and median | CPU-s per million events | of the broker |")
        print("|---|---|---|---|")
        per_million = 1e6 / n_events

        def line(what, rates, used, broker):
            costs = (low_and_middle([per_million * one for one in each]) for each in (used, broker))
            print(f"| {what} | {high_and_middle(rates)} | {' | '.join(costs)} |", flush=True)

        for what, place in (("durable", 0), ("visible", 1)):
            line(f"a node, {what}", *([row[0][at] for row in rows] for at in (place, 2, 3)))
        for place, n in enumerate((1, 2) if options.read_topic else (), 2):
            line(f"`read_topic`, {n} threads", *([row[place][at] for row in rows] for at in (0, 1, 2)))
        print(f"most memory of the node: {max(row[1] for row in rows):.0f} MB; {load()}\n")
    print("| events a second | reached | probes | p50, ms | p99, ms | most, ms | cores of the node | of the broker |")
    print("|---|---|---|---|---|---|---|---|")
    for rate in options.rates:
        for _ in range(options.rounds):
            topic = Topic(options.work)
            with topic.server:
                freshness(options, topic, rate)
