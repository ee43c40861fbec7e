"""Tags have a past: their history, restore, and rules that protect them, at the store and through a node."""

import pytest

from client import digest_of, make_manifest
from fleet import PASSWORD
from processes import wait_for

INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="module")
def west(fleet):
    fleet.control("user", "add", "deleter", "--allow", "pull,push,delete", stdin=PASSWORD + "\n")
    member = fleet.nodes["eu-west"]
    wait_for("the user to be known at the node",
             lambda: member.client("deleter").get("/v2/").status == 200)
    return member


def history(fleet, name):
    """[(before, after, by, node, why)], the newest first; digests whole."""
    return [tuple(row[key] for key in ("before", "after", "by", "node", "why"))
            for row in fleet.control_json("tag", "history", name)]


def delete(member, repository, reference):
    return member.client("deleter").call("DELETE", f"/v2/{repository}/manifests/{reference}")


def manifest_of(member, repository, reference):
    return member.client("deleter").get(f"/v2/{repository}/manifests/{reference}")


def test_the_history_says_who_moved_a_tag_and_from_which_node(fleet, west):
    one = fleet.store.client().push_image("team/past", "latest", b"one")
    two = west.client().push_image("team/past", "latest", b"two")
    assert delete(west, "team/past", "latest").status == 202
    three = fleet.store.client("deleter").push_image("team/past", "latest", b"three")
    assert delete(fleet.store, "team/past", three).status == 202
    assert history(fleet, "team/past:latest") == [
        (three, "", "user deleter", "", ""),
        ("", three, "user deleter", "", ""),
        (two, "", "user deleter", "eu-west", ""),
        (one, two, "user demo", "eu-west", ""),
        ("", one, "user demo", "", ""),
    ]
    fleet.store.client().push_image("team/past", "1.0", b"one")
    rows = fleet.control_json("tag", "history", "team/past")
    assert [row["tag"] for row in rows] == ["1.0"] + ["latest"] * 5
    assert all(row["restorable"] for row in rows), rows


def test_a_tag_that_moved_or_was_deleted_comes_back(fleet, west):
    one = fleet.store.client().push_image("team/back", "latest", b"one")
    two = fleet.store.client().push_image("team/back", "latest", b"two")
    fleet.control("tag", "restore", "team/back:latest")
    assert digest_of(manifest_of(fleet.store, "team/back", "latest").body) == one
    fleet.control("tag", "restore", "team/back:latest", "--to", two)
    assert digest_of(manifest_of(fleet.store, "team/back", "latest").body) == two
    assert delete(fleet.store, "team/back", "latest").status == 202
    restored = fleet.control_json("tag", "restore", "team/back:latest")
    assert (restored["digest"], restored["before"]) == (two, "")
    fleet.settle()
    for member in fleet.members():
        assert digest_of(manifest_of(member, "team/back", "latest").body) == two, member.name
    assert history(fleet, "team/back:latest")[0] == ("", two, "administrator admin", "", "restore")


def test_a_manifest_that_was_deleted_by_digest_comes_back_with_its_content(fleet, west):
    layer = b"a layer that is deleted, too"
    digest = west.client().push_image("team/digest", "1", layer)
    assert delete(west, "team/digest", digest).status == 202
    client = fleet.store.client("deleter")
    assert client.call("DELETE", f"/v2/team/digest/blobs/{digest_of(layer)}").status == 202
    fleet.settle()
    assert manifest_of(west, "team/digest", "1").status == 404
    fleet.control("tag", "restore", "team/digest:1")
    fleet.settle()
    for member in fleet.members():
        assert digest_of(manifest_of(member, "team/digest", "1").body) == digest, member.name
        assert member.client().get(f"/v2/team/digest/blobs/{digest_of(layer)}").body == layer


