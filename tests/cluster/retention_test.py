"""Retention with real processes: policies are applied, planned, run and undone."""

import time

from client import MANIFEST
from processes import ROOT, wait_for

REPOSITORY = "ci/app"
LAST_TWO = """
policies:
  - name: ci
    repositories: ["ci/*"]
    keep:
      - tags: "b.*"
        last_pushed: 2
"""


def get(client, reference, repository=REPOSITORY):
    return client.call("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST})


def apply(fleet, tmp_path, text, check=True):
    path = tmp_path / "retention.yml"
    path.write_text(text)
    return fleet.control("retention", "apply", str(path), check=check)


def push_builds(client, *tags):
    """Pushes an image for each tag, at times that differ."""
    digests = {}
    for tag in tags:
        digests[tag] = client.push_image(REPOSITORY, tag, f"layer of {tag}".encode())
        time.sleep(0.01)  # the times have milliseconds
    return digests


def drops(plan):
    return {item["tag"] for item in plan["items"] if not item["keep"]}


def test_the_example_is_accepted(new_fleet):
    fleet = new_fleet()
    example = ROOT / "examples" / "retention.yml"
    applied = fleet.control_json("retention", "apply", str(example))
    assert [policy["name"] for policy in applied["policies"]] == ["base-images", "ci", "releases"]
    assert applied["schedule"] == "03:00"
    shown = fleet.control_json("retention", "show")
    assert shown["yaml"] == example.read_text() and shown["by"], shown


def test_a_run_deletes_tags_at_store_and_node_and_can_be_undone(new_fleet, tmp_path):
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    client = fleet.store.client()
    digests = push_builds(client, "b1", "b2", "b3", "latest")
    client.push_image("other/app", "b1", b"another repository")
    client.push_image("other/app", "b2", b"another repository, too")
    client.push_image("other/app", "b3", b"another repository, again")
    assert client.push_image(REPOSITORY, "kept", b"layer of b1") == digests["b1"]
    apply(fleet, tmp_path, LAST_TWO)
    plan = fleet.control_json("retention", "plan")
    assert drops(plan) == {"b1"}, plan
    rules = {item["tag"]: item["rule"] for item in plan["items"]}
    assert rules["b3"] == "entry 1: last_pushed 2" and rules["kept"] == "no entry matches", rules
    assert plan["deleted_tags"] == 1 and plan["freed_bytes"] == 0, plan

    run = fleet.control_json("retention", "run", "--plan", plan["plan"])
    assert run["state"] == "done" and run["kind"] == "retention", run
    assert run["removed"]["tags"] == 1, run
    assert get(client, "b1").status == 404
    assert get(client, "kept").headers["Docker-Content-Digest"] == digests["b1"]
    assert get(client, "b1", "other/app").status == 200
    fleet.settle()
    wait_for("the node to lose the tag", lambda: get(node.client(), "b1").status == 404)
    assert get(node.client(), "kept").status == 200
    event = fleet.control_json("tag", "history", f"{REPOSITORY}:b1")[0]
    assert event["why"] == "retention ci", event

    undone = fleet.control_json("gc", "undo", run["run"])
    assert undone["state"] == "undone" and undone["restored"]["tags"] == 1, undone
    assert get(client, "b1").headers["Docker-Content-Digest"] == digests["b1"]


def test_a_plan_that_no_longer_holds_is_refused(new_fleet, tmp_path):
    fleet = new_fleet()
    client = fleet.store.client()
    push_builds(client, "b1", "b2", "b3")
    apply(fleet, tmp_path, LAST_TWO)
    plan = fleet.control_json("retention", "plan")
    push_builds(client, "b4")
    refused = fleet.control("retention", "run", "--plan", plan["plan"], check=False)
    assert refused.returncode == 1 and "no longer holds" in refused.stderr, refused
    assert get(client, "b1").status == 200
    assert fleet.control_json("retention", "run")["removed"]["tags"] == 2
    assert [get(client, tag).status for tag in ("b1", "b2", "b3", "b4")] == [404, 404, 200, 200]


def test_a_protected_tag_stays(new_fleet, tmp_path):
    fleet = new_fleet()
    client = fleet.store.client()
    push_builds(client, "b1", "b2", "b3")
    fleet.control("tag", "protect", "first", "--repository", "ci/**", "--tags", "b1")
    apply(fleet, tmp_path, LAST_TWO)
    plan = fleet.control_json("retention", "plan")
    assert drops(plan) == set(), plan
    assert {item["tag"]: item["rule"] for item in plan["items"]}["b1"] == "tag rule first", plan


def test_an_invalid_file_names_its_lines_and_changes_nothing(new_fleet, tmp_path):
    fleet = new_fleet()
    apply(fleet, tmp_path, LAST_TWO)
    refused = apply(fleet, tmp_path, "policies:\n  - name: a\n    repos: [x]\n", check=False)
    assert refused.returncode == 1, refused
    assert "retention.yml:3: unknown key 'policies[0].repos'" in refused.stderr, refused
    assert fleet.control_json("retention", "show")["yaml"] == LAST_TWO
