"""Machines with wrong clocks, within and beyond the tolerance of certificates."""

import glob
import json

import pytest

from fleet import PASSWORD
from processes import SANITIZED, wait_for

FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")


def at(shift):
    """The prefix of a command that runs with a wall clock shifted by `shift` ("-4m")."""
    return ["env", f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME={shift}", "DONT_FAKE_MONOTONIC=1"]


def wrong(member, shift):
    member.stop()
    member.prefix = at(shift)
    member.spawn()


@pytest.fixture(name="fleet")
def make_fleet(new_fleet):
    if SANITIZED:
        pytest.skip("a sanitizer's library and this one cannot both be the first")
    return new_fleet("behind", "ahead")


def test_a_few_minutes_have_no_effect(fleet):
    behind, ahead = fleet.nodes["behind"], fleet.nodes["ahead"]
    for node, shift in ((behind, "-4m"), (ahead, "+4m")):
        wrong(node, shift)
        wait_for(f"{node.name} to follow", lambda: node.metric("outport_node_sync_connected") == 1)
    for tag in ("a", "b"):
        for member in fleet.members():
            digest = member.client().push_image("team/app", tag, tag.encode() + member.name.encode())
            for node in (behind, ahead):
                wait_for("the tag to move", lambda: node.client().get(
                    f"/v2/team/app/manifests/{tag}").headers.get("Docker-Content-Digest") == digest)
    for node in (behind, ahead):
        assert 0 <= node.metric("outport_node_staleness_seconds") < 2, "the staleness must not depend on the wall clock"
        assert node.warnings() == []
    fleet.control("user", "add", "brief", "--allow", "pull", "--expires", "2m", stdin=PASSWORD + "\n")
    wait_for("the user to be known", lambda: behind.client("brief").get("/v2/").status == 200)
    assert ahead.client("brief").get("/v2/").status == 401, "by its clock that was two minutes ago"


def test_a_node_far_ahead_serves_and_says_that_its_clock_is_wrong(fleet):
    node = fleet.nodes["ahead"]
    digest = fleet.store.client().push_image("team/app", "v1", b"layer")
    wrong(node, "+8d")
    warnings = wait_for("the warning", lambda: node.healthy() and [
        text for text in node.warnings() if "set the clock" in text])
    assert "due for renewal by this machine's clock" in warnings[0]
    assert node.metric("outport_node_certificate_renewals_total", result="succeeded") == 1, "the node must renew once only"
    answer = node.client().get("/v2/team/app/manifests/v1")
    assert answer.headers["Docker-Content-Digest"] == digest, "the node must follow the store, whose clock is right"
    wait_for("status to show the node's warning",
             lambda: "set the clock" in json.dumps(fleet.control_json("status")["warnings"]))


def test_a_machine_far_behind_gets_the_reason_why_it_cannot_join(fleet):
    node = fleet.new_node("new")
    token = fleet.invite("new")
    prefix, fleet.prefix = fleet.prefix, at("-1h")
    refused = fleet.join(node, token, check=False)
    fleet.prefix = prefix
    assert refused.returncode == 1 and "set the clock that is wrong" in refused.stderr
    fleet.join(node, token)
    node.start()
    assert node.client().get("/v2/").status == 200
    node.stop()


def test_a_store_far_ahead_removes_nothing(fleet):
    store = fleet.store
    digest = store.client().push_blob("team/app", b"garbage in 36 hours")
    wrong(store, "+37h")
    wait_for("the store", store.ready)
    warnings = wait_for("the warning", store.warnings)
    assert "the wall clock is 3" in warnings[0] and "--accept-clock" in warnings[0], warnings
    wait_for("a run", lambda: fleet.control("gc", "run", check=False).returncode == 0)
    assert fleet.control_json("gc", "history")[0]["removed"]["links"] == 0
    assert store.client().get(f"/v2/team/app/blobs/{digest}").status == 200
    collector = fleet.control_json("gc", "status")
    assert (collector["condemned"], collector["overdue"]) == (1, 0), collector