def test_the_children_of_an_index_come_back(fleet, west):
    client = fleet.store.client("deleter")
    children = [client.push_image("team/multi", name, name.encode()) for name in ("amd64", "arm64")]
    index = ('{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}' % (INDEX, ",".join(
        '{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d}' % (
            child, len(manifest_of(fleet.store, "team/multi", child).body))
        for child in children))).encode()
    answer = client.call("PUT", "/v2/team/multi/manifests/1", body=index,
                         headers={"Content-Type": INDEX})
    assert answer.status == 201, answer
    for reference in (digest_of(index), *children):
        assert delete(fleet.store, "team/multi", reference).status == 202
    fleet.control("tag", "restore", "team/multi:1")
    assert manifest_of(fleet.store, "team/multi", "1").body == index
    for child in children:
        assert digest_of(manifest_of(fleet.store, "team/multi", child).body) == child


def test_what_cannot_be_restored_is_said(fleet, west):
    fleet.store.client().push_image("team/new", "1", b"new")
    done = fleet.control("tag", "restore", "team/new:1", check=False)
    assert done.returncode == 1 and "did not exist before its last change" in done.stderr, done
    done = fleet.control("tag", "restore", "team/new:2", check=False)
    assert done.returncode == 1 and "its history is empty" in done.stderr, done
    done = fleet.control("tag", "restore", "team/new:1", "--to", digest_of(b"never"), check=False)
    assert done.returncode == 1 and "it never was" in done.stderr, done


@pytest.mark.parametrize("place", ["store", "node"])
def test_a_protected_tag_neither_moves_nor_goes(fleet, west, place):
    member = {"store": fleet.store, "node": west}[place]
    repository = f"protected/{place}"
    client = member.client("deleter")
    digest = client.push_image(repository, "v1.2", b"release")
    client.push_image(repository, "latest", b"release")
    fleet.control("tag", "protect", f"releases-{place}", "--repository", repository, "--tags", "v*")
    other = make_manifest(b"{}", [b"other"])
    for blob in (b"{}", b"other"):
        client.push_blob(repository, blob)
    answers = [client.put_manifest(repository, "v1.2", other), delete(member, repository, "v1.2"),
               delete(member, repository, digest)]
    for answer in answers:
        assert (answer.status, answer.code()) == (403, "DENIED"), answer
        assert f"protected by the rule 'releases-{place}'" in answer.message(), answer
    assert digest_of(manifest_of(member, repository, "v1.2").body) == digest
    assert digest_of(manifest_of(member, repository, "latest").body) == digest, "all or nothing"
    # The same manifest again, another tag, and a new tag that the rule protects from now on.
    same = manifest_of(member, repository, digest).body
    assert client.put_manifest(repository, "v1.2", same).status == 201
    assert client.put_manifest(repository, "latest", other).status == 201
    assert client.put_manifest(repository, "v1.3", other).status == 201
    assert client.put_manifest(repository, "v1.3", same).status == 403
    rules = fleet.control_json("tag", "rules")
    assert [row["tags"] for row in rules if row["name"] == f"releases-{place}"] == ["v*"]
    fleet.control("tag", "unprotect", f"releases-{place}")
    assert delete(member, repository, "v1.2").status == 202
    # A rule does not forbid to bring a deleted tag back.
    fleet.control("tag", "protect", f"releases-{place}", "--repository", repository, "--tags", "v*")
    fleet.control("tag", "restore", f"{repository}:v1.2")
    assert digest_of(manifest_of(fleet.store, repository, "v1.2").body) == digest


def test_the_past_of_a_tag_survives_a_kill(new_fleet):
    fleet = new_fleet()
    one = fleet.store.client().push_image("team/app", "latest", b"one")
    two = fleet.store.client().push_image("team/app", "latest", b"two")
    fleet.control("tag", "protect", "all", "--repository", "**", "--tags", "*")
    fleet.store.kill()
    fleet.store.start()
    assert [row[:2] for row in history(fleet, "team/app:latest")] == [(one, two), ("", one)]
    answer = fleet.store.client().put_manifest(
        "team/app", "latest", fleet.store.client().get(f"/v2/team/app/manifests/{one}").body)
    assert (answer.status, answer.code()) == (403, "DENIED"), answer
    fleet.control("tag", "unprotect", "all")
    fleet.control("tag", "restore", "team/app:latest")
    assert digest_of(fleet.store.client().get("/v2/team/app/manifests/latest").body) == one
