#!/usr/bin/env python3
"""Garbage collection beside clients, the start of a large store, and docker-registry for comparison.

Starts a store of its own, and prints three tables. The first one has the time from the start of the
program until it is ready. The second one has the latency of manifest puts and blob pulls without and with
a collection at work, in turns, and the ratio of the two. The third one has the time in which the store and
Debian's docker-registry collect the same garbage, which was pushed to both, beside more and more content
that stays. Needs a build, with bench/collection, and docker-registry (apt-get install docker-registry):

    bench/collection.py [--blobs 100000] [--rounds 8] [--seconds 10] [--only start,latency,compare]
                        [--kept 100,1000] [--bin build/release/bin] [--folder /var/tmp]

The collector has its default rate in the second table, and --max-rate in the third one.
"""

import argparse
import concurrent.futures
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PARTS = ("start", "latency", "compare")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blobs", type=int, default=100_000, help="in the store of the first two tables")
    parser.add_argument("--rounds", type=int, default=8, help="each without and with a collection")
    parser.add_argument("--seconds", type=float, default=10, help="of each half of a round")
    parser.add_argument("--kept", default="100,1000", help="images that stay, for each comparison")
    parser.add_argument("--garbage", type=int, default=100, help="images that go, in each comparison")
    parser.add_argument("--max-rate", type=int, default=100_000, help="of the collector, in the comparison")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--folder", default="/var/tmp", help="on the disk to measure")
    options = parser.parse_args()
    options.only = options.only.split(",")
    options.kept = [int(number) for number in options.kept.split(",")]
    if not set(options.only) <= set(PARTS):
        parser.error(f"--only: of {', '.join(PARTS)}")
    return options


OPTIONS = parse()
os.environ["OUTPORT_BIN"] = str(OPTIONS.bin.resolve())
sys.path.insert(0, str(ROOT / "tests" / "support"))

from client import MANIFEST, digest_of, make_manifest  # noqa: E402
from fleet import PASSWORD, Fleet  # noqa: E402
from processes import Daemon, free_port, run, wait_for  # noqa: E402

FILL = OPTIONS.bin.parent / "bench" / "collection"
REGISTRY = "docker-registry"
RATE = 500  # the default of gc.max_rate
TYPE = {"Content-Type": "application/octet-stream"}
SETTLE = 1.5  # seconds after the collector was paused or resumed
LAYERS = 9
WORKERS = 4


class Connection:
    """A connection to a registry that stays open; `client` is None for a registry without TLS."""

    def __init__(self, host, port, client=None):
        self.headers = client.headers() if client else {}
        context = client.context() if client else None
        self.http = (http.client.HTTPSConnection(host, port, timeout=60, context=context) if client
                     else http.client.HTTPConnection(host, port, timeout=60))

    def call(self, method, path, status, body=None, headers=None):
        self.http.request(method, path, body=body, headers={**self.headers, **(headers or {})})
        answer = self.http.getresponse()
        content = answer.read()
        assert answer.status == status, (method, path, answer.status, content[:500])
        return answer

    def push_blob(self, repository, data):
        location = self.call("POST", f"/v2/{repository}/blobs/uploads/", 202, b"").headers["Location"]
        path = "/" + location.split("/", 3)[3] if location.startswith("http") else location
        joint = "&" if "?" in path else "?"
        self.call("PUT", f"{path}{joint}digest={digest_of(data)}", 201, data, TYPE)

    def push_image(self, repository, tag, blobs):
        for blob in blobs:
            self.push_blob(repository, blob)
        manifest = make_manifest(blobs[0], blobs[1:])
        self.call("PUT", f"/v2/{repository}/manifests/{tag}", 201, manifest, {"Content-Type": MANIFEST})
        return digest_of(manifest)


def puts(connection, number):
    """Puts of new manifests, each under a tag that it moves."""
    blobs = [b"%d config" % number, b"%d layer" % number]
    connection.push_image("bench/put", f"first-{number}", blobs)
    while True:
        manifest = json.loads(make_manifest(blobs[0], blobs[1:]))
        manifest["annotations"] = {"number": str(random.getrandbits(64))}
        path = f"/v2/bench/put/manifests/t{random.randrange(100)}"
        yield lambda body=json.dumps(manifest).encode(), to=path: connection.call(
            "PUT", to, 201, body, {"Content-Type": MANIFEST})


def pulls(connection, number):
    blobs = [random.Random(100 * number + index).randbytes(64 << 10) for index in range(50)]
    connection.push_image("bench/pull", f"v{number}", blobs)
    digests = [digest_of(blob) for blob in blobs]
    while True:
        path = f"/v2/bench/pull/blobs/{random.choice(digests)}"
        yield lambda to=path: connection.call("GET", to, 200)


KINDS = {"manifest put": puts, "blob pull": pulls}


