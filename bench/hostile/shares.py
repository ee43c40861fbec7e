"""Attacks of one user, who takes what all clients need."""

import os
import threading
import time
from collections import Counter

from client import MANIFEST, digest_of

import others
from crowd import Attackers, Crowd, Sender, crowd, repeat, split
from stage import MIB

REPOSITORY = "mallory/app"
LARGE_MANIFESTS, SMALL_MANIFESTS, SESSIONS, CONNECTIONS, SLOW_READERS, PUSHERS = 12, 80, 1000, 2000, 1500, 12
BODIES = {"store": 520, "node": 140}
DRIP_SECONDS = 5  # well within the 30 s in which a byte of a body must come


def drip(sock, _):
    sock.send(b" ")


def drip_chunk(sock, _):
    sock.send(b"1\r\n \r\n")


def manifest_sockets(stage):
    """Manifests that arrive byte by byte: first of the largest size, then of one that may use the reserve."""
    stage.start()
    sender = Sender(stage.client())

    def enter(number):
        sock = sender.connect(number)
        sock.sendall(sender.head("PUT", f"/v2/{REPOSITORY}/manifests/v{number}", Content_Type=MANIFEST,
                                 Content_Length=4 * MIB if number < LARGE_MANIFESTS else 256 << 10))
        return sock
    count = LARGE_MANIFESTS + SMALL_MANIFESTS
    works = [Crowd(enter, 0, count, tend=drip, every=DRIP_SECONDS)]
    stage.run_crowd(Attackers(works, standing=count, settle_seconds=15))


def sessions(at):
    def attack(stage):
        """Upload sessions that nobody uses; they outlive a restart of the store."""
        stage.start(at=at)
        clients = [others.Kept(stage.client(source=f"127.66.{part}.1")) for part, _ in enumerate(split(SESSIONS))]

        def work(kept, count):
            def open_session(number):
                if number >= count:
                    time.sleep(0.2)
                    return "done"
                try:
                    kept.call("POST", f"/v2/{REPOSITORY}/blobs/uploads/", 202, b"")
                    return "202"
                except others.Refused as refused:
                    return str(refused)

            def run(shared):
                def count_and_open(number):
                    seen = open_session(number)
                    shared.stands(min(number + 1, count))
                    return seen
                return repeat(count_and_open)(shared)
            return run
        works = [work(kept, count) for kept, (_, count) in zip(clients, split(SESSIONS))]
        attackers = Attackers(works, standing=SESSIONS, settle_seconds=60)
        stage.run_crowd(attackers, leaves_sessions=True)
        stage.result["attackers"].pop("done", None)
        stage.fleet.store.stop()
        stage.fleet.store.start()
        time.sleep(3 if at == "node" else 0)  # the node connects again
        _, reason = others.attempt(lambda: others.push_blob(others.Kept(stage.other_client()), os.urandom(100)))
        stage.check("push after a restart", reason is None)
        if reason:
            stage.note("why the push failed", reason)
    return attack


def bodies(at):
    def attack(stage):
        """Bodies of blobs that arrive byte by byte."""
        stage.start(at=at)
        sender = Sender(stage.client())

        def enter(number):
            sock = sender.connect(number)
            digest = digest_of(b"%d" % number)
            sock.sendall(sender.head("POST", f"/v2/{REPOSITORY}/blobs/uploads/?digest={digest}",
                                     Content_Type="application/octet-stream", Transfer_Encoding="chunked")
                         + b"1\r\n \r\n")
            return sock
        works = crowd(BODIES[at], enter, tend=drip_chunk, every=DRIP_SECONDS)
        stage.run_crowd(Attackers(works, standing=BODIES[at], settle_seconds=30),
                        leaves_sessions=True)
    return attack


