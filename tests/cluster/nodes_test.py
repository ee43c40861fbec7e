"""Nodes: renewal and expiry of certificates, removal, replacement."""

import json

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
    """Whether a push at the store is visible at the node."""
    digest = fleet.store.client().push_image("team/news", tag, tag.encode())
    answer = node.client().get(f"/v2/team/news/manifests/{tag}")
    return answer.status == 200 and answer.headers["Docker-Content-Digest"] == digest


@pytest.fixture(name="brief")
def make_brief(new_fleet):
    """A fleet whose nodes have certificates with a lifetime of one minute."""
    fleet = new_fleet()
    fleet.store.stop()
    with fleet.store.config.open("a") as config:
        config.write("nodes: {identity_certificate_lifetime: 1m, server_certificate_lifetime: 1m}\n")
    fleet.store.start()
    for name in ("eu-west", "us-east"):
        fleet.add_node(name)
    return fleet


def test_nodes_renew_certificates_or_let_them_expire(brief, tmp_path):
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
    wait_for("the other's to end", lambda: is_over(us.data / "pki/identity.crt"), seconds=90)
    us.spawn()
    warnings = wait_for("the node to report it", lambda: us.healthy() and [
        text for text in us.warnings() if "expired at" in text])
    assert "outportctl node invite us-east --replace" in warnings[0]
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
    assert done.stdout == "node 'eu-west' removed\n"
    assert "if somebody else may have the node's data: demo, second" in done.stderr
    assert fleet.control_json("node", "list") == []
    wait_for("the node to be cut off", lambda: node.metric("outport_node_sync_connected") == 0)
    assert node.operations("/readyz")[0] == 503 and "the store rejects this node" in node.operations("/readyz")[1]
    fleet.store.client().push_image("team/news", "secret", b"not for the removed")
    assert node.client().get("/v2/team/news/manifests/secret").status == 503
    assert fleet.control("node", "remove", "eu-west", check=False).returncode == 1
    node.stop()
    rejoin(fleet, node)
    node.start()
    assert serves_news(fleet, node, "after")


def test_i6_a_node_is_replaced_only_with_replace(new_fleet):
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


def shows(fleet, name):
    return fleet.control_json("node", "show", name)


def test_i6_a_limited_node_serves_and_relays_only_what_it_may(new_fleet):
    fleet = new_fleet()
    store = fleet.store.client()
    open_digest = store.push_image("team/app", "v1", b"open")
    store.push_image("other/app", "v1", b"elsewhere")
    for user, grant in (("insider", "pull,push:team/**"), ("outsider", "pull:other/**")):
        fleet.control("user", "add", user, "--allow", grant, stdin=PASSWORD + "\n")
    node = fleet.new_node("cn")
    fleet.join(node, fleet.invite("cn", "--allow", "pull:team/**"))
    fleet.nodes["cn"] = node.start()
    client = node.client()
    assert client.get("/v2/team/app/manifests/v1").headers["Docker-Content-Digest"] == open_digest
    refused = client.get("/v2/other/app/manifests/v1")
    assert refused.status == 403 and b"this node may not pull in 'other/app'" in refused.body
    assert client.get("/v2/_catalog").json() == {"repositories": ["team/app"]}
    assert node.client("outsider").get("/v2/").status == 401, "the node must not know this user"
    assert node.client("insider").get("/v2/").status == 200
    pushed = client.call("POST", "/v2/team/app/blobs/uploads/")
    assert pushed.status == 403 and b"may not push in 'team/app'" in pushed.body

    assert shows(fleet, "cn")["permissions"] == ["pull:team/**"]
    for user, repository, action, why in (("outsider", "other/app", "pull", "does not receive user 'outsider'"),
                                          ("demo", "other/app", "pull", "node 'cn' may not pull in 'other/app'"),
                                          ("insider", "team/app", "push", "node 'cn' may not push in 'team/app'"),
                                          ("insider", "team/app", "pull", "allowed: user:insider has the grant")):
        output = fleet.control("grant", "explain", "--user", user, "--repository", repository, "--action", action,
                             "--node", "cn").stdout
        assert why in output, output
    said = fleet.control("node", "set", "cn", "--allow", "pull,push:other/**").stdout
    assert said == "node 'cn' updated: permissions pull,push:other/**\n"
    wait_for("the node to have other users", lambda: node.client("outsider").get("/v2/").status == 200)
    assert node.client("insider").get("/v2/").status == 401
    assert client.get("/v2/team/app/manifests/v1").status == 403
    wait_for("what is new to it to be served",
             lambda: client.get("/v2/other/app/manifests/v1").status == 200)
    digest = client.push_image("other/app", "v2", b"through the node")
    assert store.get("/v2/other/app/manifests/v2").headers["Docker-Content-Digest"] == digest
    wrong = fleet.control("node", "set", "cn", "--allow", "push:team/**", check=False)
    assert wrong.returncode == 1 and "--allow: 'push:team/**' is not a valid node permission" in wrong.stderr
    assert fleet.control("node", "show", "us", check=False).returncode == 1

    entry = json.loads(fleet.control("audit", "list", "-o", "json", "--action", "node.set").stdout)
    assert entry["record"]["object"] == "node/cn"
    removed = fleet.control("node", "remove", "cn")
    assert "if somebody else may have the node's data: demo, outsider" in removed.stderr


def test_a_replacement_keeps_the_permissions_of_the_node(new_fleet):
    fleet = new_fleet()
    node = fleet.new_node("cn")
    fleet.join(node, fleet.invite("cn", "--allow", "pull:team/**"))
    replaced = fleet.invite("cn", "--replace", "--allow", "pull,push")
    token = fleet.invite("cn", "--replace")
    assert "a newer invitation replaced it" in fleet.join(fleet.new_node("late"), replaced, check=False).stderr
    fleet.join(fleet.new_node("second"), token)
    assert shows(fleet, "cn")["permissions"] == ["pull:team/**"]
    fleet.join(fleet.new_node("third"), fleet.invite("cn", "--replace", "--allow", "pull,push"))
    assert shows(fleet, "cn")["permissions"] == ["pull,push:**"]


def test_status_shows_the_log_and_the_slowest_node(new_fleet):
    fleet = new_fleet()
    for name in ("eu-west", "us-east"):
        fleet.add_node(name)
    fleet.store.client().push_image("team/app", "v1", b"one")
    fleet.settle()
    status = fleet.control_json("status")
    log, left = status["change_log"], status["head_sequence"]
    assert (log["first_sequence"], log["records"]) == (1, left)
    assert log["slowest_sequence"] == left and log["slowest_connected"]

    fleet.nodes["us-east"].stop()
    fleet.store.client().push_image("team/app", "v2", b"two")
    fleet.control("wait", "--sequence", str(fleet.control_json("status")["head_sequence"]), "eu-west")
    wait_for("the store to notice", lambda: (
        not fleet.control_json("status")["change_log"]["slowest_connected"]))
    log = fleet.control_json("status")["change_log"]
    assert (log["slowest_node"], log["slowest_sequence"]) == ("us-east", left)
    assert f"slowest node us-east at {left}, not connected\n" in fleet.control("status").stdout
