"""Nodes that renew their certificates, run out of them, are removed and are replaced."""

import pytest

from fleet import PASSWORD
from processes import run, wait_for


def serial_of(path):
    return run("openssl", "x509", "-in", path, "-noout", "-serial").stdout.strip()


def is_over(path):
    """Whether the certificate has expired."""
    return run("openssl", "x509", "-in", path, "-noout", "-checkend", "0", check=False).returncode == 1


def rejoin(fleet, node, *more):
    token = fleet.invite(node.name, *more)
    return run(node.command[0], "join", "--data", node.data, "--replace", stdin=token + "\n")


def serves_news(fleet, node, tag):
    """Whether a push at the store is seen at the node."""
    digest = fleet.store.client().push_image("team/news", tag, tag.encode())
    answer = node.client().get(f"/v2/team/news/manifests/{tag}")
    return answer.status == 200 and answer.headers["Docker-Content-Digest"] == digest


@pytest.fixture(name="brief")
def make_brief(new_fleet):
    """A fleet whose nodes' certificates last a minute."""
    fleet = new_fleet()
    fleet.store.stop()
    with fleet.store.config.open("a") as config:
        config.write("nodes: {identity_life: 1m, server_life: 1m}\n")
    fleet.store.start()
    for name in ("eu-west", "us-east"):
        fleet.add_node(name)
    return fleet


def test_certificates_renew_themselves_and_run_out_where_they_cannot(brief, tmp_path):
    eu, us = brief.nodes["eu-west"], brief.nodes["us-east"]
    first = tmp_path / "first.crt"
    first.write_bytes((eu.data / "pki/identity.crt").read_bytes())
    server = serial_of(eu.data / "pki/server.crt")
    us.stop()
    wait_for("both certificates to be renewed", lambda: (
        serial_of(eu.data / "pki/identity.crt") != serial_of(first)
        and serial_of(eu.data / "pki/server.crt") != server), seconds=60)
    wait_for("the registry to show the new one", lambda: eu.metric(
        "outport_server_certificate_reloads_total") >= 1)
    wait_for("the first identity to end", lambda: is_over(first), seconds=90)
    assert serves_news(brief, eu, "after"), "connections that began with it are gone"
    pushed = eu.client().push_image("team/news", "through", b"the node")
    assert brief.store.client().get("/v2/team/news/manifests/through").headers[
        "Docker-Content-Digest"] == pushed
    assert [text for text in eu.warnings() if "could not be renewed" in text] == []
    us.spawn()
    told = wait_for("the node that was away to say so", lambda: us.healthy() and [
        text for text in us.warnings() if "expired at" in text])
    assert "outportctl node invite us-east --replace" in told[0]
    us.stop()
    config = us.config.read_text()
    rejoin(brief, us, "--replace")
    us.start()
    assert us.config.read_text() == config
    assert serves_news(brief, us, "again")


def test_i6_a_removed_node_is_out_until_it_is_invited_again(new_fleet):
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    assert serves_news(fleet, node, "before")
    fleet.control("user", "add", "second", "--allow", "pull", stdin=PASSWORD + "\n")
    done = fleet.control("node", "remove", "eu-west")
    assert done.stdout == "node 'eu-west' is removed\n"
    assert "change the passwords that it knew: demo, second" in done.stderr
    assert fleet.control_json("node", "list") == []
    wait_for("the node to be cut off", lambda: node.metric("outport_node_sync_connected") == 0)
    fleet.store.client().push_image("team/news", "secret", b"not for the removed")
    assert node.client().get("/v2/team/news/manifests/secret").status == 503
    assert fleet.control("node", "remove", "eu-west", check=False).returncode == 1
    node.stop()
    rejoin(fleet, node)
    node.start()
    assert serves_news(fleet, node, "after")


def test_i6_a_node_is_replaced_only_where_that_is_said(new_fleet):
    fleet = new_fleet("eu-west")
    old = fleet.nodes["eu-west"]
    refused = fleet.control("node", "invite", "eu-west", "--host", fleet.host, check=False)
    assert refused.returncode == 1 and "--replace" in refused.stderr
    new = fleet.new_node("eu-west-2")
    fleet.join(new, fleet.invite("eu-west", "--replace"))
    fleet.nodes["eu-west-2"] = new.start()
    assert serves_news(fleet, new, "new")
    wait_for("the old one to be refused", lambda: old.metric("outport_node_sync_connected") == 0)
    assert len(fleet.control_json("node", "list")) == 1
    old.stop()
    wrong = run(old.command[0], "join", "--data", old.data, "--replace", stdin=fleet.invite("other") + "\n",
                check=False)
    assert wrong.returncode == 1 and "the token is for node 'other'" in wrong.stderr