def work(kind, number, member, client, phase, results):
    """Makes requests until the phase is negative. Sends the seconds of each request, by its phase."""
    requests = KINDS[kind](Connection(*member, client), number)
    took, now = {}, 0
    while now >= 0:
        request = next(requests)
        time.sleep(0.002)
        now = phase.value
        began = time.perf_counter()
        request()
        seconds = time.perf_counter() - began
        if now > 0 and phase.value == now:
            took.setdefault(now, []).append(seconds)
    results.put((kind, took))


def p99(values):
    return statistics.quantiles(values, n=100)[98] * 1000


def table(lines):
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(str(cell).rjust(width) if i else str(cell).ljust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))), flush=True)
    print(flush=True)


def started(store):
    began = time.monotonic()
    store.start(120)
    return time.monotonic() - began


def exported(store):
    """Whether the store has written all entries of the audit log to the file."""
    before = store.metric("outport_store_audit_exported_sequence")
    time.sleep(2)
    return before > 0 and before == store.metric("outport_store_audit_exported_sequence")


def filled_fleet(folder):
    """A store with content and garbage, whose collector is paused."""
    fleet = Fleet(folder).start()
    fleet.control("gc", "pause", "--why", "benchmark")
    fleet.store.stop()
    garbage = int(2 * OPTIONS.rounds * OPTIONS.seconds * RATE) // 20 * 10 + 10_000
    began = time.monotonic()
    run(FILL, "fill", fleet.store.data, OPTIONS.blobs, garbage, seconds=3600)
    print(f"{OPTIONS.blobs:,} blobs of images and {garbage:,} others, filled in "
          f"{time.monotonic() - began:.0f} s\n", flush=True)
    return fleet


def measure_starts(fleet):
    store = fleet.store
    lines = [("start of the store", "s", "resident MiB")]
    lines.append(("after it was filled", f"{started(store):.2f}", f"{store.resident_mib():.0f}"))
    wait_for("the audit log to be exported", lambda: exported(store), 600)
    store.stop()
    lines.append(("after a clean stop", f"{started(store):.2f}", f"{store.resident_mib():.0f}"))
    fleet.control("gc", "resume")
    wait_for("the collector to work", lambda: collected(store) > 0, 60)
    store.kill()
    lines.append(("after kill -9 in a collection", f"{started(store):.2f}", f"{store.resident_mib():.0f}"))
    fleet.control("gc", "pause", "--why", "benchmark")
    table(lines)


def collected(store):
    return sum(store.metric(f"outport_store_gc_{name}_total") for name in ("links_removed", "blobs_freed"))


def turns():
    """The phases: 1 for quiet and 2 for a collection, in an order in which slow drift cancels out."""
    for number in range(OPTIONS.rounds):
        yield from ((1, 2) if number % 2 == 0 else (2, 1))


