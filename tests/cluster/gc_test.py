"""Garbage collection with real processes: what goes, what stays, and how it comes back."""

import http.client
import json
import threading

from client import digest_of, make_manifest
from garbage import (
    REPOSITORY, all_objects, assert_complete, closed_window, collecting, delete_manifest, get_blob, get_manifest,
    objects, plan_of, planned, push, wait_until_due)
from processes import PATIENCE, wait_for


def test_what_nothing_refers_to_goes_by_itself_and_at_the_nodes_too(new_fleet):
    fleet = collecting(new_fleet, "eu-west", trash="1s")
    node = fleet.nodes["eu-west"]
    client = fleet.store.client()
    kept = push(client, "kept", b"kept")
    manifest, config, layer = push(client, "v1", b"layer of v1")
    wait_for("the node to have the image", lambda: get_manifest(node.client(), "v1").status == 200)
    assert get_blob(node.client(), layer).status == 200
    wait_for("the node to cache the layer", lambda: objects(node, layer))
    delete_manifest(client, manifest)
    for digest in (config, layer):
        wait_for(f"the bytes of {digest} to go", lambda d=digest: not objects(fleet.store, d), 240)
        assert get_blob(client, digest).status == 404
    wait_for("the node to drop its copy", lambda: not objects(node, layer), 60)
    wait_for("the node to say so", lambda: get_blob(node.client(), layer).status == 404)
    for member in fleet.members():
        assert_complete(member.client(), "kept")
    assert {kept[1], kept[2]} == all_objects(fleet.store)
    kinds = {run["kind"] for run in fleet.control_json("gc", "history")}
    assert kinds == {"background", "clients"}


def test_an_untagged_manifest_goes_only_on_request(new_fleet):
    fleet = collecting(new_fleet, window=closed_window())
    client = fleet.store.client()
    first = push(client, "latest", b"one")
    second = push(client, "latest", b"two")
    assert first != second
    untagged = {("manifest", first[0])}
    wait_for("the manifest to be due", lambda: untagged <= planned(fleet, "--delete-untagged"))
    assert planned(fleet) == set()
    fleet.control("gc", "run")
    assert get_manifest(client, first[0]).status == 200
    fleet.control("gc", "run", "--delete-untagged")
    assert get_manifest(client, first[0]).status == 404
    assert_complete(client, "latest")
    wait_until_due(fleet, first[2])
    fleet.control("gc", "run")
    assert get_blob(client, first[2]).status == 404
    assert_complete(client, "latest")


def test_a_deleted_tag_comes_back_with_its_content(new_fleet):
    fleet = collecting(new_fleet, "eu-west", window=closed_window())
    node = fleet.nodes["eu-west"]
    client = fleet.store.client()
    manifest, config, layer = push(client, "v1", b"precious")
    delete_manifest(node.client(), manifest)
    assert get_manifest(client, "v1").status == 404
    wait_until_due(fleet, config, layer)
    fleet.control("gc", "run")
    assert get_blob(client, layer).status == 404

    events = fleet.control_json("tag", "history", f"{REPOSITORY}:v1")
    assert [(event["before"], event["after"]) for event in events] == [(manifest, ""), ("", manifest)]
    assert events[0]["by"] == "user demo" and events[0]["node"] == "eu-west", events
    assert events[1]["node"] == "" and all(event["restorable"] for event in events)

    restored = fleet.control("tag", "restore", f"{REPOSITORY}:v1").stdout
    assert manifest in restored
    assert_complete(client, "v1")
    fleet.settle()
    assert_complete(node.client(), "v1")
    assert planned(fleet) == set(), "the restored image is in use"
    assert fleet.control_json("tag", "history", f"{REPOSITORY}:v1")[0]["why"] == "restore"


def test_a_paused_collector_removes_nothing(new_fleet):
    fleet = collecting(new_fleet, trash="1s")
    client = fleet.store.client()
    fleet.control("gc", "pause", "--why", "a test")
    manifest, config, layer = push(client, "v1", b"layer")
    delete_manifest(client, manifest)
    wait_until_due(fleet, config, layer)
    status = fleet.control_json("gc", "status")
    assert status["paused"] and status["paused_why"] == "a test" and status["condemned"] >= 2, status
    fleet.store.stop()
    fleet.store.start()
    assert fleet.control_json("gc", "status")["paused"], "a restart does not end the pause"
    assert get_blob(client, layer).status == 200
    fleet.control("gc", "resume")
    wait_for("the bytes to go", lambda: not objects(fleet.store, layer), 240)


def test_i7_what_a_node_served_stays_for_the_grace_period(new_fleet):
    """The default times: a client that has the manifest gets its layers after the deletion."""
    fleet = new_fleet("eu-west")
    fleet.control("grant", "add", "user:demo", "delete")
    node = fleet.nodes["eu-west"]
    manifest, config, layer = push(fleet.store.client(), "v1", b"layer")
    wait_for("the node to serve it", lambda: get_manifest(node.client(), "v1").status == 200)
    delete_manifest(fleet.store.client(), manifest)
    wait_for("the collector to have started", lambda: fleet.control(
        "gc", "run", "--delete-untagged", "--ignore-node", "eu-west", check=False).returncode == 0)
    fleet.settle()
    assert get_manifest(node.client(), "v1").status == 404
    for digest in (config, layer):
        assert get_blob(node.client(), digest).status == 200
    assert plan_of(fleet)["waiting"] == 2
    plan = plan_of(fleet, "--within", "37h")
    assert {item["digest"] for item in plan["items"]} == {config, layer}, plan
    assert all(item["due"] > item["since"] for item in plan["items"]) and plan["waiting"] == 0, plan
    assert plan["plan"] is None, "nobody can run it"


