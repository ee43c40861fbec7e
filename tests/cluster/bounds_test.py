"""Limited resources at real processes: disk, memory, connections."""

import contextlib
import os
import select
import socket

import pytest

from client import MANIFEST, digest_of
from processes import PATIENCE, SANITIZED, run, wait_for

MIB = 1 << 20
LARGEST_MANIFEST = 4 * MIB


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if run("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    run("umount", "--lazy", folder)


def fill(folder, leave=0):
    """Fills the disk except for `leave` bytes."""
    path = folder / "filler"
    with open(path, "ab", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - leave)
    return path


def test_a_node_whose_disk_is_small_passes_through(new_fleet, small_disk):
    fleet = new_fleet()
    node = fleet.new_node("eu-west")
    node.data.symlink_to(small_disk)
    fleet.join(node, fleet.invite("eu-west"))
    fleet.nodes["eu-west"] = node.start()
    for index in range(8):
        layer = os.urandom(8 * MIB)
        fleet.store.client().push_image("app", f"v{index}", layer)
        assert node.client().get(f"/v2/app/manifests/v{index}").status == 200
        answer = node.client().get(f"/v2/app/blobs/{digest_of(layer)}")
        assert answer.status == 200 and answer.body == layer
    assert node.operations("/readyz")[0] == 200
    assert node.stop() == 0


def test_i6_a_removed_user_is_out_although_the_disk_is_full(new_fleet, small_disk):
    """I6: the node reports the failure, does not reconnect in a loop, and recovers."""
    fleet = new_fleet()
    node = fleet.new_node("eu-west")
    node.data.symlink_to(small_disk)
    fleet.join(node, fleet.invite("eu-west"))
    fill(small_disk, leave=2 * MIB)  # too little for RocksDB to preallocate the file of its log
    fleet.nodes["eu-west"] = node.start()
    fleet.control("user", "add", "bob", "--allow", "pull", stdin="builder\n")
    bob = node.client("bob", "builder")
    wait_for("bob at the node", lambda: bob.get("/v2/").status == 200)

    filler = fill(small_disk)
    pushed = iter(range(10000))

    def refuses_rows():
        fleet.store.client().push_image("app", f"v{next(pushed)}")
        return "read-only after a failed write" in node.operations("/readyz")[1]
    wait_for("the node to say that it cannot write", refuses_rows, 120)
    assert node.operations("/readyz")[0] == 503

    fleet.control("user", "remove", "bob")
    wait_for("bob to be out", lambda: bob.get("/v2/").status == 401, 2)
    manifest = fleet.store.client().push_image("app", "latest", os.urandom(MIB))
    answer = node.client().get("/v2/app/manifests/latest")
    assert answer.status == 200 and digest_of(answer.body) == manifest
    assert node.client().get(
        f"/v2/app/blobs/{answer.json()['layers'][0]['digest']}").status == 200
    assert node.metric("outport_node_sync_attempts_total") <= 2

    filler.unlink()
    assert node.stop() == 0
    node.start()
    wait_for("the node to catch up", lambda: digest_of(
        node.client().get("/v2/app/manifests/latest").body) == manifest)
    assert bob.get("/v2/").status == 401
    assert node.stop() == 0


def begin_push(client, size):
    """Sends a manifest of `size` bytes without its last byte; None if the push is rejected."""
    connection = client.connect()
    connection.putrequest("PUT", "/v2/app/manifests/v1")
    for name, value in client.headers(
            {"Content-Type": MANIFEST, "Content-Length": str(size)}).items():
        connection.putheader(name, value)
    connection.endheaders()
    if select.select([connection.sock], [], [], 0.1 * PATIENCE)[0]:
        response = connection.getresponse()
        assert response.status == 429 and response.headers["Retry-After"], response.status
        connection.close()
        return None
    connection.send(b" " * (size - 1))
    return connection


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory is counted too")
def test_i8_manifests_that_stall_take_little_memory(fleet):
    """I8: a hundred pushes stall before their last byte; the store stays small and answers others."""
    store = fleet.store
    with contextlib.ExitStack() as stack:
        stalled = [begin_push(store.client(), LARGEST_MANIFEST) for _ in range(100)]
        for connection in filter(None, stalled):
            stack.callback(connection.close)
        taken = len([connection for connection in stalled if connection])
        assert 4 <= taken <= 16, taken
        print(f"{taken} taken; resident: {store.resident_mib('VmHWM'):.0f} MiB")
        assert store.resident_mib("VmHWM") < 200
        store.client().push_image("app", "usual")
        assert store.client().get("/v2/app/manifests/usual").status == 200
    wait_for("the bytes to be given back",
             lambda: store.metric("outport_http_manifest_memory_bytes") == 0)


def test_idle_connections_lock_nobody_out(fleet):
    store = fleet.store
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(socket.create_connection((fleet.host, store.registry_port)))
        assert store.client().get("/v2/").status == 200
        assert store.metric("outport_http_connections_evicted_total", server="registry") >= 100
