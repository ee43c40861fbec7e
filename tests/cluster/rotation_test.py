"""Rotation of the fleet's CAs, while clients and nodes continue."""

import contextlib
import json
import shutil
import ssl

import pytest

from client import RegistryClient, Requests
from connections import cut_by, open_connection
from fleet import PASSWORD
from processes import PATIENCE, run, wait_for


def rotate(fleet, *words, check=True):
    return fleet.control("ca", "rotate", *words, check=check)


def status(fleet):
    return fleet.control_json("ca", "rotate", "status")


def kept(fleet):
    """The client's certificate and its ca.crt."""
    folder = fleet.folder / "before"
    shutil.copytree(fleet.certificates, folder)
    return folder


def client(fleet, member, certificates):
    return RegistryClient(fleet.host, member.registry_port, certificates, "demo", PASSWORD, 60)


def works(fleet, certificates, tag):
    """Pushes at each member and pulls from all members."""
    for member in fleet.members():
        name = f"{tag}-{member.name}"
        digest = client(fleet, member, certificates).push_image("team/app", name, name.encode())
        for other in fleet.members():
            answer = client(fleet, other, certificates).get(f"/v2/team/app/manifests/{name}")
            assert answer.status == 200, f"{name} at {other.name}: {answer}"
            assert answer.headers["Docker-Content-Digest"] == digest


def issuer(path):
    """The key id of the issuer of the first certificate in the file."""
    text = run("openssl", "x509", "-in", path, "-noout", "-ext", "authorityKeyIdentifier").stdout
    return text.split()[-1]


def renew_all(fleet):
    for folder in (fleet.certificates, fleet.admin):
        fleet.control("cert", "renew", folder)


@pytest.fixture(name="fleet")
def make_fleet(new_fleet):
    return new_fleet("eu-west", "us-east")


def kill_and_start(fleet):
    fleet.store.kill()
    fleet.store.start()
    wait_for("the nodes to be back", lambda: all(
        node["connected"] for node in fleet.control_json("node", "list")))
    wait_for("the nodes to be ready", lambda: all(node["ready"] for node in status(fleet)["nodes"]))


def switch_issuing(fleet, before):
    """Waits until the next CA issues."""
    old = issuer(fleet.nodes["eu-west"].data / "pki/identity.crt")
    started = rotate(fleet, "issuing")
    assert "phase 1 of 2" in started.stdout and "all nodes are ready" in started.stdout
    assert rotate(fleet, "issuing", check=False).returncode == 1, "one at a time"
    works(fleet, before, "trusted")
    rotate(fleet, "undo")
    assert status(fleet)["phase"] == ""
    rotate(fleet, "issuing")
    switched = rotate(fleet, "continue")
    assert "phase 2 of 2" in switched.stdout
    assert sorted(row["name"] for row in status(fleet)["certificates"]) == ["admin", "desktop"]
    for node in fleet.nodes.values():
        for name in ("identity.crt", "server.crt"):
            assert issuer(node.data / "pki" / name) != old
    assert issuer(fleet.store.data / "pki/server.crt") != old
    works(fleet, before, "switched")


def test_an_issuing_ca_is_replaced_without_a_pause(fleet):
    before = kept(fleet)
    with contextlib.ExitStack() as stack:
        flowing = [stack.enter_context(Requests(client(fleet, member, before)))
                   for member in fleet.members()]
        switch_issuing(fleet, before)
    assert [requests.failures for requests in flowing] == [[], [], []]
    refused = rotate(fleet, "continue", check=False)
    assert refused.returncode == 1 and "this step would revoke" in refused.stderr
    refused = rotate(fleet, "continue", "--force", check=False)
    assert refused.returncode == 1 and "your own certificate" in refused.stderr
    renew_all(fleet)
    assert status(fleet)["remaining_certificates"] == 0
    open_still = {member.name: open_connection(fleet, member, before, "demo") for member in fleet.members()}
    done, took = cut_by(open_still, lambda: rotate(fleet, "continue"))
    assert "confirmed by eu-west, us-east" in done.stdout
    assert max(took.values()) < 1 * PATIENCE
    works(fleet, fleet.certificates, "done")
    assert status(fleet)["phase"] == ""
    listed = {row["serial"]: row["status"] for row in fleet.control_json("cert", "list")}
    assert "valid" in listed.values() and "revoked" in listed.values()
    for member in fleet.members():
        answer = client(fleet, member, before).get("/v2/")
        assert answer.status == 400, f"{member.name}: {answer}"
    for member in fleet.members():
        member.stop()
        member.start()
    works(fleet, fleet.certificates, "again")


