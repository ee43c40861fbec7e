"""Who is the store, and who may connect to it."""

import re

from fleet import CONTROL
from processes import run, wait_for

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)
NOT_THE_STORE = "the server is not the store of this fleet: its certificate is for spiffe://outport/node/eu-west"


def show_nodes_certificate(store, node):
    """The store then shows the node's server certificate, with the fleet's authorities behind it."""
    ours, theirs = store.data / "pki", node.data / "pki"
    kept = {name: (ours / name).read_text() for name in ("server.crt", "server.key")}
    leaf = CERTIFICATE.findall((theirs / "server.crt").read_text())[0]
    (ours / "server.crt").write_text(leaf + "".join(CERTIFICATE.findall(kept["server.crt"])[1:]))
    (ours / "server.key").write_text((theirs / "server.key").read_text())
    return kept


def test_i6_a_nodes_server_key_does_not_make_a_store(new_fleet):
    """The node's server certificate names the store's host, as in the quickstart."""
    fleet = new_fleet("eu-west", "us-east")
    stolen, other = fleet.nodes["eu-west"], fleet.nodes["us-east"]
    token = fleet.invite("ap-south")
    fleet.store.stop()
    kept = show_nodes_certificate(fleet.store, stolen)
    fleet.store.start()

    refused = fleet.control("user", "add", "eve", "--allow", "pull", stdin="secret-of-eve\n", check=False)
    assert refused.returncode == 1 and len(refused.stderr.strip().splitlines()) == 1, refused
    assert NOT_THE_STORE in refused.stderr and "nothing was sent to it" in refused.stderr, refused
    joining = fleet.new_node("ap-south")
    refused = fleet.join(joining, token, check=False)
    assert refused.returncode == 1 and len(refused.stderr.strip().splitlines()) == 1, refused
    assert "is not the store" in refused.stderr and "the token was not sent" in refused.stderr, refused
    wait_for("the node to say why", lambda: NOT_THE_STORE in other.log_text(), seconds=60)
    wait_for("the node to be disconnected", lambda: other.metric("outport_node_sync_connected") == 0)

    fleet.store.stop()
    for name, text in kept.items():
        (fleet.store.data / "pki" / name).write_text(text)
    fleet.store.start()
    assert "eve" not in [user["name"] for user in fleet.control_json("user", "list")]
    fleet.join(joining, token)  # nobody has used the token
    wait_for("the node to follow the store", lambda: other.metric("outport_node_sync_connected") == 1)


def test_a_certificate_without_access_is_refused_in_the_handshake(new_fleet):
    """outportctl with a client's certificate: the store logs the reason, outportctl names the role."""
    fleet = new_fleet()
    profile = fleet.folder / "laptop"
    profile.mkdir(mode=0o700)
    for name, source in {"ca.crt": fleet.admin / "ca.crt", "outportctl.yml": fleet.admin / "outportctl.yml",
                         "admin.crt": fleet.certificates / "client.cert",
                         "admin.key": fleet.certificates / "client.key"}.items():
        (profile / name).write_text(source.read_text())
        (profile / name).chmod(0o600)
    refused = run(CONTROL, "--profile", profile, "user", "list", check=False)
    assert refused.returncode == 1 and "has the role 'client'" in refused.stderr, refused
    wait_for("the reason in the store's log",
             lambda: "the fleet port admits nodes and administrators" in fleet.store.log_text())


def test_a_node_that_was_removed_while_it_was_down_says_why(new_fleet):
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    node.stop()
    fleet.control("node", "remove", "eu-west")
    node.spawn()
    wait_for("the reason", lambda: node.healthy() and "was revoked" in node.operations("/readyz")[1])
    status, reasons = node.operations("/readyz")
    assert status == 503 and "the store rejects this node" in reasons
    assert node.metric("outport_node_sync_connected") == 0
