"""Full disks. At a node clients notice nothing; at the store the trash makes room for pushes."""

import os

import pytest

from client import digest_of
from fleet import PASSWORD, Fleet
from processes import run, wait_for

MIB = 1 << 20
HEADROOM = 16 * MIB  # of the store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@pytest.fixture
def node_on_a_small_disk(new_fleet):
    fleet = new_fleet()
    node = fleet.new_node("eu-west")
    node.data.mkdir(mode=0o700)
    mounted = run("mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "outport-test", node.data,
                  check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        fleet.join(node, fleet.invite("eu-west"))
        with open(node.config, "a") as config:
            config.write("disk: {headroom: 8MiB}\n")
        fleet.nodes["eu-west"] = node.start()
        yield node
    finally:
        node.stop()
        run("umount", node.data)


def test_a_blob_that_does_not_fit_passes_through(node_on_a_small_disk):
    node = node_on_a_small_disk
    store = node.fleet.store.client()
    small, large = os.urandom(MIB), os.urandom(64 * MIB)
    for data in (small, large):
        store.push_blob("team/app", data)
    wait_for("the user at the node", lambda: node.client().get("/v2/").status == 200)

    for turn in (1, 2):
        answer = node.client().get(f"/v2/team/app/blobs/{digest_of(large)}")
        assert answer.status == 200 and answer.body == large, answer.status
        assert node.metric("outport_node_blob_pass_throughs_total", reason="no_space") == turn
    # It still caches blobs that fit.
    for _ in range(2):
        answer = node.client().get(f"/v2/team/app/blobs/{digest_of(small)}")
        assert answer.status == 200 and answer.body == small, answer.status
    assert node.metric("outport_node_blob_cache_hits_total") == 1
    assert node.ready()


def fill(member, leave):
    """Fills the member's small disk with a file that leaves so many bytes free."""
    disk = os.statvfs(member.data)
    path = member.data / "filler"
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - leave)
    return path


def wait_for_warning(member, text):
    wait_for(f"{member.name} to warn: {text}", lambda: any(text in w for w in member.warnings(ready=True)))


def test_a_node_warns_before_its_disk_is_full_and_while_it_is(node_on_a_small_disk):
    node = node_on_a_small_disk
    control_json = node.fleet.control_json
    assert node.warnings() == [] and node.metric("outport_disk_nearly_full") == 0

    filler = fill(node, 12 * MIB)
    wait_for_warning(node, "this node's disk is nearly full")
    assert node.metric("outport_disk_nearly_full") == 1
    assert 8 * MIB < node.metric("outport_disk_free_bytes") < 16 * MIB
    wait_for("the status of the store to name the node", lambda: any(
        warning["source"] == "eu-west" and "below disk.headroom (8388608 bytes) the node caches no blobs"
        in warning["message"] for warning in control_json("status")["warnings"]))

    filler.unlink()
    filler = fill(node, 4 * MIB)
    wait_for_warning(node, "this node's disk is full")
    assert node.metric("outport_disk_nearly_full") == 1

    filler.unlink()
    wait_for("the warning to end", lambda: node.warnings() == [])
    assert node.metric("outport_disk_nearly_full") == 0


class FleetWithASmallStore(Fleet):
    def init_store(self):
        super().init_store()
        text = self.store.config.read_text()
        assert "disk: {headroom: 512MiB}" in text
        self.store.config.write_text(text.replace("512MiB", str(HEADROOM)))


@pytest.fixture
def store_on_a_small_disk(tmp_path):
    fleet = FleetWithASmallStore(tmp_path)
    store = fleet.store
    store.data.mkdir(mode=0o700)
    mounted = run("mount", "-t", "tmpfs", "-o", "size=192m,mode=700", "outport-test", store.data,
                  check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        fleet.start()
        fleet.control("user", "add", "deleter", "--allow", "pull,push,delete", stdin=PASSWORD + "\n")
        yield store
    finally:
        try:
            fleet.stop()
        finally:
            run("umount", store.data)


def free_bytes(store):
    disk = os.statvfs(store.data)
    return disk.f_bavail * disk.f_frsize


def announce(client, repository, data):
    """The status of a push whose body is never sent; only a rejected one gets an answer."""
    connection = client.connect()
    try:
        connection.putrequest("PUT", f"{client.start_upload(repository)}?digest={digest_of(data)}")
        for name, value in client.headers({"Content-Length": len(data)}).items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def is_pushed(client, repository, data):
    try:
        location = client.start_upload(repository)
        return client.finish_upload(location, digest_of(data), data).status == 201
    except OSError:
        return False  # the store rejects the push while the client still sends


def test_a_rejected_push_succeeds_when_the_store_has_freed_trash_for_it(store_on_a_small_disk):
    store = store_on_a_small_disk
    client = store.client("deleter")
    kept, deleted = (client.push_blob("team/app", os.urandom(40 * MIB)) for _ in range(2))
    assert client.call("DELETE", f"/v2/team/app/blobs/{deleted}").status == 202
    free = free_bytes(store)
    assert free > 2 * HEADROOM + 4 * MIB, "only the push makes the disk short"
    data = os.urandom(free - HEADROOM + 4 * MIB)

    assert announce(client, "team/app", data) == 507
    # The collector looks by itself every 10 seconds. The rejected push wakes it.
    wait_for("the push to succeed", lambda: is_pushed(client, "team/app", data), seconds=5)
    wait_for("the log", lambda: "trash freed early" in store.log_text())
    assert store.metric("outport_store_gc_blobs_freed_total") == 1
    assert client.call("HEAD", f"/v2/team/app/blobs/{kept}").status == 200


def test_the_store_warns_before_pushes_are_rejected_and_while_they_are(store_on_a_small_disk):
    store = store_on_a_small_disk
    client = store.client("deleter")
    assert store.warnings() == [] and store.metric("outport_disk_nearly_full") == 0

    filler = fill(store, HEADROOM + 8 * MIB)
    wait_for_warning(store, "below disk.headroom (16 MiB) pushes are rejected")
    assert store.metric("outport_disk_nearly_full") == 1
    assert is_pushed(client, "team/app", os.urandom(MIB))

    filler.unlink()
    fill(store, HEADROOM // 2)
    wait_for_warning(store, "the store's disk is full")
    assert client.call("POST", "/v2/team/app/blobs/uploads/").status == 507
    assert any(warning["source"] == "store" and "pushes are rejected" in warning["message"]
               for warning in store.fleet.control_json("status")["warnings"])


def test_the_trash_is_freed_before_pushes_are_rejected(store_on_a_small_disk):
    store = store_on_a_small_disk
    client = store.client("deleter")
    deleted = client.push_blob("team/app", os.urandom(40 * MIB))
    assert client.call("DELETE", f"/v2/team/app/blobs/{deleted}").status == 202
    client.push_blob("team/app", os.urandom(free_bytes(store) - HEADROOM - 8 * MIB))
    wait_for("the trash to be freed", lambda: free_bytes(store) > 2 * HEADROOM)
    assert store.metric("outport_store_gc_blobs_freed_total") == 1
