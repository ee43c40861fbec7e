"""The audit log of a real fleet: actors, actions and addresses, in the log and its file, across restarts."""

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
    """Checks the hash chain with the file alone, as an auditor would."""
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


# A command, its standard input, and the entry that it must leave.
CHANGES = [
    ("user add carol --allow pull --group builders", "user.add", "user/carol"),
    ("user passwd carol", "user.passwd", "user/carol"),
    ("user disable carol", "user.disable", "user/carol"),
    ("user enable carol", "user.enable", "user/carol"),
    ("user set carol --expires 30d --only-from desk*", "user.change", "user/carol"),
    ("grant add user:carol push:team/**", "grant.add", "user/carol"),
    ("grant add group:builders pull,push:team/**", "grant.add", "grant/group:builders"),
    ("grant remove group:builders pull,push:team/**", "grant.remove", "grant/group:builders"),
    ("user remove carol", "user.remove", "user/carol"),
    ("cert issue carol --out {folder}", "certificate.issue", "certificate/client/carol"),
    ("cert revoke {serial}", "certificate.revoke", "certificate/client/carol"),
    ("node invite us-east --host 127.0.0.1", "node.invite", "node/us-east"),
    ("node set eu-west --allow pull:team/**", "node.set", "node/eu-west"),
    ("node remove eu-west", "node.remove", "node/eu-west"),
    ("ca rotate issuing", "ca.rotate", "authority"),
]
PASSWORD = "a long password of hers"


def test_every_change_by_an_administrator_leaves_its_entry(new_fleet, tmp_path):
    fleet = new_fleet("eu-west")
    serial = ""
    for line, action, subject in CHANGES:
        before = entries(fleet)[-1]["sequence"]
        done = fleet.control("-o", "json", *line.format(folder=tmp_path, serial=serial).split(),
                             stdin=PASSWORD + "\n")
        if action == "certificate.issue":
            serial = json.loads(done.stdout)["serial"]
        added = [entry["record"] for entry in entries(fleet) if entry["sequence"] > before]
        assert [(one["action"], one["object"]) for one in added] == [(action, subject)], line
        assert added[0]["actor"]["kind"] == "administrator" and added[0]["actor"]["name"] == "admin"
        # An entry has no password hash, so a new password changes nothing in it.
        assert (added[0]["before"] == added[0]["after"]) == (action == "user.passwd"), line
    text = fleet.control("audit", "list", "--limit", "10000", "-o", "json").stdout
    assert PASSWORD not in text and "$2" not in text
    assert ", verified; last hash " in fleet.control("audit", "verify").stdout


def test_what_the_store_does_by_itself_leaves_its_entry(new_fleet):
    """A node renews, and somebody edits store.yml."""
    fleet = new_fleet("eu-west")
    fleet.control("ca", "rotate", "issuing")
    fleet.control("ca", "rotate", "continue")
    renewed = wait_for("the node to renew", lambda: entries(fleet, "--action", "node.renew"))
    assert renewed[0]["record"]["object"] == "node/eu-west"
    assert renewed[0]["record"]["actor"]["kind"] == "node"

    (first,) = entries(fleet, "--action", "policy")
    assert first["record"]["before"] is None
    assert first["record"]["after"]["client_auth"] == "require"
    fleet.store.stop()
    fleet.store.start()
    assert len(entries(fleet, "--action", "policy")) == 1, "nothing is another"
    fleet.store.set_registry(client_auth="optional")
    (_, second) = entries(fleet, "--action", "policy")
    assert second["record"]["action"] == "policy.set"
    assert second["record"]["before"] == first["record"]["after"]
    assert second["record"]["after"] == {**first["record"]["after"], "client_auth": "optional"}
    assert second["record"]["actor"]["kind"] == "store"


def test_the_file_can_be_checked_alone(fleet):
    fleet.store.client().push_image("team/filed", "v1", b"filed")
    wait_for_file(fleet)
    check_by_hand(lines(fleet))
    assert stat.S_IMODE(audit_file(fleet).stat().st_mode) == 0o600
    assert ", verified; last hash " in fleet.control("audit", "verify").stdout
    assert ", verified; last hash " in fleet.control("audit", "verify", "--file", audit_file(fleet)).stdout
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
    assert ", verified; last hash " in fleet.control("audit", "verify", "--file", audit_file(fleet)).stdout
    assert ", verified; last hash " in fleet.control("audit", "verify").stdout


def test_files_are_rotated_by_size(new_fleet):
    fleet = new_fleet()
    assert fleet.store.stop() == 0
    with fleet.store.config.open("a") as config:
        config.write("\naudit: {max_size: 64KiB, max_files: 3}\n")
    fleet.store.start()
    client = fleet.store.client()
    older = audit_file(fleet).with_name("audit.jsonl.1")
    for turn in range(400):
        client.push_blob(f"team/app{turn}", b"one")
        if older.exists():
            break
    assert older.exists()
    done = fleet.control("audit", "verify", "--file", older, "--file", audit_file(fleet))
    assert ", verified; last hash " in done.stdout
