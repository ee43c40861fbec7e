"""The audit log of a real fleet: who did what from where, in the log, in its file, over restarts."""

import hashlib
import json
import stat

import pytest

from client import digest_of
from processes import wait_for


def entries(fleet, *options):
    done = fleet.control("audit", "list", "-o", "json", "--limit", "10000", *options)
    return [json.loads(line) for line in done.stdout.splitlines()]


def audit_file(fleet):
    return fleet.store.data / "audit" / "audit.jsonl"


def lines(fleet):
    return audit_file(fleet).read_text().splitlines()


def wait_for_file(fleet):
    last = entries(fleet)[-1]["sequence"]
    wait_for("the file to have every entry",
             lambda: f'{{"sequence":{last},' in audit_file(fleet).read_text())


def check_by_hand(text):
    """As an auditor would who has nothing but the file."""
    previous = "00" * 32
    for number, line in enumerate(text, start=1):
        entry = json.loads(line)
        record = line[line.index(',"record":') + len(',"record":'):-1]
        digest = hashlib.sha256(bytes.fromhex(previous) + record.encode()).hexdigest()
        assert (entry["sequence"], entry["previous"]) == (number, previous)
        assert entry["hash"] == digest
        previous = digest


def test_who_did_what_from_where(fleet):
    west = fleet.nodes["eu-west"]
    layer = b"audited"
    digest = west.client().push_image("team/audited", "v1", layer)
    fleet.control("user", "add", "robot", "--allow", "pull", stdin="a long password\n")
    fleet.control("user", "remove", "robot")

    tag = entries(fleet, "--action", "tag.set")[-1]["record"]
    assert tag["object"] == "team/audited:v1"
    assert tag["before"] is None and tag["after"]["digest"] == digest
    actor = tag["actor"]
    assert (actor["kind"], actor["name"], actor["certificate"]) == ("user", "demo", "desktop")
    assert actor["node"] == "eu-west"
    assert actor["address"].startswith("127.0.0.1") and actor["request_id"]

    pushed = [entry["record"]["object"] for entry in entries(fleet, "--action", "blob.push")]
    assert pushed.count(f"team/audited@{digest_of(layer)}") == 1

    removed = entries(fleet, "--action", "user", "--since", "1h")[-1]["record"]
    assert (removed["action"], removed["object"]) == ("user.remove", "user/robot")
    assert removed["before"]["grants"] and removed["after"] is None
    assert removed["actor"]["kind"] == "administrator"
    assert removed["actor"]["address"] == "127.0.0.1"

    actions = [entry["record"]["action"] for entry in entries(fleet)]
    assert actions[:2] == ["store.init", "certificate.issue"]
    assert actions.count("node.invite") == actions.count("node.enroll") == 2


def test_the_file_can_be_checked_alone(fleet):
    fleet.store.client().push_image("team/filed", "v1", b"filed")
    wait_for_file(fleet)
    check_by_hand(lines(fleet))
    assert stat.S_IMODE(audit_file(fleet).stat().st_mode) == 0o600
    assert "sound" in fleet.control("audit", "verify").stdout
    assert "sound" in fleet.control("audit", "verify", "--file", audit_file(fleet)).stdout
    text = audit_file(fleet).read_text()
    assert "$2" not in text and "password" not in text


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_nothing_is_lost_over_a_restart(new_fleet, how):
    fleet = new_fleet()
    fleet.store.client().push_image("team/app", "v1", b"one")
    if how == "stopped":
        assert fleet.store.stop() == 0
    else:
        fleet.store.kill()
    fleet.store.start()
    fleet.store.client().push_image("team/app", "v2", b"two")
    wait_for_file(fleet)
    numbers = [json.loads(line)["sequence"] for line in lines(fleet)]
    assert sorted(set(numbers)) == list(range(1, entries(fleet)[-1]["sequence"] + 1))
    assert "sound" in fleet.control("audit", "verify", "--file", audit_file(fleet)).stdout
    assert "sound" in fleet.control("audit", "verify").stdout


def test_files_are_rotated_by_size(new_fleet):
    fleet = new_fleet()
    assert fleet.store.stop() == 0
    with fleet.store.config.open("a") as config:
        config.write("\naudit: {max_size: 64KiB, keep: 3}\n")
    fleet.store.start()
    client = fleet.store.client()
    older = audit_file(fleet).with_name("audit.jsonl.1")
    for turn in range(400):
        client.push_blob(f"team/app{turn}", b"one")
        if older.exists():
            break
    assert older.exists()
    done = fleet.control("audit", "verify", "--file", older, "--file", audit_file(fleet))
    assert "sound" in done.stdout
