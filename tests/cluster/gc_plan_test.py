"""Plans of the garbage collector with real processes: what they show, and what they run."""

import os

from garbage import (
    REPOSITORY, assert_complete, closed_window, collecting, delete_manifest, get_blob, get_manifest, objects,
    plan_of, planned, push, wait_until_due)
from processes import wait_for


def test_a_plan_is_run_and_undone(new_fleet):
    fleet = collecting(new_fleet, window=closed_window())
    client = fleet.store.client()
    data = os.urandom(300_000)
    manifest, config, layer = push(client, "v1", data)
    push(client, "v1", data, "team/other")  # shares all blobs
    only_here = client.push_blob(REPOSITORY, b"an orphan")
    delete_manifest(client, manifest)
    wait_until_due(fleet, config, layer, only_here)

    plan = plan_of(fleet)
    assert plan["links"] == 3 and plan["manifests"] == 0 and not plan["truncated"], plan
    by_digest = {item["digest"]: item for item in plan["items"]}
    assert {item["reason"] for item in plan["items"]} == {"unreferenced"}
    assert by_digest[layer]["size_bytes"] == len(data)
    assert by_digest[layer]["freed_bytes"] == 0, "another repository has the blob"
    assert by_digest[only_here]["freed_bytes"] == len(b"an orphan") == plan["freed_bytes"]
    none = plan_of(fleet, "--repository", "team/none")
    assert none["items"] == [] and none["no_repository"], none
    text = fleet.control("gc", "plan").stdout
    assert "\nrun it: outportctl gc run --plan " in text and "3 links" in text, text

    done = fleet.control("gc", "run", "--plan", plan["plan"]).stdout
    run = fleet.control_json("gc", "history")[0]
    assert f"run {run['run']} removed 3 links" in done and f"gc undo {run['run']}" in done
    assert run["kind"] == "requested" and run["state"] == "done" and run["by"], run
    assert run["removed"]["links"] == 3 and run["removed"]["blobs"] == 1, run
    for digest in (config, layer, only_here):
        assert get_blob(client, digest).status == 404
    assert objects(fleet.store, only_here), "the bytes stay until the trash window ends"
    assert_complete(client, "v1", "team/other")

    undone = fleet.control("gc", "undo", run["run"]).stdout
    assert "undone: restored 3 links" in undone, undone
    for digest in (config, layer, only_here):
        assert get_blob(client, digest).status == 200
    assert fleet.control_json("gc", "history")[0]["state"] == "undone"
    again = fleet.control("gc", "undo", run["run"], check=False)
    assert again.returncode == 1 and "has already undone it" in again.stderr, again.stderr
    unknown = fleet.control("gc", "undo", "0000000000000001-00000001", check=False)
    assert unknown.returncode == 1 and "0000000000000001-00000001" in unknown.stderr, unknown.stderr


def test_a_plan_that_no_longer_holds_is_refused(new_fleet):
    fleet = collecting(new_fleet, window=closed_window())
    client = fleet.store.client()
    manifest, config, layer = push(client, "v1", b"layer")
    delete_manifest(client, manifest)
    wait_until_due(fleet, config, layer)
    plan = plan_of(fleet)["plan"]
    push(client, "v2", b"layer")
    refused = fleet.control("gc", "run", "--plan", plan, check=False)
    assert refused.returncode == 1 and "plan" in refused.stderr, refused.stderr
    assert refused.stderr.count("\n") == 1, "one line"
    assert_complete(client, "v2")
    assert plan_of(fleet)["items"] == []
    unknown = fleet.control("gc", "run", "--plan", "no-such-plan", check=False)
    assert unknown.returncode == 1, unknown.stdout


def test_a_plan_holds_while_the_collector_works(new_fleet):
    fleet = collecting(new_fleet)
    client = fleet.store.client()
    fleet.control("gc", "pause")
    first = push(client, "latest", b"one")
    push(client, "latest", b"two")
    orphan = client.push_blob(REPOSITORY, b"an orphan")
    wanted = {("manifest", first[0]), ("link", orphan)}
    wait_for("both to be due", lambda: wanted == planned(fleet, "--delete-untagged"))
    plan = plan_of(fleet, "--delete-untagged")
    assert plan["freed_later_bytes"] >= len(b"one"), "the layer has a grace period of its own"
    fleet.control("gc", "resume")
    wait_for("the collector to remove the link", lambda: get_blob(client, orphan).status == 404, 240)
    done = fleet.control("gc", "run", "--plan", plan["plan"]).stdout
    assert "removed 1 manifest; 1 item was gone already" in done, done
    run = next(run for run in fleet.control_json("gc", "history") if run["kind"] == "requested")
    assert run["gone"] == 1 and run["removed"]["manifests"] == 1, run
    assert get_manifest(client, first[0]).status == 404
    assert_complete(client, "latest")


def test_the_plan_shows_pulls_at_the_store_and_at_nodes(new_fleet):
    fleet = collecting(new_fleet, "eu-west", window=closed_window())
    node = fleet.nodes["eu-west"]
    client = fleet.store.client()
    at_node, at_store, never, _ = [
        client.push_image(REPOSITORY, "latest", layer) for layer in (b"1", b"2", b"3", b"4")]
    wait_for("the pull at the node", lambda: get_manifest(node.client(), at_node).status == 200)
    assert get_manifest(client, at_store).status == 200
    # A stop writes the pulls to the disk. After its start the node reports at once.
    assert node.stop() == 0
    assert fleet.store.stop() == 0
    fleet.store.start()
    node.start()

    def last_pulls():
        return {item["digest"]: (item["last_pull"] != "", item["last_pull_at"])
                for item in plan_of(fleet, "--delete-untagged")["items"]}

    wanted = {at_node: (True, "eu-west"), at_store: (True, ""), never: (False, None)}
    wait_for(lambda: f"{wanted} in {last_pulls()}",
             lambda: wanted.items() <= last_pulls().items())
    assert fleet.control_json("node", "show", "eu-west")["pulls_reported"] != ""
