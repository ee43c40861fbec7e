"""A real Docker engine against a store and nodes: login, push, pull, build."""

import os
import shutil

import pytest

from fleet import PASSWORD
from namespaces import HOST_NAME, reason_to_skip
from processes import run, wait_for

REASON = reason_to_skip()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


def login(engine, member, password=PASSWORD, host=HOST_NAME, check=True):
    return engine.login(member.at(host), "demo", password, check)


@pytest.fixture(scope="module")
def logged_in(engine, docker_fleet):
    for member in docker_fleet.members():
        wait_for(f"login at {member.name}",
                 lambda m=member: login(engine, m, check=False).returncode == 0)


def identity(engine, image):
    return engine.docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip()


def push(engine, image):
    """Pushes; returns the digest that docker prints."""
    said = engine.docker("push", image).stdout
    return said.split("digest: ")[1].split()[0]


def pull_again(engine, image):
    engine.docker("rmi", "-f", image, check=False)
    said = engine.docker("pull", image).stdout
    return said.split("Digest: ")[1].split()[0]


def test_login_wants_the_right_password(engine, docker_fleet, logged_in):
    for member in docker_fleet.members():
        refused = login(engine, member, "wrong", check=False)
        assert refused.returncode != 0
        assert "unauthorized" in refused.stderr.lower(), refused.stderr
        assert "Login Succeeded" in login(engine, member).stdout


def test_login_without_a_client_certificate_says_so(engine, docker_fleet):
    at = docker_fleet.store.at()
    folder = engine.certificates / at
    away = engine.folder / "away"
    away.mkdir()
    for name in ("client.cert", "client.key"):
        shutil.move(folder / name, away / name)
    try:
        refused = login(engine, docker_fleet.store, host=docker_fleet.host, check=False)
        # docker login shows only the status; docker pull shows the reason.
        assert refused.returncode != 0 and "400 Bad Request" in refused.stderr, refused.stderr
        refused = engine.docker("pull", f"{at}/team/base:1", check=False)
        assert refused.returncode != 0
        assert "No required SSL certificate was sent" in refused.stderr, refused.stderr
    finally:
        for name in ("client.cert", "client.key"):
            shutil.move(away / name, folder / name)
    assert "Login Succeeded" in login(engine, docker_fleet.store, host=docker_fleet.host).stdout


def test_push_to_the_store_and_pull_from_everywhere(engine, docker_fleet, logged_in, base):
    image = f"{docker_fleet.store.at(HOST_NAME)}/team/base:1"
    engine.docker("tag", base, image)
    before = identity(engine, image)
    digest = push(engine, image)
    for member in docker_fleet.members():
        there = f"{member.at(HOST_NAME)}/team/base:1"
        assert pull_again(engine, there) == digest
        assert identity(engine, there) == before
        by_digest = f"{member.at(HOST_NAME)}/team/base@{digest}"
        engine.docker("pull", by_digest)


def test_build_push_and_pull_through_a_node(engine, docker_fleet, logged_in, base, tmp_path):
    payload = os.urandom(5_000_000)
    (tmp_path / "payload").write_bytes(payload)
    (tmp_path / "Dockerfile").write_text(
        f"FROM {base}\nCOPY payload /payload\nRUN sha256sum /payload >/sum\nCMD [\"cat\", \"/sum\"]\n")
    image = f"{docker_fleet.store.at(HOST_NAME)}/team/built:2"
    engine.docker("build", "--network", "none", "--tag", image, tmp_path)
    digest = push(engine, image)
    built = identity(engine, image)
    engine.docker("rmi", "-f", image)
    there = f"{docker_fleet.nodes['us-east'].at(HOST_NAME)}/team/built:2"
    assert pull_again(engine, there) == digest
    assert identity(engine, there) == built
    said = engine.docker("run", "--rm", "--network", "none", there).stdout
    assert said.split()[0] == run("sha256sum", tmp_path / "payload").stdout.split()[0]


def test_build_from_an_image_at_a_node(engine, docker_fleet, logged_in, base, tmp_path):
    """FROM names an image that the engine does not have: it comes from the node."""
    node = docker_fleet.nodes["eu-west"]
    image = f"{docker_fleet.store.at(HOST_NAME)}/team/parent:1"
    engine.docker("tag", base, image)
    push(engine, image)
    engine.docker("rmi", image)
    (tmp_path / "Dockerfile").write_text(
        f"FROM {node.at(HOST_NAME)}/team/parent:1\nRUN echo child >/child\n")
    built = f"{docker_fleet.store.at(HOST_NAME)}/team/child:1"
    engine.docker("build", "--network", "none", "--pull", "--tag", built, tmp_path)
    digest = push(engine, built)
    assert pull_again(engine, f"{node.at(HOST_NAME)}/team/child:1") == digest


def test_pushing_again_uploads_nothing(engine, docker_fleet, logged_in, base):
    image = f"{docker_fleet.store.at(HOST_NAME)}/team/again:1"
    engine.docker("tag", base, image)
    push(engine, image)
    assert "already exists" in engine.docker("push", image).stdout.lower()


def test_push_through_a_node_and_pull_from_everywhere(engine, docker_fleet, logged_in, base):
    image = f"{docker_fleet.nodes['eu-west'].at(HOST_NAME)}/team/through:1"
    engine.docker("tag", base, image)
    digest = push(engine, image)
    for member in docker_fleet.members():
        assert pull_again(engine, f"{member.at(HOST_NAME)}/team/through:1") == digest


def test_unknown_images_are_reported_as_unknown(engine, docker_fleet, logged_in):
    for member in docker_fleet.members():
        refused = engine.docker("pull", f"{member.at(HOST_NAME)}/team/absent:1", check=False)
        assert refused.returncode != 0
        assert "unknown" in refused.stderr or "not found" in refused.stderr, refused.stderr
