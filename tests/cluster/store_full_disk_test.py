"""A store whose disk runs full at any write: what it acknowledged stays, and it works again with space."""

import http.client
import json
import os
import random

import pytest

from client import digest_of, make_manifest
from fleet import STORE, Fleet, Member
from processes import BIN, run, wait_for

KIB, MIB = 1 << 10, 1 << 20
DISK = 48 * MIB
REPOSITORY = "team/app"
DATA_CHECK = BIN.parent / "tests" / "store_data_check"
# How much is free when the work begins: from nothing to enough for some images.
FREE_KIB = (0, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
COLLECT_BEFORE = (8,)  # turns that begin when the store collects again

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


def mount_small_disk(folder, disk, size):
    """Mounts ext4 in a file, or tmpfs; skips the test if this machine permits neither."""
    disk.mkdir()
    picture = folder / "disk.ext4"
    with open(picture, "wb") as file:
        file.truncate(size)
    made = run("mkfs.ext4", "-q", "-F", "-m", "0", picture, check=False)
    looped = made.returncode == 0 and run("mount", "-o", "loop", picture, disk, check=False).returncode == 0
    if not looped:
        mounted = run("mount", "-t", "tmpfs", "-o", f"size={size}", "outport-test", disk, check=False)
        if mounted.returncode != 0:
            pytest.skip(f"neither a loop device nor a tmpfs can be mounted here: {mounted.stderr.strip()}")


def fleet_on_a_small_disk(tmp_path, size, **keys):
    disk = tmp_path / "disk"
    mount_small_disk(tmp_path, disk, size)
    fleet = Fleet(tmp_path / "fleet")
    fleet.folder.mkdir()
    fleet.store = Member(fleet, "store", STORE, disk / "store")
    try:
        fleet.start()
        fleet.control("grant", "add", "user:demo", "delete")
        for section, keys in (("disk", {"headroom": "0B", **keys}),
                              ("freshness", {"max_staleness": "0s", "stale_if_error": "0s"}),
                              ("gc", {"grace": "0s", "lease": "1s", "trash": "1h", "longest_pull": "0s"})):
            fleet.store.set_section(section, **keys)
        yield fleet
        fleet.stop()
    finally:
        if fleet.store.alive():
            fleet.store.kill()
        run("umount", disk)


@pytest.fixture
def fleet(tmp_path):
    """Without a ballast, so that the disk runs full at any write."""
    yield from fleet_on_a_small_disk(tmp_path, DISK, ballast="0B")


@pytest.fixture
def fleet_with_ballast(tmp_path):
    yield from fleet_on_a_small_disk(tmp_path, 2 * DISK)


class Filler:
    """A file that leaves only so much of the disk free."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder / "filler"

    def leave(self, free_bytes):
        status = os.statvfs(self.folder)
        size = status.f_bavail * status.f_frsize - free_bytes
        with open(self.path, "wb") as file:
            while size > 0:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                    return
                except OSError:  # the file system needs some blocks for itself
                    size -= 4 * KIB

    def remove(self):
        self.path.unlink()


class Work:
    """Pushes, deletes, collects and undoes until something fails; remembers what was acknowledged."""

    def __init__(self, fleet, chance):
        self.fleet, self.client, self.chance = fleet, fleet.store.client(timeout=30), chance
        self.tags, self.unknown, self.number = {}, set(), 0  # tag: (manifest or None, blobs)

    def push(self):
        self.number += 1
        tag = f"t{self.number % 5}"
        config = json.dumps({"architecture": "amd64", "os": "linux", "number": self.number}).encode()
        layer = self.chance.randbytes(self.chance.choice((100, 5000, 60_000)))
        manifest = make_manifest(config, [layer])
        for blob in (config, layer):
            self.client.push_blob(REPOSITORY, blob)
        self.unknown.add(tag)
        answer = self.client.put_manifest(REPOSITORY, tag, manifest)
        assert answer.status == 201, answer
        self.know(tag, (manifest, (config, layer)))

    def know(self, tag, what):
        self.tags[tag] = what
        self.unknown.discard(tag)

    def delete(self):
        tags = sorted(tag for tag, what in self.tags.items() if what and tag not in self.unknown)
        if not tags:
            return
        tag = self.chance.choice(tags)
        self.unknown.add(tag)
        answer = self.client.call("DELETE", f"/v2/{REPOSITORY}/manifests/{digest_of(self.tags[tag][0])}")
        assert answer.status == 202, answer
        self.know(tag, None)

    def control(self, *words):
        """A store that could not release its lease collects only when the lease has ended."""
        done = self.fleet.control(*words, check=False)
        assert done.returncode == 0 or "does not collect garbage at the moment" in done.stderr, done.stderr
        return done.returncode == 0

    def collect(self):
        return self.control("gc", "run", "--delete-untagged")

    def undo(self):
        runs = [row["run"] for row in self.fleet.control_json("gc", "history")
                if row["kind"] == "requested" and row["state"] in ("done", "failed")]
        if runs:
            self.control("gc", "undo", runs[0])

    def until_it_fails(self, steps=15):
        """Returns whether something failed."""
        try:
            for _ in range(steps):
                self.chance.choices((self.push, self.delete, self.collect, self.undo), (5, 3, 2, 1))[0]()
        except (AssertionError, OSError, http.client.HTTPException) as failure:
            self.failure = failure
            return True
        return False

    def check(self):
        for tag, what in self.tags.items():
            if tag in self.unknown:
                continue
            answer = self.client.get(f"/v2/{REPOSITORY}/manifests/{tag}")
            assert answer.status == (200 if what else 404), (tag, answer)
            if what:
                assert answer.body == what[0]
                for blob in what[1]:
                    got = self.client.get(f"/v2/{REPOSITORY}/blobs/{digest_of(blob)}")
                    assert (got.status, got.body) == (200, blob), (tag, got)


def restart_with_space(fleet, filler, while_full):
    """A failed write leaves the metadata read-only until a restart. A start while the disk is full may fail."""
    if while_full:
        fleet.store.kill()
        fleet.store.spawn()
        wait_for("the store to start or to give up",
                 lambda: not fleet.store.alive() or fleet.store.operations("/readyz")[0] == 200)
    filler.remove()
    if fleet.store.alive():
        fleet.store.stop()
    fleet.store.process = None
    fleet.store.start()


def test_i2_nothing_acknowledged_is_lost_when_the_disk_runs_full(fleet):
    seed = int(os.environ.get("OUTPORT_SEED", random.randrange(1 << 30)))
    print(f"OUTPORT_SEED={seed}")
    chance = random.Random(seed)
    work, filler = Work(fleet, chance), Filler(fleet.store.data.parent)
    assert not work.until_it_fails(), work.failure
    failed = 0
    for turn, free in enumerate(FREE_KIB):
        if turn in COLLECT_BEFORE:
            wait_for("the collector", work.collect, 60)
        filler.leave(free * KIB)
        failed += work.until_it_fails()
        restart_with_space(fleet, filler, chance.random() < 0.5)
        work.check()
        assert not work.until_it_fails(3), work.failure
    assert failed > len(FREE_KIB) / 2, "the disk was never full"
    work.check()
    assert fleet.store.stop() == 0
    assert json.loads(run(DATA_CHECK, fleet.store.data).stdout)["problems"] == []
    fleet.store.start()
    work.check()


def test_i14_deletes_and_revocations_work_on_a_full_disk_and_pushes_again_with_space(fleet_with_ballast):
    fleet = fleet_with_ballast
    store, ballast = fleet.store, fleet.store.data / "meta" / "ballast"
    client = store.client()
    fleet.control("user", "add", "bob", "--allow", "pull", stdin="builder\n")
    assert store.client("bob", "builder").get("/v2/").status == 200
    manifest = client.push_image(REPOSITORY, "v1", os.urandom(MIB))
    assert ballast.stat().st_blocks * 512 > 4 * MIB

    def start_upload():
        return client.call("POST", f"/v2/{REPOSITORY}/blobs/uploads/").status

    filler = Filler(store.data.parent)
    filler.leave(64 * KIB)
    assert start_upload() == 507
    assert not ballast.exists()
    assert client.call("DELETE", f"/v2/{REPOSITORY}/manifests/{manifest}").status == 202
    done = fleet.control("user", "disable", "bob")
    assert "not yet durable" not in done.stderr
    assert store.client("bob", "builder").get("/v2/").status == 401
    assert store.operations("/readyz")[0] == 200

    filler.remove()
    assert start_upload() == 202
    wait_for("the ballast", ballast.exists)
    store.kill()
    store.process = None
    store.start()
    assert store.client("bob", "builder").get("/v2/").status == 401
    assert client.get(f"/v2/{REPOSITORY}/manifests/v1").status == 404
