"""A node's copies of blobs that the store removes, with real processes."""

import os

import pytest

from client import digest_of
from processes import wait_for

REPOSITORY = "team/app"


def copies(node, digest):
    """The files with a node's copy of a blob."""
    algorithm, digits = digest.split(":")
    return list((node.data / "blobs" / algorithm).glob(f"*/{digits}.*"))


@pytest.fixture(name="fleet")
def make_fleet(new_fleet):
    """A fleet whose store removes content seconds after nothing refers to it."""
    fleet = new_fleet("eu-west")
    fleet.control("grant", "add", "user:demo", "delete")
    fleet.store.set_section("freshness", max_staleness="500ms", stale_if_error="1s",
                            on_store_unreachable="serve_stale")
    fleet.store.set_section("gc", grace="2s", lease="1s", trash="1h", longest_pull="1s")
    wait_for("the node to follow", lambda: fleet.nodes["eu-west"].metric("outport_node_sync_connected") == 1)
    fleet.settle()
    return fleet


def push_and_pull(node, tag, layer):
    """Pushes an image through the node, and waits for the node's copy of its layer."""
    image = node.client().push_image(REPOSITORY, tag, layer)
    blob = digest_of(layer)
    answer = node.client().get(f"/v2/{REPOSITORY}/blobs/{blob}")
    assert (answer.status, answer.body) == (200, layer)
    wait_for("the copy", lambda: copies(node, blob))
    return image, blob


def delete(member, image):
    answer = member.client().call("DELETE", f"/v2/{REPOSITORY}/manifests/{image}")
    assert answer.status == 202, answer


def test_a_copy_goes_with_the_blob_and_the_blob_can_be_pushed_again(fleet):
    node = fleet.nodes["eu-west"]
    layer, other = os.urandom(1 << 20), os.urandom(1 << 20)
    image, blob = push_and_pull(node, "one", layer)
    _, stays = push_and_pull(node, "two", other)
    delete(node, image)
    wait_for("the node to drop its copy", lambda: not copies(node, blob), seconds=60)
    assert node.metric("outport_node_blobs_dropped_total", reason="tombstone") >= 1
    wait_for("the log", lambda: '"cached blobs dropped"' in node.log_text())
    assert copies(node, stays)
    path = f"/v2/{REPOSITORY}/blobs/{blob}"
    assert node.client().call("HEAD", path).status == 404
    assert node.client().get(path).status == 404
    assert push_and_pull(node, "again", layer) == (image, blob)
    assert node.client().get(f"/v2/{REPOSITORY}/manifests/again").status == 200


def test_a_killed_node_drops_its_copies_when_it_is_back(fleet):
    node = fleet.nodes["eu-west"]
    image, blob = push_and_pull(node, "one", os.urandom(1 << 20))
    fleet.settle()
    node.kill()
    delete(fleet.store, image)
    # By GET, because a HEAD would begin a lease.
    wait_for("the store to remove the blob", lambda: fleet.store.client().get(
        f"/v2/{REPOSITORY}/blobs/{blob}").status == 404, seconds=60)
    assert copies(node, blob)
    node.start()
    wait_for("the node to drop its copy", lambda: not copies(node, blob), seconds=60)
