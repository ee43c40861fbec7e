"""The texts that docker shows when the registry refuses a request; docs/troubleshooting.md quotes
them."""

import contextlib
import pathlib
import re
import shutil

import pytest

from fleet import PASSWORD
from namespaces import HOST_NAME, reason_to_skip
from processes import run, wait_for
from public_authority import PublicAuthority

REASON = reason_to_skip()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
DOCS = pathlib.Path(__file__).parents[2] / "docs" / "troubleshooting.md"


@pytest.fixture(scope="module", name="node")
def make_node(engine, docker_fleet, base):
    """A node that has team/base:1, which the user demo pushed."""
    node = docker_fleet.nodes["eu-west"]
    wait_for("the user to be known", lambda: engine.login(
        node.at(HOST_NAME), "demo", PASSWORD, check=False).returncode == 0)
    engine.docker("tag", base, image(node))
    engine.docker("push", image(node))
    return node


def image(node, name="team/base:1"):
    return f"{node.at(HOST_NAME)}/{name}"


def refused(engine, *words):
    engine.docker("rmi", "-f", words[-1], check=False) if words[0] == "pull" else None
    done = engine.docker(*words, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def documented(said, phrase):
    assert phrase in said, said
    assert phrase in DOCS.read_text(), f"docs/troubleshooting.md does not know: {phrase}"


@contextlib.contextmanager
def shown(engine, node, certificate, key):
    """Makes docker send this certificate to the node."""
    folder = engine.certificates / node.at(HOST_NAME)
    away = engine.folder / "kept"
    shutil.copytree(folder, away)
    try:
        shutil.copy(certificate, folder / "client.cert")
        shutil.copy(key, folder / "client.key")
        yield
    finally:
        shutil.rmtree(folder)
        shutil.move(away, folder)


class Forge:
    """Certificates of the fleet's own CA that Outport would not issue."""

    def __init__(self, fleet, folder):
        self.pki, self.folder = fleet.store.data / "pki", folder
        (folder / "index").touch()

    def issue(self, kind, start="20260101000000Z", end="20990101000000Z", usage="clientAuth",
              holder="URI:spiffe://outport/client/laptop", key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        """(certificate, key): files."""
        path = self.folder / kind
        run("openssl", "req", "-new", "-newkey", *key, "-nodes", "-subj", f"/CN={kind}", "-keyout",
            f"{path}.key", "-out", f"{path}.csr")
        config = self.folder / f"{kind}.cnf"
        config.write_text(f"""
[ca]
default_ca = fleet
[fleet]
database = {self.folder}/index
new_certs_dir = {self.folder}
default_md = sha256
policy = names
rand_serial = yes
x509_extensions = client
[names]
commonName = supplied
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
authorityKeyIdentifier = keyid
subjectAltName = {holder}
""")
        run("openssl", "ca", "-batch", "-notext", "-config", config, "-cert", self.pki / "issuing.crt",
            "-keyfile", self.pki / "issuing.key", "-in", f"{path}.csr", "-out", f"{path}.crt",
            "-startdate", start, "-enddate", end)
        return f"{path}.crt", f"{path}.key"


@contextlib.contextmanager
def user(engine, fleet, node, name, *options):
    """Logs another user in at the node."""
    fleet.control("user", "add", name, *options, stdin=PASSWORD + "\n")
    wait_for("the user to be known", lambda: engine.login(
        node.at(HOST_NAME), name, PASSWORD, check=False).returncode == 0)
    try:
        yield
    finally:
        fleet.control("user", "remove", name)
        engine.login(node.at(HOST_NAME), "demo", PASSWORD)


def test_certificates(engine, docker_fleet, node, tmp_path):
    docker_fleet.control("cert", "issue", "laptop", "--out", tmp_path / "laptop")
    with shown(engine, node, tmp_path / "laptop/client.cert", tmp_path / "laptop/client.key"):
        engine.docker("pull", image(node))
        text = run("openssl", "x509", "-in", tmp_path / "laptop/client.cert", "-noout", "-serial").stdout
        docker_fleet.control("cert", "revoke", text.strip().split("=")[1].lower(), "--wait")
        documented(refused(engine, "pull", image(node)), "it was revoked")
    with shown(engine, node, docker_fleet.admin / "admin.crt", docker_fleet.admin / "admin.key"):
        documented(refused(engine, "pull", image(node)), "it has the role 'admin'")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", "/CN=stranger", "-keyout", tmp_path / "key", "-out", tmp_path / "crt")
    with shown(engine, node, tmp_path / "crt", tmp_path / "key"):
        documented(refused(engine, "pull", image(node)), "it was issued by an unknown authority, not by this fleet")


def test_certificates_that_no_fleet_would_issue(engine, docker_fleet, node, tmp_path):
    forge = Forge(docker_fleet, tmp_path)
    with shown(engine, node, *forge.issue("good")):
        engine.docker("pull", image(node))
    for made, text in [
        (forge.issue("late", end="20260102000000Z"), "it has expired"),
        (forge.issue("early", start="20980101000000Z"), "it is not yet valid"),
        (forge.issue("server", usage="serverAuth"), "its extended key usage does not allow clients"),
        (forge.issue("weak", key=("rsa:1024",)), "is too weak"),
        (forge.issue("nameless", holder="DNS:laptop"), "the certificate does not have exactly one spiffe:// name"),
    ]:
        with shown(engine, node, *made):
            documented(refused(engine, "pull", image(node)), text)


def test_the_registrys_own_certificate(engine, docker_fleet, node):
    """docker refuses it, before it sends a request."""
    folder = engine.certificates / node.at(HOST_NAME)
    known = (folder / "ca.crt").read_text()
    try:
        (folder / "ca.crt").unlink()
        documented(refused(engine, "pull", image(node)), "certificate signed by unknown authority")
    finally:
        (folder / "ca.crt").write_text(known)
    hosts = engine.etc / "hosts"
    hosts.write_text(hosts.read_text() + f"{docker_fleet.host} other.outport.test\n")
    shutil.copytree(folder, engine.certificates / node.at("other.outport.test"))
    said = wait_for("the name to be known", lambda: [
        text for text in [refused(engine, "pull", f"{node.at('other.outport.test')}/team/base:1")]
        if "lookup" not in text])[0]
    documented(said, "certificate is valid for")
    assert "not other.outport.test" in said


def test_strict(engine, docker_fleet, node):
    node.set_registry(client_auth="strict")
    folder = engine.certificates / node.at(HOST_NAME)
    kept = {name: (folder / name).read_text() for name in ("client.cert", "client.key")}
    try:
        engine.docker("pull", image(node))
        for name in kept:
            (folder / name).unlink()
        documented(refused(engine, "pull", image(node)), "remote error: tls: ")
    finally:
        for name, text in kept.items():
            (folder / name).write_text(text)
        node.set_registry()


def test_an_expired_revocation_list_of_another_ca(engine, docker_fleet, node, tmp_path):
    others = PublicAuthority(tmp_path / "others")
    client, crl = others.issue_client("build-1"), tmp_path / "crl.pem"
    others.write_list(crl)
    node.set_registry(client_ca=others.certificate, client_crl=crl)
    try:
        with shown(engine, node, client / "client.cert", client / "client.key"):
            engine.docker("pull", image(node))
            others.write_list(crl, days=6 / 86400)  # long enough for the node to read it
            wait_for("the warning of an expired list", lambda: any("list expired at" in text for text in node.warnings()))
            documented(refused(engine, "pull", image(node)), "the revocation list of its authority is out of date")
            others.write_list(crl, client / "client.cert")
            wait_for("the newer list", lambda: not node.warnings())
            documented(refused(engine, "pull", image(node)), "it was revoked by its authority")
    finally:
        node.set_registry()


def test_anonymous_pulls_with_its_grants(engine, docker_fleet, node):
    engine.docker("logout", node.at(HOST_NAME))
    try:
        documented(refused(engine, "pull", image(node)), "no basic auth credentials")
        docker_fleet.control("grant", "add", "anonymous", "pull:team/**")
        docker_fleet.settle()
        said = engine.login(node.at(HOST_NAME), "anonymous", "any", check=False)
        assert said.returncode == 0, said.stderr
        engine.docker("pull", image(node))
        engine.docker("tag", "base:1", image(node, "team/theirs:1"))
        refused(engine, "push", image(node, "team/theirs:1"))
        docker_fleet.control("grant", "remove", "anonymous", "pull:team/**")
        docker_fleet.settle()
        documented(refused(engine, "pull", image(node)), "anonymous access is disabled")
    finally:
        engine.login(node.at(HOST_NAME), "demo", PASSWORD)


def test_a_certificate_that_has_grants_is_not_asked_for_a_login(engine, docker_fleet, node):
    engine.docker("tag", "base:1", image(node, "team/mine:1"))
    engine.docker("push", image(node, "team/mine:1"))
    docker_fleet.control("grant", "add", "certificate:docker", "pull:team/**")
    docker_fleet.settle()
    try:
        engine.docker("pull", image(node))
        documented(refused(engine, "push", image(node, "team/mine:1")).replace("'docker'", "'NAME'"),
                   "certificate 'NAME' has no grant to")
    finally:
        docker_fleet.control("grant", "remove", "certificate:docker", "pull:team/**")
        docker_fleet.settle()


def test_users(engine, docker_fleet, node):
    with user(engine, docker_fleet, node, "gone", "--allow", "pull"):
        docker_fleet.control("user", "disable", "gone")
        wait_for("the node to know", lambda: "is disabled" in refused(engine, "pull", image(node)))
        documented(refused(engine, "pull", image(node)), "is disabled")
    with user(engine, docker_fleet, node, "bound", "--allow", "pull"):
        docker_fleet.control("user", "set", "bound", "--only-from", "ci-*")
        wait_for("the node to know", lambda: "ci-" in refused(engine, "pull", image(node)))
        documented(refused(engine, "pull", image(node)), "may log in only with a client certificate named")
    with user(engine, docker_fleet, node, "brief", "--allow", "pull"):
        docker_fleet.control("user", "set", "brief", "--expires", "1s")
        wait_for("its end", lambda: engine.docker("pull", image(node), check=False).returncode != 0)
        documented(refused(engine, "pull", image(node)), "expired at")
    with user(engine, docker_fleet, node, "reader", "--allow", "pull:team/other"):
        documented(refused(engine, "pull", image(node)), "denied")
        assert "user 'reader' has no grant to pull in 'team/base'" in refused(engine, "pull", image(node))
        engine.docker("tag", "base:1", image(node, "team/other:1"))
        assert "has no grant to push" in refused(engine, "push", image(node, "team/other:1"))


def test_nodes(engine, docker_fleet, node):
    docker_fleet.control("node", "set", "eu-west", "--allow", "pull:team/**")
    engine.docker("tag", "base:1", image(node, "team/new:1"))
    wait_for("the node to know", lambda: "may not push" in refused(engine, "push", image(node, "team/new:1")))
    documented(refused(engine, "push", image(node, "team/new:1")), "may not push")
    docker_fleet.control("node", "set", "eu-west", "--allow", "pull,push:other/**")
    wait_for("the node to know", lambda: "may not pull" in refused(engine, "pull", image(node)))
    documented(refused(engine, "pull", image(node)), "this node may not pull in")
    docker_fleet.control("node", "set", "eu-west", "--allow", "pull,push:**")
    wait_for("the node to serve it again",
             lambda: engine.docker("pull", image(node), check=False).returncode == 0)
    node.set_registry(read_only=True)
    documented(refused(engine, "push", image(node, "team/new:1")), "unsupported")
    node.set_registry()


def test_guesses(engine, docker_fleet):
    other = docker_fleet.nodes["us-east"]
    said = []
    for i in range(40):
        said.append(engine.login(other.at(HOST_NAME), "demo", f"guess-{i}", check=False).stderr)
        if re.search("toomanyrequests|Too Many", said[-1]):
            break
    else:
        raise AssertionError(said[-1])
    documented("429" if "429" in said[-1] else "", "429")


def test_a_node_that_is_cut_off(engine, docker_fleet, node):
    store = docker_fleet.store
    store.set_section("access", max_revocation_age="5s")
    wait_for("the node to follow", lambda: engine.docker("pull", image(node), check=False).returncode == 0)
    store.stop()
    try:
        wait_for("its knowledge to be old", lambda: node.metric("outport_node_staleness_seconds") > 6)
        documented(refused(engine, "pull", image(node)),
                   "received unexpected HTTP status: 503 Service Unavailable")
    finally:
        store.start()
