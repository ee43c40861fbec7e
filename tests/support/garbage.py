"""Fleets that collect garbage, and what their clients push, see and delete."""

import datetime
import json

from client import MANIFEST, digest_of
from processes import wait_for

REPOSITORY = "team/app"


def closed_window():
    """A window of an hour that is far from now, so that only requested runs remove content."""
    begin = datetime.datetime.now() + datetime.timedelta(hours=6)
    return f"{begin:%H}:00-{begin:%H}:59"


def collecting(new_fleet, *nodes, **keys):
    """A fleet whose store removes content seconds after nothing refers to it."""
    fleet = new_fleet(*nodes)
    fleet.control("grant", "add", "user:demo", "delete")
    store = fleet.store
    store.set_section("freshness", max_staleness="500ms", stale_if_error="1s",
                      on_store_unreachable="serve_stale")
    times = {"grace": "2s", "lease": "1s", "trash": "1h", "longest_pull": "1s"}
    store.set_section("gc", **(times | keys))
    for node in fleet.nodes.values():
        node.wait_for_pushes(REPOSITORY)
    return fleet


def objects(member, digest):
    """The files with the bytes of a blob."""
    algorithm, digits = digest.split(":")
    return list((member.data / "blobs" / algorithm).glob(f"*/{digits}.*"))


def all_objects(member):
    """The digests of all blobs on the disk."""
    files = (member.data / "blobs" / "sha256").glob("*/*")
    return {"sha256:" + file.name.split(".")[0] for file in files}


def delete_manifest(client, digest, repository=REPOSITORY):
    answer = client.call("DELETE", f"/v2/{repository}/manifests/{digest}")
    assert answer.status == 202, answer


def get_blob(client, digest, repository=REPOSITORY):
    """By GET: a HEAD would begin a lease."""
    return client.get(f"/v2/{repository}/blobs/{digest}")


def get_manifest(client, reference, repository=REPOSITORY):
    return client.call("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST})


def plan_of(fleet, *options):
    return fleet.control_json("gc", "plan", *options)


def planned(fleet, *options):
    return {(item["kind"], item["digest"]) for item in plan_of(fleet, *options)["items"]}


def wait_until_due(fleet, *digests):
    """Waits until a run would remove the links of these digests."""
    wanted = {("link", digest) for digest in digests}
    wait_for(lambda: f"{wanted} to be due in {plan_of(fleet)}", lambda: wanted <= planned(fleet))


def push(client, tag, layer, repository=REPOSITORY):
    """Pushes an image of one layer; returns the digests of manifest, config and layer."""
    digest = client.push_image(repository, tag, layer)
    manifest = json.loads(get_manifest(client, digest, repository).body)
    return digest, manifest["config"]["digest"], manifest["layers"][0]["digest"]


def assert_complete(client, tag, repository=REPOSITORY):
    """Pulls an image as a client does, and checks every byte."""
    answer = get_manifest(client, tag, repository)
    assert answer.status == 200, (tag, answer)
    assert digest_of(answer.body) == answer.headers["Docker-Content-Digest"]
    manifest = json.loads(answer.body)
    for descriptor in [manifest["config"], *manifest["layers"]]:
        blob = get_blob(client, descriptor["digest"], repository)
        assert blob.status == 200, (tag, descriptor, blob)
        assert digest_of(blob.body) == descriptor["digest"]
