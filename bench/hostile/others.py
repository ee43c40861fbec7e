"""Other clients: what they do, how long it takes, and what fails, quiet and under attack."""

import http.client
import json
import multiprocessing
import queue
import random
import signal
import statistics
import subprocess
import time
from collections import Counter

from client import MANIFEST, digest_of, make_manifest
from processes import run

from wanted import FLOOR_MS

REPOSITORY = "team/app"
OTHERS = "127.0.0.2"  # their address
PATIENCE_SECONDS = 20  # of each of their requests, within which a byte must come
LAYER = random.Random(1).randbytes(64 << 10)
LEAST_QUIET = 8  # requests of a kind in the quiet phase, without which there is no ratio
NETWORK_FAILURES = (OSError, http.client.HTTPException, subprocess.TimeoutExpired)
PROCESSES = multiprocessing.get_context("fork")


class Refused(Exception):
    """A status that the client did not want."""


class Kept:
    """A connection that stays open between requests, and is made again after a failure."""

    def __init__(self, client):
        self.client, self.http = client, None

    def call(self, method, path, want, body=None, **headers):
        if self.http is None:
            self.http = self.client.connect()
        try:
            self.http.request(method, path, body=body, headers=self.client.headers(headers))
            answer = self.http.getresponse()
            content = answer.read()
        except NETWORK_FAILURES:
            self.close()
            raise
        if answer.status != want:
            raise Refused(f"{method} {answer.status}")
        return answer, content

    def close(self):
        if self.http is not None:
            self.http.close()
            self.http = None


def local(location):
    """The path of a Location, which may be a whole URL."""
    return "/" + location.split("/", 3)[3] if location.startswith("http") else location


def push_blob(kept, data):
    answer, _ = kept.call("POST", f"/v2/{REPOSITORY}/blobs/uploads/", 202, b"")
    location = local(answer.headers["Location"])
    joint = "&" if "?" in location else "?"
    kept.call("PUT", f"{location}{joint}digest={digest_of(data)}", 201, data,
              **{"Content-Type": "application/octet-stream"})


def push(kept, chance):
    """A small image with a new config."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "n": chance.getrandbits(60)}).encode()
    push_blob(kept, config)
    kept.call("PUT", f"/v2/{REPOSITORY}/manifests/t{chance.randrange(20)}", 201,
              make_manifest(config, [LAYER]), **{"Content-Type": MANIFEST})


def reader(client, _):
    """Pulls on a connection that stays open; every tenth request has a connection of its own."""
    kept = Kept(client)
    paths = (f"/v2/{REPOSITORY}/manifests/v1", f"/v2/{REPOSITORY}/blobs/{digest_of(LAYER)}")
    for number in range(10_000_000):
        if number % 10 == 9:
            alone = Kept(client)

            def connect(alone=alone):
                try:
                    alone.call("GET", "/v2/", 200)
                finally:
                    alone.close()
            yield "connect", connect
        else:
            yield "get", lambda path=paths[number % 2]: kept.call("GET", path, 200, Accept=MANIFEST)


def pusher(client, _):
    kept, chance = Kept(client), random.Random()
    while True:
        yield "push", lambda: push(kept, chance)


def administrator(_, fleet):
    def status():
        done = run(*control_command(fleet), "status", check=False, seconds=PATIENCE_SECONDS)
        if done.returncode != 0:
            raise Refused(f"exit code {done.returncode}")
    while True:
        yield "outportctl", status


def control_command(fleet):
    from fleet import CONTROL
    return CONTROL, "--profile", fleet.admin


PAUSES = {"push": 0.08}  # seconds; slower than a user may push
KINDS = {"read": reader, "push": pusher, "control": administrator}


def attempt(request):
    """(seconds, None), or (seconds, the reason) of a failure."""
    began = time.perf_counter()
    try:
        request()
        reason = None
    except Refused as refused:
        reason = str(refused)
    except NETWORK_FAILURES as failure:
        reason = type(failure).__name__
    return time.perf_counter() - began, reason


def _ask(kind, client, fleet, seconds, results):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    requests, series = KINDS[kind](client, fleet), {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        what, request = next(requests)
        took, reason = attempt(request)
        times, failures = series.setdefault(what, ([], Counter()))
        if reason is None:
            times.append(took)
        else:
            failures[reason] += 1
            time.sleep(0.05)
        time.sleep(PAUSES.get(what, 0.002))
    results.put(series)


def measure(client, fleet, kinds, seconds):
    """What others see for some seconds: {what: {count, p50_ms, p99_ms, most_ms, failures}}."""
    results = PROCESSES.Queue()
    processes = [PROCESSES.Process(target=_ask, args=(kind, client, fleet, seconds, results), daemon=True)
                 for kind in kinds]
    for process in processes:
        process.start()
    series, deadline = {}, time.monotonic() + seconds + 4 * PATIENCE_SECONDS
    for _ in processes:
        try:
            series |= results.get(timeout=max(deadline - time.monotonic(), 0.1))
        except queue.Empty:
            series["a client that hangs"] = ([], Counter(hangs=1))
    for process in processes:
        process.terminate()
        process.join()
    return {what: summary(*one) for what, one in sorted(series.items())}


def summary(times, failures):
    milliseconds = [1000 * one for one in times]
    shares = (statistics.quantiles(milliseconds, n=100, method="inclusive") if len(times) > 1
              else milliseconds * 99)
    return {"count": len(times), "p50_ms": round(shares[49], 2) if shares else None,
            "p99_ms": round(shares[98], 2) if shares else None,
            "most_ms": round(max(milliseconds), 2) if shares else None, "failures": dict(failures)}


def ratios(quiet, attack):
    """The p99 of each kind of request, as a multiple of the quiet one. None where none succeeded under attack,
    and where too few succeeded before it: then the machine is not quiet."""
    found = {}
    for what, before in quiet.items():
        p99 = attack.get(what, {}).get("p99_ms")
        found[what] = None if p99 is None or before["count"] < LEAST_QUIET else round(
            max(p99, FLOOR_MS) / max(before["p99_ms"], FLOOR_MS), 2)
    return found


def are_served(client, fleet, kinds):
    """Whether one request of each kind succeeds now."""
    for kind in kinds:
        requests = KINDS[kind](client, fleet)
        if attempt(next(requests)[1])[1] is not None:
            return False
    return True
