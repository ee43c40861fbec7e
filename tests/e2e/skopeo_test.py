"""skopeo between folders, store and nodes; every copy has the same digests."""

import hashlib
import json
import os

import pytest

from fleet import PASSWORD
from processes import run


@pytest.fixture(scope="module")
def work(fleet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("skopeo")
    registries = [member.at() for member in fleet.members()]
    fleet.control("cert", "issue", "skopeo", *(f"--for={at}" for at in registries),
                  "--out", folder / "certs.d")
    for at in registries:
        run("skopeo", "login", "--authfile", folder / "auth.json", "--cert-dir",
            folder / "certs.d" / at, "--username", "demo", "--password-stdin", at, stdin=PASSWORD)
    (folder / "rootfs").mkdir()
    run("cp", "/bin/busybox", folder / "rootfs")
    (folder / "rootfs" / "random").write_bytes(os.urandom(3_000_000))
    run("umoci", "init", "--layout", folder / "image")
    run("umoci", "new", "--image", f"{folder}/image:1")
    run("umoci", "insert", "--rootless", "--image", f"{folder}/image:1", folder / "rootfs", "/bin")
    return folder


def copy(work, source, target, *options, source_at=None, target_at=None):
    certificates = []
    if source_at:
        certificates += ["--src-cert-dir", work / "certs.d" / source_at]
    if target_at:
        certificates += ["--dest-cert-dir", work / "certs.d" / target_at]
    return run("skopeo", "--insecure-policy", "copy", "--authfile", work / "auth.json",
               *certificates, *options, source, target)


def check_folder(folder):
    """Hashes what skopeo wrote; returns the manifest's digest."""
    manifest = (folder / "manifest.json").read_bytes()
    parts = json.loads(manifest)
    for part in [parts["config"], *parts["layers"]]:
        hex_digest = part["digest"].removeprefix("sha256:")
        data = (folder / hex_digest).read_bytes()
        assert hashlib.sha256(data).hexdigest() == hex_digest
        assert len(data) == part["size"]
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def pushed_digest(work):
    return json.loads((work / "image" / "index.json").read_text())["manifests"][0]["digest"]


def test_from_a_layout_to_the_store_and_back_through_every_member(fleet, work, tmp_path):
    store = fleet.store.at()
    copy(work, f"oci:{work}/image:1", f"docker://{store}/team/app:1", target_at=store)
    for member in fleet.members():
        at, folder = member.at(), tmp_path / member.name
        copy(work, f"docker://{at}/team/app:1", f"dir:{folder}", source_at=at)
        assert check_folder(folder) == pushed_digest(work), member.name


def test_from_a_node_to_the_store_under_another_name(fleet, work, tmp_path):
    store, node = fleet.store.at(), fleet.nodes["us-east"].at()
    copy(work, f"oci:{work}/image:1", f"docker://{store}/team/first:1", target_at=store)
    copy(work, f"docker://{node}/team/first:1", f"docker://{store}/team/second:1",
         source_at=node, target_at=store)
    other = fleet.nodes["eu-west"].at()
    copy(work, f"docker://{other}/team/second:1", f"dir:{tmp_path}/got", source_at=other)
    assert check_folder(tmp_path / "got") == pushed_digest(work)


def test_through_a_node_to_every_member(fleet, work, tmp_path):
    node = fleet.nodes["eu-west"].at()
    copy(work, f"oci:{work}/image:1", f"docker://{node}/team/relayed:1", target_at=node)
    for member in fleet.members():
        at, folder = member.at(), tmp_path / member.name
        copy(work, f"docker://{at}/team/relayed:1", f"dir:{folder}", source_at=at)
        assert check_folder(folder) == pushed_digest(work), member.name


def test_as_docker_schema_2(fleet, work, tmp_path):
    store, node = fleet.store.at(), fleet.nodes["eu-west"].at()
    copy(work, f"oci:{work}/image:1", f"docker://{store}/team/schema2:1", "--format", "v2s2",
         target_at=store)
    copy(work, f"docker://{node}/team/schema2:1", f"dir:{tmp_path}/got", source_at=node)
    check_folder(tmp_path / "got")
    kind = json.loads((tmp_path / "got" / "manifest.json").read_text())["mediaType"]
    assert kind == "application/vnd.docker.distribution.manifest.v2+json"


def test_a_list_of_platforms_whole(fleet, work, tmp_path):
    store, node = fleet.store.at(), fleet.nodes["us-east"].at()
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
             "manifests": [json.loads((work / "image" / "index.json").read_text())["manifests"][0]
                           | {"platform": {"architecture": "amd64", "os": "linux"}}]}
    copy(work, f"oci:{work}/image:1", f"docker://{store}/team/multi:amd64", target_at=store)
    answer = fleet.store.client().call(
        "PUT", "/v2/team/multi/manifests/1", body=json.dumps(index).encode(),
        headers={"Content-Type": index["mediaType"]})
    assert answer.status == 201, answer
    copy(work, f"docker://{node}/team/multi:1", f"dir:{tmp_path}/got", "--all", source_at=node)
    whole = (tmp_path / "got" / "manifest.json").read_bytes()
    assert "sha256:" + hashlib.sha256(whole).hexdigest() == answer.headers["Docker-Content-Digest"]


def test_listing_tags(fleet, work):
    store = fleet.store.at()
    copy(work, f"oci:{work}/image:1", f"docker://{store}/team/tags:a", target_at=store)
    copy(work, f"oci:{work}/image:1", f"docker://{store}/team/tags:b", target_at=store)
    for member in fleet.members():
        said = run("skopeo", "list-tags", "--authfile", work / "auth.json", "--cert-dir",
                   work / "certs.d" / member.at(), f"docker://{member.at()}/team/tags").stdout
        assert json.loads(said)["Tags"] == ["a", "b"]
