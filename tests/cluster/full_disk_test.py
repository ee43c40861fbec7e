"""A node with a full disk: clients notice nothing."""

import os

import pytest

from client import digest_of
from processes import run, wait_for

MIB = 1 << 20

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
