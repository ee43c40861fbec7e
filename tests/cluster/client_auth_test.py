"""The modes of registry.client_auth, and client certificates of another CA."""

import shutil
import ssl

import pytest

from client import RegistryClient
from fleet import PASSWORD
from processes import wait_for
from public_authority import PublicAuthority


class Bare(RegistryClient):
    """Sends no certificate."""

    def connect(self, with_certificate=True):
        return super().connect(with_certificate=False)


@pytest.fixture(name="site")
def make_site(new_fleet, tmp_path):
    """A fleet, and clients with certificates of another CA."""
    fleet = new_fleet("eu-west")
    fleet.others = PublicAuthority(tmp_path / "others")
    fleet.node = fleet.nodes["eu-west"]
    return fleet


def client_of(site, name, user="demo", kind=RegistryClient):
    """A client with a certificate of the other CA, with that common name."""
    folder = site.others.folder / f"{name}.d"
    if not folder.exists():
        site.others.issue_client(name)
        shutil.copy(site.certificates / "ca.crt", folder)
    return kind(site.host, site.node.registry_port, folder, user, PASSWORD)


def bare(site, user="demo"):
    return Bare(site.host, site.node.registry_port, site.certificates, user, PASSWORD)


def test_i6_strict_refuses_in_the_handshake(site):
    site.node.set_registry(client_auth="strict")
    assert site.node.client().get("/v2/").status == 200
    for client in (bare(site), client_of(site, "build-1")):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            client.get("/v2/")
    wait_for("the reason in the log", lambda: "client certificate rejected" in site.node.log_text())
    assert "unknown authority" in site.node.log_text()


def test_i6_strict_refuses_a_revoked_certificate_in_the_handshake(site, tmp_path):
    site.node.set_registry(client_auth="strict")
    serial = site.control_json("cert", "issue", "lost", "--out", tmp_path / "lost")["serial"]
    lost = RegistryClient(site.host, site.node.registry_port, tmp_path / "lost", "demo", PASSWORD)
    assert lost.get("/v2/").status == 200
    site.control("cert", "revoke", serial, "--wait")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        lost.get("/v2/")
    wait_for("the reason in the log", lambda: "it was revoked; ask" in site.node.log_text())
    refused = [line for line in site.node.log_text().splitlines() if "it was revoked; ask" in line]
    assert "client certificate rejected" in refused[-1]
    assert site.node.client().get("/v2/").status == 200


def test_i6_optional_accepts_no_certificate_and_refuses_an_invalid_one(site):
    site.control("user", "add", "bound", "--allow", "pull", "--only-from", "desk*",
                 stdin=PASSWORD + "\n")
    site.node.set_registry(client_auth="optional")
    assert site.node.client("bound").get("/v2/").status == 200
    assert bare(site).get("/v2/").status == 200
    refused = bare(site, "bound").get("/v2/")
    assert (refused.status, refused.code()) == (403, "DENIED")
    assert "no certificate was sent" in refused.message()
    assert bare(site, user=None).get("/v2/").status == 401
    bad = client_of(site, "build-1").get("/v2/")
    assert bad.status == 400 and "unknown authority" in bad.message()


def test_i6_off_asks_for_no_certificate(site):
    site.node.set_registry(client_auth="off")
    assert bare(site).get("/v2/").status == 200
    assert bare(site, user=None).get("/v2/").status == 401
    assert client_of(site, "build-1").get("/v2/").status == 200, "what is not asked for is no reason"


def test_i6_clients_of_another_ca_are_admitted_until_its_list_names_them(site, tmp_path):
    crl = tmp_path / "crl.pem"
    site.others.write_list(crl)
    site.control("user", "add", "build", "--allow", "pull", "--only-from", "foreign:build-*",
                 stdin=PASSWORD + "\n")
    site.node.set_registry(client_ca=site.others.certificate, client_crl=crl)
    first, second = client_of(site, "build-1", "build"), client_of(site, "build-2", "build")
    other = client_of(site, "laptop", "build").get("/v2/")
    assert other.status == 403
    assert "the certificate that was sent is 'foreign:laptop'" in other.message()
    connection = first.connect()
    connection.request("GET", "/v2/", headers=first.headers())
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() is not None
    site.others.write_list(crl, site.others.folder / "build-1.d" / "client.cert")
    connection.sock.settimeout(30)
    assert connection.sock.recv(1) == b"", "the open connection is cut"
    refused = first.get("/v2/")
    assert refused.status == 400 and "revoked by its authority" in refused.message()
    assert second.get("/v2/").status == 200
    assert site.node.client().get("/v2/").status == 200, "the fleet's own have no list"


def test_i12_an_expired_or_invalid_list_is_reported(site, tmp_path):
    crl = tmp_path / "crl.pem"
    client_of(site, "build-2")
    site.others.write_list(crl, site.others.folder / "build-2.d" / "client.cert")
    site.node.set_registry(client_ca=site.others.certificate, client_crl=crl)
    client = client_of(site, "build-1")
    assert client.get("/v2/").status == 200 and site.node.warnings() == []
    good = crl.read_text()
    crl.write_text(good[:100])
    warned = wait_for("a warning", lambda: site.node.warnings())
    assert f"registry.client_crl: {crl}: block 1 at line 1: it is truncated" in warned[0]
    assert client.get("/v2/").status == 200, "the list that was good still counts"
    refused = client_of(site, "build-2").get("/v2/")
    assert refused.status == 400 and "revoked by its authority" in refused.message()
    crl.write_text("")
    wait_for("the warning of the empty file", lambda: any(
        f"{crl}: the file is empty" in text for text in site.node.warnings()))
    refused = client_of(site, "build-2").get("/v2/")
    assert refused.status == 400 and "revoked by its authority" in refused.message()
    site.others.write_list(crl, days=6 / 86400)  # long enough for the node to read it
    warned = wait_for("the warning of an expired list", lambda: [
        text for text in site.node.warnings() if "a revocation list expired at" in text])
    refused = client.get("/v2/")
    assert refused.status == 400 and "the revocation list of its authority" in refused.message()
    crl.write_text(good)
    wait_for("the warning of an older list", lambda: any(
        "is older than the one in use" in text for text in site.node.warnings()))
    site.others.write_list(crl, site.others.folder / "build-2.d" / "client.cert")
    wait_for("the renewed list", lambda: client.get("/v2/").status == 200)
    assert site.node.warnings() == []