def measure_latency(fleet):
    store = fleet.store
    store.set_section("gc", trash="1s")
    fleet.control("gc", "resume")
    wait_for("the collector to work", lambda: collected(store) > 0, 60)  # a killed process keeps its lease
    fleet.control("gc", "pause", "--why", "benchmark")
    phase, results = multiprocessing.Value("i", 0), multiprocessing.Queue()
    member = (fleet.host, store.registry_port)
    workers = [multiprocessing.Process(target=work, daemon=True,
                                       args=(kind, number, member, store.client(), phase, results))
               for number, kind in enumerate(KINDS)]
    for worker in workers:
        worker.start()
    time.sleep(5)  # until they have pushed their blobs
    memory, items, worked = [store.resident_mib()], 0, 0
    for number, turn in enumerate(turns()):
        fleet.control("gc", *(("pause", "--why", "benchmark") if turn == 1 else ("resume",)))
        time.sleep(SETTLE)
        before, began = collected(store), time.monotonic()
        phase.value = 4 * number + turn  # positive; odd for quiet
        time.sleep(OPTIONS.seconds)
        phase.value = 0
        if turn == 2:
            items += collected(store) - before
            worked += time.monotonic() - began
        memory.append(store.resident_mib())
    phase.value = -1
    took = dict(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    lines = [("ms", "quiet p50", "p99", "collection p50", "p99", "p99 ratio", "quiet against quiet")]
    for kind in KINDS:
        lines.append(latency_line(kind, took[kind]))
    table(lines)
    print(f"the collector removed and freed {items / worked:.0f} links and blobs a second; resident MiB: "
          f"{memory[0]:.0f} before, {max(memory):.0f} at most, {memory[-1]:.0f} after\n", flush=True)
    assert items / worked > RATE / 10, "the collector had too little to do"


def latency_line(kind, took):
    quiet = [values for number, values in sorted(took.items()) if number % 2 == 1]
    quiet_all = [one for values in quiet for one in values]
    collection = [one for number, values in took.items() if number % 2 == 0 for one in values]
    halves = [[one for values in quiet[half::2] for one in values] for half in (0, 1)]
    noise = [f"{p99(halves[1]) / p99(halves[0]):.2f}" if len(quiet) > 1 else "-"]
    return (kind, f"{statistics.median(quiet_all) * 1000:.2f}", f"{p99(quiet_all):.2f}",
            f"{statistics.median(collection) * 1000:.2f}", f"{p99(collection):.2f}",
            f"{p99(collection) / p99(quiet_all):.2f}", *noise)


class DockerRegistry(Daemon):
    """Debian's docker-registry, in plain HTTP on loopback."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        self.config = folder / "config.yml"
        self.config.write_text(json.dumps({
            "version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}"}}))
        super().__init__(REGISTRY, [REGISTRY, "serve", self.config], folder / "log")

    def answers(self):
        try:
            self.connection().call("GET", "/v2/", 200)
            return True
        except OSError:
            return False

    def connection(self):
        return Connection("127.0.0.1", self.port)

    def start(self):
        self.spawn()
        wait_for("docker-registry to answer", self.answers)

    def blobs(self):
        return {path.parent.name for path in (self.folder / "data").glob("docker/registry/v2/blobs/*/*/*/data")}

    def collect(self, gone):
        """Seconds of garbage-collect. Nobody may push meanwhile, so the registry is stopped."""
        self.stop()
        began = time.monotonic()
        run(REGISTRY, "garbage-collect", self.config, seconds=3600)
        took = time.monotonic() - began
        assert not gone & self.blobs()
        self.start()
        return took


class Outport:
    """A store whose collector is paused, with short times."""

    def __init__(self, folder):
        folder.mkdir()
        self.fleet = Fleet(folder).start()
        self.fleet.control("grant", "add", "user:demo", "delete")
        store = self.fleet.store
        store.set_section("freshness", max_staleness="500ms", stale_if_error="1s",
                          on_store_unreachable="serve_stale")
        store.set_section("gc", grace="2s", lease="1s", trash="0s", longest_pull="1s", max_rate=OPTIONS.max_rate)
        self.fleet.control("gc", "pause", "--why", "benchmark")

    def connection(self):
        return Connection(self.fleet.host, self.fleet.store.registry_port, self.fleet.store.client())

    def blobs(self):
        files = (self.fleet.store.data / "blobs" / "sha256").glob("*/*")
        return {path.name.split(".")[0] for path in files}

    def collect(self, gone):
        """Seconds until the files are gone, while the store serves."""
        time.sleep(4)  # until the grace period has ended
        began = time.monotonic()
        self.fleet.control("gc", "resume")
        while gone & self.blobs():
            time.sleep(0.1)
        took = time.monotonic() - began
        self.fleet.control("gc", "pause", "--why", "benchmark")
        return took


def image(number):
    """A config and layers of 1 KiB that no other image has."""
    return [(b"%d %d " % (number, index)).ljust(1024, b".") for index in range(LAYERS + 1)]


def push_images(registry, numbers):
    """Pushes images on several connections; returns the digests of their manifests."""
    local = threading.local()

    def push(number):
        if not hasattr(local, "connection"):
            local.connection = registry.connection()
        return local.connection.push_image(f"bench/app{number % 10}", f"v{number}", image(number))

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(push, numbers))


def compare(folder):
    registries = {"store": Outport(folder / "store"), REGISTRY: DockerRegistry(folder / "docker-registry")}
    registries[REGISTRY].start()
    lines = [("seconds, for the same content", "images kept", "blobs kept", "blobs collected", *registries, "ratio")]
    try:
        pushed = already = 0
        for kept in sorted(OPTIONS.kept):
            garbage = range(pushed, pushed + OPTIONS.garbage)
            stay = range(garbage.stop, garbage.stop + kept - already)
            pushed, already, took = stay.stop, kept, {}
            gone = {digest_of(blob).split(":")[1] for number in garbage for blob in image(number)}
            for name, registry in registries.items():
                digests = push_images(registry, [*garbage, *stay])[:OPTIONS.garbage]
                connection = registry.connection()
                for number, digest in zip(garbage, digests):
                    connection.call("DELETE", f"/v2/bench/app{number % 10}/manifests/{digest}", 202)
                assert gone <= registry.blobs()
                took[name] = registry.collect(gone)
            lines.append(("collection", kept, kept * (LAYERS + 1), len(gone),
                          *(f"{took[name]:.2f}" for name in registries),
                          f"{took[REGISTRY] / took['store']:.1f}"))
        table(lines)
    finally:
        registries[REGISTRY].stop()
        registries["store"].fleet.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="outport-bench-", dir=OPTIONS.folder) as folder:
        folder = pathlib.Path(folder)
        if {"start", "latency"} & set(OPTIONS.only):
            (folder / "filled").mkdir()
            fleet = filled_fleet(folder / "filled")
            try:
                if "start" in OPTIONS.only:
                    measure_starts(fleet)
                else:
                    fleet.store.start(120)
                    wait_for("the audit log to be exported", lambda: exported(fleet.store), 600)
                if "latency" in OPTIONS.only:
                    measure_latency(fleet)
            finally:
                fleet.stop()
        if "compare" in OPTIONS.only:
            if shutil.which(REGISTRY) is None:
                raise SystemExit("collection.py: docker-registry is not installed: apt-get install docker-registry")
            compare(folder)


if __name__ == "__main__":
    main()
