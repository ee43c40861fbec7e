"""Disks that are announced away, that are full, and that rot."""

import contextlib
import json
import os
import random
import threading
import time

import fleet as fleets
from client import MANIFEST, digest_of, make_manifest
from processes import wait_for

import others
from crowd import Attackers, Crowd, Sender
from others import local
from shares import drip
from stage import MIB

REPOSITORY = "mallory/app"
LEFT = 32 << 10  # what the announced body leaves to pushes
HEADROOM = 512 * MIB
UPLOADS, ROUNDS = 6, 10
TYPE = {"Content_Type": "application/octet-stream"}


def free_bytes(folder):
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def one_byte(stage):
    """One byte of a body whose announced length is all the space that pushes may use."""
    disk = stage.small_disk(2900 * MIB)
    stage.start(disk=disk)
    sender = Sender(stage.client())

    def enter(number):
        location = local(stage.client().start_upload(REPOSITORY))
        joint = "&" if "?" in location else "?"
        sock = sender.connect(number)
        announced = free_bytes(disk) - HEADROOM - LEFT  # about 2.4 GB
        sock.sendall(sender.head("PUT", f"{location}{joint}digest={digest_of(b'%d' % number)}",
                                 Content_Length=announced, **TYPE) + b" ")
        return sock
    stage.run_crowd(Attackers([Crowd(enter, 0, 1, tend=drip, every=5)], standing=1, settle_seconds=10))


class LeastFree(threading.Thread):
    """Samples the free space of a disk, and remembers the least."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.least, self.ended = folder, free_bytes(folder), threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            self.least = min(self.least, free_bytes(self.folder))


def race(stage):
    """Six uploads at once, of which one fits: first with their lengths announced, then in chunks."""
    disk = stage.small_disk(1024 * MIB)
    stage.start(disk=disk)
    room = free_bytes(disk) - HEADROOM
    assert room > 64 * MIB, room
    size = int(room * 0.9) // MIB * MIB
    stage.note("room for pushes, MiB", room // MIB)
    stage.note("size of an upload, MiB", size // MIB)
    stage.watch.phase = "attack"
    watching = LeastFree(disk)
    watching.start()
    for _ in range(ROUNDS):
        compete(stage, size, chunked=False)
        wait_for("the space of the last round", lambda: free_bytes(disk) - HEADROOM > size, 20)
    stage.note("least free after announced lengths, MiB", watching.least // MIB)
    stage.note("statuses, in chunks", compete(stage, size, chunked=True))
    watching.ended.set()
    watching.join()
    stage.note("least free, MiB", watching.least // MIB)
    stage.check("headroom missing MiB", max(0, (HEADROOM - watching.least) / MIB))
    stage.come_back()


def compete(stage, size, chunked):
    """Begins all uploads at the same moment. Announced bodies never come; those in chunks do."""
    sender = Sender(stage.client())
    how = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": size}
    locations = [local(stage.client().start_upload(REPOSITORY)) for _ in range(UPLOADS)]
    socks = [sender.connect(number) for number in range(UPLOADS)]
    for sock, location in zip(socks, locations):
        sock.sendall(sender.head("PATCH", location, **how, **TYPE)[:-1])
    time.sleep(0.1)
    for sock in socks:
        sock.sendall(b"\n")
    time.sleep(0.3)
    statuses = {}
    if chunked:
        threads = [threading.Thread(target=send_chunks, args=(number, sock, size, statuses))
                   for number, sock in enumerate(socks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    for sock in socks:
        sock.close()
    for location in locations:
        stage.client().call("DELETE", location)
    return statuses


def send_chunks(number, sock, size, statuses):
    piece = random.Random(number).randbytes(MIB)
    sock.settimeout(40)
    try:
        for _ in range(size // MIB):
            sock.sendall(b"%x\r\n" % MIB + piece + b"\r\n")
        sock.sendall(b"0\r\n\r\n")
    except OSError:
        pass  # the store has answered before the end of the body
    try:
        statuses[number] = sock.recv(65536)[9:12].decode()
    except OSError as failure:
        statuses[number] = type(failure).__name__


# A full disk.


class Filler:
    """A file that leaves only so much of a disk free."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder / "filler"

    def leave(self, free):
        size = free_bytes(self.folder) - free + (self.path.stat().st_size if self.path.exists() else 0)
        with open(self.path, "ab") as file:
            while size > 0:
                with contextlib.suppress(OSError):  # the file system needs some blocks for itself
                    os.posix_fallocate(file.fileno(), 0, size)
                    return
                size -= 4096

    def remove(self):
        self.path.unlink()


def is_warned(stage):
    """Whether /readyz or the status says something about the disk."""
    status, text = stage.fleet.store.operations("/readyz")
    said = stage.fleet.control("-o", "json", "status", check=False)
    return "disk" in text.lower() or "disk" in json.dumps(
        json.loads(said.stdout).get("warnings", []) if said.returncode == 0 else "").lower()


def within(seconds, condition):
    with contextlib.suppress(AssertionError):
        wait_for("a condition", condition, seconds)
        return True
    return False


def status_of(client, path="/v2/"):
    try:
        return client.get(path).status
    except others.NETWORK_FAILURES as failure:
        return type(failure).__name__


def push_works(stage):
    kept = others.Kept(stage.other_client())
    return others.attempt(lambda: others.push(kept, random.Random()))[1] is None