def test_a_root_is_replaced_with_keys_offline_and_the_store_killed_at_each_phase(fleet, tmp_path):
    before = kept(fleet)
    early = fleet.invite("late")
    root_key, new_root_key = tmp_path / "root.key", tmp_path / "new-root.key"
    shutil.move(fleet.store.data / "pki/root.key", root_key)
    refused = rotate(fleet, "root", check=False)
    assert refused.returncode == 1 and "--root-key" in refused.stderr

    refused = rotate(fleet, "root", "--new-root-key", new_root_key, check=False)
    assert refused.returncode == 1 and "--new-root-key needs --root-key" in refused.stderr

    rotate(fleet, "root", "--root-key", root_key, "--new-root-key", new_root_key, "--key-type", "rsa-2048")
    kill_and_start(fleet)
    works(fleet, before, "trusted")
    rotate(fleet, "continue")
    kill_and_start(fleet)
    works(fleet, before, "switched")
    for _ in range(3):  # a notified node renews at once: it must get certificates of the next CA
        rotate(fleet, "undo", "--wait", "20s")
        rotate(fleet, "continue", "--wait", "20s")
    for node in fleet.nodes.values():
        assert node.metric("outport_node_certificate_renewals_total", result="failed") == 0, node.log_tail(40)
    late = fleet.new_node("late")
    fleet.join(late, early)
    fleet.nodes["late"] = late.start()
    works(fleet, before, "joined")
    wait_for("the node to be ready", lambda: all(node["ready"] for node in status(fleet)["nodes"]))
    renew_all(fleet)
    works(fleet, fleet.certificates, "renewed")
    rotate(fleet, "continue")
    kill_and_start(fleet)
    works(fleet, fleet.certificates, "done")
    old_root = (before / "ca.crt").read_text()
    root = (fleet.store.data / "pki/root.crt").read_text()
    assert root not in (before / "ca.crt").read_text()
    for member in fleet.members():
        wait_for(f"{member.name} to show the new root's alone", lambda: refuses(fleet, member, before))
        with pytest.raises(ssl.SSLError):
            client(fleet, member, before).get("/v2/")
        shutil.copy(fleet.certificates / "ca.crt", before / "ca.crt")
        answer = client(fleet, member, before).get("/v2/")
        assert answer.status == 400, f"its own certificate is of the older root: {answer}"
        (before / "ca.crt").write_text(old_root)
    assert oct(new_root_key.stat().st_mode & 0o777) == "0o600"
    shown = fleet.control("ca", "show").stdout
    assert shown.count("RSA 2048") == 2, shown
    assert not (fleet.store.data / "pki/root.key").exists()
    refused = rotate(fleet, "root", "--root-key", root_key, "--new-root-key", tmp_path / "none", check=False)
    assert refused.returncode == 1 and "as the key of" in refused.stderr
    assert "none was written" not in refused.stderr and not (tmp_path / "none").exists()
    rotate(fleet, "issuing", "--root-key", new_root_key)
    works(fleet, fleet.certificates, "next")


def refuses(fleet, member, certificates):
    try:
        client(fleet, member, certificates).get("/v2/")
    except ssl.SSLError:
        return True
    return False


def test_i6_a_node_that_was_left_behind_is_out_until_it_joins_again(fleet):
    eu = fleet.nodes["eu-west"]
    rotate(fleet, "issuing")
    eu.stop()
    refused = rotate(fleet, "continue", check=False)
    assert refused.returncode == 1 and "eu-west (disconnected)" in refused.stderr
    late = rotate(fleet, "continue", "--force", "--wait", "3s", check=False)
    assert late.returncode == 1 and "the phase has started" in late.stderr and "eu-west (disconnected)" in late.stderr
    renew_all(fleet)
    rotate(fleet, "continue", "--force")
    eu.spawn()
    wait_for("the node to be up", eu.healthy)
    wait_for("the store to refuse it", lambda: "revoked" in eu.log_text())
    nodes = {node["name"]: node["connected"] for node in fleet.control_json("node", "list")}
    assert nodes == {"eu-west": False, "us-east": True}
    eu.stop()
    token = fleet.invite("eu-west", "--replace")
    run(eu.command[0], "join", "--data", eu.data, "--replace", stdin=token + "\n")
    eu.start()
    works(fleet, fleet.certificates, "back")
    assert json.loads(fleet.control("-o", "json", "ca", "rotate", "status").stdout)["kind"] == ""
