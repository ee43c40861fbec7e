#!/usr/bin/env python3
"""How long revoked access still works, on open connections of a store and two nodes.

Starts a fleet of its own. Each round takes something away with outportctl, whose own time counts: it begins
before the command does. A certificate and a user are gone when a connection is cut; a grant and a node's
permission when the next request on an open connection is refused, or that is cut. Prints milliseconds. Needs a build:

    bench/revocation.py [--rounds 50] [--bin build/release/bin]
"""

import argparse
import http.client
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2")
    return options


OPTIONS = parse()
os.environ["OUTPORT_BIN"] = str(OPTIONS.bin.resolve())
sys.path.insert(0, str(ROOT / "tests" / "support"))

from client import RegistryClient  # noqa: E402
from connections import cut_by, open_connection  # noqa: E402
from fleet import PASSWORD, Fleet  # noqa: E402
from processes import wait_for  # noqa: E402

PATH = "/v2/team/app/tags/list"


def cut(fleet, certificates, user, *command):
    """Seconds until the store's and each node's connection ended."""
    connections = {member.name: open_connection(fleet, member, certificates, user)
                   for member in fleet.members()}
    _, took = cut_by(connections, lambda: fleet.control(*command))
    for connection in connections.values():
        connection.close()
    return list(took.values())


def certificate(fleet, number):
    folder = fleet.folder / f"laptop{number}"
    serial = fleet.control_json("cert", "issue", f"laptop{number}", "--out", folder)["serial"]
    return cut(fleet, folder, "demo", "cert", "revoke", serial)


def user(fleet, number):
    name = f"guest{number}"
    fleet.control("user", "add", name, "--allow", "pull", stdin=PASSWORD + "\n")
    for member in fleet.members():
        answers(fleet, member, name)
    return cut(fleet, fleet.certificates, name, "user", "disable", name)


def answers(fleet, member, name):
    client = RegistryClient(fleet.host, member.registry_port, fleet.certificates, name, PASSWORD)
    wait_for(f"{member.name} to answer", lambda: client.get(PATH).status == 200)


def refused(fleet, members, name, *command):
    """Seconds until each member refused one of a series of requests."""
    took = []

    def ask(member):
        client = RegistryClient(fleet.host, member.registry_port, fleet.certificates, name, PASSWORD)
        connection, status = client.connect(), 200
        while status == 200 and time.monotonic() < began + 10:
            try:
                connection.request("GET", PATH, headers=client.headers())
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                status = None  # cut
        if status in (403, None):
            took.append(time.monotonic() - began)

    began = time.monotonic()
    askers = [threading.Thread(target=ask, args=(member,)) for member in members]
    for asker in askers:
        asker.start()
    fleet.control(*command)
    for asker in askers:
        asker.join()
    assert len(took) == len(askers)
    return took


def grant(fleet, number):
    name = "granted"
    if number == 0:
        fleet.control("user", "add", name, "--allow", "pull:other", stdin=PASSWORD + "\n")
    fleet.control("grant", "add", f"user:{name}", "pull:team/**")
    for member in fleet.members():
        answers(fleet, member, name)
    return refused(fleet, fleet.members(), name, "grant", "remove", f"user:{name}", "pull:team/**")


def permission(fleet, _):
    node = fleet.nodes["eu-west"]
    took = refused(fleet, [node], "demo", "node", "set", "eu-west", "--allow", "pull:other/**")
    fleet.control("node", "set", "eu-west", "--allow", "pull,push:**")
    answers(fleet, node, "demo")
    return took


def main():
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(pathlib.Path(folder)).start()
        try:
            for name in ("eu-west", "us-east"):
                fleet.add_node(name)
            fleet.store.client().push_image("team/app", "v1", b"layer")
            for member in fleet.members():
                answers(fleet, member, "demo")
            print(f"{'ms':<34}{'count':>6}{'p50':>8}{'p99':>8}{'most':>8}")
            for what, measure in (("a certificate is revoked", certificate), ("a user is disabled", user),
                                  ("a grant is removed", grant), ("a node is limited", permission)):
                took = [one * 1000 for number in range(OPTIONS.rounds) for one in measure(fleet, number)]
                shares = statistics.quantiles(took, n=100, method="inclusive")
                print(f"{what:<34}{len(took):>6}{shares[49]:>8.0f}{shares[98]:>8.0f}{max(took):>8.0f}", flush=True)
        finally:
            fleet.stop()


if __name__ == "__main__":
    main()