class Pusher(threading.Thread):
    """Pushes images that share layers with others, and deletes most of them again."""

    TURNS = 25

    def __init__(self, client, name, layers):
        super().__init__()
        self.client, self.name, self.layers = client, name, layers
        self.kept, self.failure = [], None

    def run(self):
        try:
            for turn in range(self.TURNS):
                self.turn(turn)
        except (AssertionError, OSError, http.client.HTTPException) as failure:
            self.failure = failure

    def ensure_blob(self, data):
        """As clients do: pushes a blob only if the registry does not have it."""
        digest = digest_of(data)
        if self.client.call("HEAD", f"/v2/{REPOSITORY}/blobs/{digest}").status != 200:
            self.client.push_blob(REPOSITORY, data)

    def turn(self, turn):
        tag = f"{self.name}-{turn}"
        config = b'{"architecture":"amd64","os":"linux","tag":"%s"}' % tag.encode()
        layers = [self.layers[turn % len(self.layers)], self.layers[(turn * 7 + 3) % len(self.layers)]]
        for data in (config, *layers):
            self.ensure_blob(data)
        manifest = make_manifest(config, layers)
        answer = self.client.put_manifest(REPOSITORY, tag, manifest)
        assert answer.status == 201, (tag, answer)
        assert_complete(self.client, tag)
        if turn % 5 == 0:
            self.kept.append(tag)
        else:
            delete_manifest(self.client, digest_of(manifest))


def test_i7_collection_while_pushes_go_on(new_fleet):
    fleet = collecting(new_fleet, "eu-west", grace="2s", lease=f"{10 * PATIENCE}s", trash="1s",
                       max_rate=10000)
    layers = [b"shared layer %d " % index * 1000 for index in range(8)]
    members = fleet.members()
    for member in members:
        member.wait_for_pushes(REPOSITORY)
    pushers = [Pusher(members[index % 2].client(), f"p{index}", layers) for index in range(4)]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    for pusher in pushers:
        assert pusher.failure is None, (pusher.name, repr(pusher.failure))
    fleet.settle()
    needed = set()
    for tag in [tag for pusher in pushers for tag in pusher.kept]:
        for member in members:
            assert_complete(member.client(), tag)
        manifest = json.loads(get_manifest(fleet.store.client(), tag).body)
        needed |= {part["digest"] for part in [manifest["config"], *manifest["layers"]]}
    wait_for(lambda: f"only the needed blobs to stay; {len(all_objects(fleet.store) - needed)} others",
             lambda: all_objects(fleet.store) <= needed, 300)
    assert all_objects(fleet.store) == needed
    for pusher in pushers:
        for tag in pusher.kept:
            assert_complete(fleet.store.client(), tag)


def test_i7_kill_9_of_the_store_in_a_run(new_fleet):
    count = 200
    fleet = collecting(new_fleet, window=closed_window(), max_rate=40)
    client = fleet.store.client()
    push(client, "kept", b"kept")
    orphans = [client.push_blob(REPOSITORY, b"orphan %d" % index) for index in range(count)]
    wait_until_due(fleet, *orphans)
    run = fleet.control_json("gc", "run", "--no-wait")["run"]

    def state():
        return next(row for row in fleet.control_json("gc", "history") if row["run"] == run)

    wait_for("a part to be removed", lambda: state()["removed"]["links"] > 0)
    fleet.store.kill()
    fleet.store.start()
    ended = wait_for("the run to end", lambda: (lambda row: row if row["state"] != "running" else None)(state()), 90)
    assert ended["state"] in ("done", "failed"), ended
    gone = sum(get_blob(client, digest).status == 404 for digest in orphans)
    assert gone == ended["removed"]["links"] > 0, "the row counts exactly what the run removed"
    assert_complete(client, "kept")
    if gone < count:
        fleet.control("gc", "run")
    for digest in orphans:
        assert get_blob(client, digest).status == 404
    undone = fleet.control_json("gc", "undo", run)
    assert undone["state"] == "undone" and undone["restored"]["links"] == gone, undone
    assert sum(get_blob(client, digest).status == 200 for digest in orphans) == gone


def test_uploads_are_listed_and_cancelled(new_fleet):
    fleet = new_fleet()
    client = fleet.store.client()
    location = client.start_upload(REPOSITORY)
    answer = client.call("PATCH", location, body=b"x" * 5000,
                         headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 202, answer
    upload, = fleet.control_json("upload", "list")
    assert upload["repository"] == REPOSITORY and upload["user"] == "demo", upload
    assert upload["size_bytes"] == 5000 and upload["id"] in location, upload
    fleet.control("upload", "cancel", upload["id"])
    assert fleet.control_json("upload", "list") == []
    assert client.get(location).status == 404
    again = fleet.control("upload", "cancel", upload["id"], check=False)
    assert again.returncode == 1 and upload["id"] in again.stderr


def test_status_shows_the_collector(new_fleet):
    fleet = new_fleet()
    collector = fleet.control_json("status")["collector"]
    assert collector["overdue"] == 0 and collector["trash_blobs"] == 0, collector
    assert not collector["paused"]
    fleet.control("gc", "pause", "--why", "looking")
    assert "looking" in fleet.control("status").stdout