def nearly_full(stage):
    """The disk fills up: a warning comes before pushes are refused."""
    disk = stage.small_disk(192 * MIB)
    headroom = 16 * MIB
    stage.start(disk=disk, headroom=headroom)
    filler = Filler(disk)
    filler.leave(headroom + 6 * MIB)
    warned = within(15, lambda: is_warned(stage))
    stage.check("warned before refusing", warned and push_works(stage))
    filler.leave(headroom // 2)
    stage.check("warned while refusing", within(15, lambda: is_warned(stage)) and not push_works(stage))
    filler.remove()
    stage.check("push with space back", within(30, lambda: push_works(stage)))


def fill_metadata(stage):
    """Puts manifests of blobs that are there, until no row can be written; returns why."""
    kept, config = others.Kept(stage.other_client()), json.dumps({"os": "linux"}).encode()
    others.push_blob(kept, config)
    manifest = json.loads(make_manifest(config, [others.LAYER]))

    def put(number):
        manifest["annotations"] = {"n": str(number), "filler": "a" * 500_000}
        kept.call("PUT", f"/v2/{others.REPOSITORY}/manifests/filler{number % 10}", 201,
                  json.dumps(manifest).encode(), **{"Content-Type": MANIFEST})
    filler = Filler(stage.disk)
    filler.leave(2 * MIB)
    failures = []
    for number in range(300):
        if (reason := others.attempt(lambda number=number: put(number))[1]) is not None:
            failures.append(reason)
        if len(failures) == 5:
            break
    filler.leave(0)
    stage.note("the last failures on the full disk", failures)
    assert failures, "the disk was never full"
    return filler


def full_disk(stage):
    """Access is taken away while the store's disk is full; then there is space again."""
    fleet = stage.start(disk=stage.small_disk(192 * MIB), headroom=0)
    fleet.control("grant", "add", "user:demo", "delete")
    serial = stage.add_user("leaver", "pull")
    stage.add_user("disabled", "pull")
    by_certificate, by_user = stage.client("leaver"), stage.client("disabled")
    by_certificate.user, by_certificate.password = "demo", fleets.PASSWORD
    assert status_of(by_certificate) == 200 and status_of(by_user) == 200
    digest = fleet.store.client().push_image("team/old", "v1", os.urandom(1000))
    stage.watch.phase = "attack"
    filler = fill_metadata(stage)
    for what, words in (("user disable", ("user", "disable", "disabled")),
                        ("cert revoke", ("cert", "revoke", serial))):
        done = fleet.control(*words, check=False)
        stage.note(what, f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[:200]}")
    stage.check("user refused", within(2, lambda: status_of(by_user) == 401))
    stage.check("certificate refused", within(2, lambda: status_of(by_certificate) == 400))
    stage.check("deletes while full", within(2, lambda: fleet.store.client().call(
        "DELETE", f"/v2/team/old/manifests/{digest}").status == 202))
    filler.remove()
    stage.check("push with space back", within(30, lambda: push_works(stage)))
    fleet.store.stop()
    fleet.store.start()
    stage.check("refused after a restart", status_of(by_user) == 401 and status_of(by_certificate) == 400)


# Rot.


def corrupt(data_folder, digest):
    """Flips bytes in the stored file of a blob; its size stays."""
    found = [path for path in (data_folder / "blobs").rglob(digest.split(":")[1] + "*") if path.is_file()]
    assert len(found) == 1, found
    with open(found[0], "r+b") as file:
        file.seek(1000)
        file.write(b"rotten" * 10)
    return found[0]


def pulled(client, repository, digest, data):
    """Whether a pull returns exactly these bytes, and what came."""
    try:
        answer = client.get(f"/v2/{repository}/blobs/{digest}")
    except others.NETWORK_FAILURES as failure:
        return False, type(failure).__name__
    return answer.status == 200 and answer.body == data, answer.status


def rot_pushed(stage):
    """A stored copy rots unread. A client pushes the same bytes again, and pulls them."""
    stage.start()
    client, data = stage.fleet.store.client(), os.urandom(256 << 10)
    digest = client.push_blob(others.REPOSITORY, data)
    corrupt(stage.fleet.store.data, digest)
    client.push_blob(others.REPOSITORY, data)
    right, seen = pulled(client, others.REPOSITORY, digest, data)
    stage.note("the pull after the second push", seen)
    stage.check("right bytes", right)


def rot_mounted(stage):
    """A stored copy rots unread. A client mounts the blob in another repository, and pulls it there."""
    stage.start()
    client, data = stage.fleet.store.client(), os.urandom(256 << 10)
    digest = client.push_blob(others.REPOSITORY, data)
    corrupt(stage.fleet.store.data, digest)
    answer = client.call("POST", f"/v2/team/other/blobs/uploads/?mount={digest}&from={others.REPOSITORY}")
    stage.note("the mount", answer.status)
    if answer.status == 202:  # the store wants the bytes
        assert client.finish_upload(local(answer.headers["Location"]), digest, data).status == 201
    right, seen = pulled(client, "team/other", digest, data)
    stage.note("the pull after the mount", seen)
    stage.check("right bytes", right)


def rot_at_node(stage):
    """A node's copy rots. The store has the blob."""
    stage.start(at="node")
    node, data = stage.fleet.nodes["eu-west"], os.urandom(256 << 10)
    digest = stage.fleet.store.client().push_blob(others.REPOSITORY, data)
    stage.fleet.settle()
    assert pulled(node.client(), others.REPOSITORY, digest, data)[0]
    corrupt(node.data, digest)
    right, seen = pulled(node.client(), others.REPOSITORY, digest, data)
    stage.note("the first pull", seen)
    stage.check("first pull", right)
    time.sleep(0.5)
    stage.check("right bytes", pulled(node.client(), others.REPOSITORY, digest, data)[0])


ATTACKS = {"one-byte": one_byte, "race": race, "nearly-full": nearly_full, "full-disk": full_disk,
           "rot-push": rot_pushed, "rot-mount": rot_mounted, "rot@node": rot_at_node}