def connections(at):
    def attack(stage):
        """Connections that have logged in, and then stay."""
        stage.start(at=at)
        sender = Sender(stage.client())

        def enter(number):
            sock = sender.connect(number)
            sock.sendall(sender.head("GET", "/v2/"))
            return sock

        def ask_again(sock, _):
            sock.send(sender.head("GET", "/v2/"))
        works = crowd(CONNECTIONS, enter, tend=ask_again, every=30, leave=False)
        stage.run_crowd(Attackers(works, standing=CONNECTIONS, settle_seconds=90))
    return attack


def slow_readers(at):
    def attack(stage):
        """Pulls of a large blob, of which the client reads a piece now and then."""
        stage.start(at=at)
        digest = stage.client(member=stage.fleet.store).push_blob(REPOSITORY, os.urandom(8 * MIB))
        stage.fleet.settle()
        assert stage.client().get(f"/v2/{REPOSITORY}/blobs/{digest}").status == 200
        sender = Sender(stage.client())

        def enter(number):
            sock = sender.connect(number, receive_buffer=4096)
            sock.sendall(sender.head("GET", f"/v2/{REPOSITORY}/blobs/{digest}"))
            return sock

        def read_a_little(sock, _):
            if not sock.recv(2048):
                raise ConnectionResetError
        works = crowd(SLOW_READERS, enter, tend=read_a_little, every=DRIP_SECONDS, listen=False)
        stage.run_crowd(Attackers(works, standing=SLOW_READERS, settle_seconds=90))
    return attack


def cut(at):
    def attack(stage):
        """A user is disabled, while others' pushes keep the daemon busy, and a download runs."""
        stage.start(at=at)
        stage.add_user("leaver", "pull")
        digest = stage.fleet.store.client().push_blob(others.REPOSITORY, os.urandom(64 * MIB))
        stage.fleet.settle()

        def pusher(part):
            data, kept = os.urandom(16 * MIB), others.Kept(stage.client(source=f"127.66.{part}.1"))
            path = f"/v2/{REPOSITORY}/blobs/uploads/?digest={digest_of(data)}"

            def push(_):
                try:
                    kept.call("POST", path, 201, data)
                except others.Refused as refused:
                    return refused
                return "201"
            return repeat(push, 2000)
        stage.watch.phase = "attack"
        with Attackers([pusher(part) for part in range(PUSHERS)]) as attackers:
            time.sleep(min(5, stage.seconds))
            took = [disable(stage, digest) for _ in range(3)]
        stage.result["attackers"] = dict(attackers.seen)
        late = [after for _, after in took]
        stage.note("seconds from the start of the command until the cut, each turn", [one for one, _ in took])
        stage.check("cut s", None if None in late else max(late))
        stage.come_back()
    return attack


def disable(stage, digest):
    """Seconds from the start and from the end of `user disable` until the user's download ended."""
    connection = stage.client("leaver", timeout=60).connect()
    connection.request("GET", f"/v2/{others.REPOSITORY}/blobs/{digest}",
                       headers=stage.client("leaver").headers())
    ended, came = threading.Event(), Counter()

    def read():
        try:
            answer = connection.getresponse()
            came["status"] = answer.status
            while data := answer.read(64 << 10):
                came["bytes"] += len(data)
                time.sleep(0.05)  # the download takes about a minute
        except others.NETWORK_FAILURES:
            pass
        came["ended"] = time.monotonic()
        ended.set()
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    time.sleep(1)
    began = time.monotonic()
    stage.fleet.control("user", "disable", "leaver")
    returned = time.monotonic()
    is_cut = ended.wait(30) and came["status"] == 200
    connection.close()
    reader.join(30)
    stage.fleet.control("user", "enable", "leaver")
    stage.fleet.settle()
    if not is_cut:
        return None, None
    return round(came["ended"] - began, 2), round(max(came["ended"] - returned, 0), 2)


ATTACKS = {"manifest-sockets": manifest_sockets}
for _at in ("store", "node"):
    ATTACKS |= {f"sessions@{_at}": sessions(_at), f"bodies@{_at}": bodies(_at),
                f"connections@{_at}": connections(_at), f"slow-readers@{_at}": slow_readers(_at),
                f"cut@{_at}": cut(_at)}
