#!/usr/bin/env python3
"""The effect of a flood of wrong passwords from one address on all other clients.

Starts a store of its own, or a node beside it, and asks it, from one address, as a user who is known and as
users who log in for the first time; quiet, and then while processes at another address send wrong passwords on
connections that stay open, each a new one, as fast as they are answered. Prints p50 and p99 and their ratios.
Needs a build:

    bench/guessing.py [--at store|node] [--seconds 20] [--guessers 4] [--bin build/release/bin]

The guessers run at the lowest priority, since they would not take their share of the store's processors from
elsewhere.
"""

import argparse
import http.client
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--guessers", type=int, default=4)
    parser.add_argument("--at", choices=("store", "node"), default="store", help="who is guessed at")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    return parser.parse_args()


OPTIONS = parse()
os.environ["OUTPORT_BIN"] = str(OPTIONS.bin.resolve())
sys.path.insert(0, str(ROOT / "tests" / "support"))

from client import RegistryClient  # noqa: E402
from fleet import PASSWORD, Fleet  # noqa: E402

LOGINS = 60  # users, each of whom logs in once a phase
PHASES = ("quiet", "flood")


OTHERS, GUESSERS = "127.0.0.2", "127.0.0.3"  # their addresses


def ask(client, connection):
    """The duration of a ping in seconds."""
    began = time.perf_counter()
    connection.request("GET", "/v2/", headers=client.headers())
    answer = connection.getresponse()
    answer.read()
    return time.perf_counter() - began, answer.status


def guess(arguments, number, answered):
    os.nice(19)  # real guessers would not use the store's processors
    client = RegistryClient(*arguments, "demo", "", source=GUESSERS)
    connection, count = client.connect(), 0
    while True:
        client.password = f"guess {number} {count}"
        try:
            ask(client, connection)
        except (OSError, http.client.HTTPException):
            connection = client.connect()
        count += 1
        with answered.get_lock():
            answered.value += 1


def measure(arguments, phase):
    known = RegistryClient(*arguments, "demo", PASSWORD, source=OTHERS)
    connection = known.connect()
    pings, logins = [], []
    end = time.monotonic() + OPTIONS.seconds
    for number in range(LOGINS):
        login = RegistryClient(*arguments, f"{phase}-{number}", PASSWORD, source=OTHERS)
        took, status = ask(login, login.connect())
        assert status == 200, (status, number)
        logins.append(took)
        share = (end - time.monotonic()) / (LOGINS - number)
        pause = time.monotonic() + max(share, 0)
        while time.monotonic() < pause:
            took, status = ask(known, connection)
            assert status == 200, status
            pings.append(took)
            time.sleep(0.002)
    return {"request": pings, "first login": logins}


def percentile(values, share):
    return statistics.quantiles(values, n=100)[share - 1] * 1000


def main():
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(folder).start()
        for phase in PHASES:
            for number in range(LOGINS):
                fleet.control("user", "add", f"{phase}-{number}", "--allow", "pull", stdin=PASSWORD + "\n")
        member = fleet.store
        if OPTIONS.at == "node":
            member = fleet.add_node("eu-west")
            fleet.settle()
        arguments = (fleet.host, member.registry_port, fleet.certificates)
        quiet = measure(arguments, "quiet")
        answered = multiprocessing.Value("L", 0)
        guessers = [multiprocessing.Process(target=guess, args=(arguments, number, answered), daemon=True)
                    for number in range(OPTIONS.guessers)]
        for guesser in guessers:
            guesser.start()
        before, began = answered.value, time.monotonic()
        flood = measure(arguments, "flood")
        rate = (answered.value - before) / (time.monotonic() - began)
        for guesser in guessers:
            guesser.terminate()
            guesser.join()
        verified = member.metric("outport_auth_verifications_total")
        fleet.stop()
    print(f"{rate:.0f} wrong passwords a second came; {verified:.0f} verifications in all")
    print(f"{'ms':<14}{'quiet p50':>11}{'p99':>9}{'flood p50':>11}{'p99':>9}{'p99 ratio':>11}")
    for what in quiet:
        row = [percentile(phase[what], share) for phase in (quiet, flood) for share in (50, 99)]
        print(f"{what:<14}{row[0]:>11.2f}{row[1]:>9.2f}{row[2]:>11.2f}{row[3]:>9.2f}{row[3] / row[1]:>11.2f}")


if __name__ == "__main__":
    main()
