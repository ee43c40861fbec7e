"""Server certificates from files: reloaded when they change, without a restart or a lost request."""

import os

import pytest

from client import RegistryClient, Requests
from fleet import PASSWORD
from processes import free_port, run, wait_for
from public_authority import PublicAuthority, as_shown, shown_certificate


class Live:
    """The layout of certbot: links to a certificate and its key, replaced one after the other."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.certificate, self.key = folder / "fullchain.pem", folder / "privkey.pem"

    def point_to(self, certificate, key):
        for link, target in ((self.certificate, certificate), (self.key, key)):
            new = link.with_suffix(".new")
            new.symlink_to(target)
            os.replace(new, link)


@pytest.fixture(name="site")
def make_site(new_fleet, tmp_path):
    """A fleet whose store and node serve certificates of a public CA, from such links."""
    fleet = new_fleet("eu-west")
    fleet.public = PublicAuthority(tmp_path / "public")
    fleet.live = Live(tmp_path / "live")
    fleet.first = fleet.public.issue("first", "IP:127.0.0.1")
    fleet.live.point_to(*fleet.first)
    for member in fleet.members():
        member.plain_port = free_port()
        member.set_registry(certificate=fleet.live.certificate, key=fleet.live.key,
                            http_listen=f"127.0.0.1:{member.plain_port}")
    fleet.trusting = fleet.certificates_trusting(fleet.public.certificate.read_text())
    return fleet


def client_of(site, member):
    return RegistryClient(site.host, member.registry_port, site.trusting, "demo", PASSWORD)


def test_a_renewal_is_followed_without_a_lost_request(site):
    for member in site.members():
        assert shown_certificate(site.host, member.registry_port) == as_shown(site.first[0])
    with Requests(client_of(site, site.store)) as store, \
            Requests(client_of(site, site.nodes["eu-west"])) as node:
        for name in ("second", "third"):
            renewed = site.public.issue(name, "IP:127.0.0.1")
            site.live.point_to(*renewed)
            for member in site.members():
                wait_for(f"{member.name} to show the {name} certificate", lambda: shown_certificate(
                    site.host, member.registry_port) == as_shown(renewed[0]))  # noqa: B023
    assert (store.failures, node.failures) == ([], [])
    for member in site.members():
        assert member.metric("outport_server_certificate_reloads_total") == 2
        assert member.warnings(ready=True) == [], "half of a pair is nothing to complain of"


def test_an_invalid_file_keeps_the_old_certificate_and_is_reported(site):
    other = site.public.issue("other", "IP:127.0.0.1")
    site.live.point_to(other[0], site.first[1])
    for member in site.members():
        warnings = wait_for("a warning", lambda: member.warnings(ready=True))  # noqa: B023
        assert "the server's private key does not belong to its certificate" in warnings[0]
        assert member.metric("outport_server_certificate_reload_failed") == 1
        assert client_of(site, member).get("/v2/").status == 200
        assert shown_certificate(site.host, member.registry_port) == as_shown(site.first[0])
        wait_for("the log", lambda: "server certificate reload failed: previous files stay in use"
                 in member.log_text())  # noqa: B023
        wait_for("the status to tell", lambda: any(
            warning["source"] == member.name and "does not belong to its certificate" in warning["message"]  # noqa: B023
            for warning in site.control_json("status")["warnings"]))
        assert f"warning: {member.name}: " in site.control("status").stdout
    site.live.point_to(*other)
    for member in site.members():
        wait_for("the fix", lambda: not member.warnings(ready=True))  # noqa: B023
    wait_for("the status to be quiet", lambda: site.control_json("status")["warnings"] == [])
    for member in site.members():
        assert shown_certificate(site.host, member.registry_port) == as_shown(other[0])


def test_the_http_port_redirects_to_https(site):
    for member in site.members():
        done = run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
                   f"http://127.0.0.1:{member.plain_port}/v2/")
        assert done.stdout == f"308 https://127.0.0.1:{member.registry_port}/v2/"
        followed = run("curl", "-sS", "-L", "--cacert", site.public.certificate, "--cert",
                       site.trusting / "client.cert", "--key", site.trusting / "client.key",
                       f"http://127.0.0.1:{member.plain_port}/v2/")
        assert "UNAUTHORIZED" in followed.stdout


def test_i12_invalid_files_at_start_are_named(site):
    member = site.nodes["eu-west"]
    member.stop()
    (site.live.certificate).unlink()
    for command in ("serve", "check"):
        done = run(member.command[0], command, "--config", member.config, check=False)
        assert done.returncode != 0
        assert str(site.live.certificate) in done.stderr, done.stderr
    site.live.point_to(*site.first)
    member.start()


def test_the_fleet_ports_own_certificate_renews_itself_beside_it(site):
    store, node, pki = site.store, site.nodes["eu-west"], site.store.data / "pki"
    store.stop()
    fleets = PublicAuthority(site.folder / "fleets", pki / "issuing.crt", pki / "issuing.key")
    certificate, key = fleets.issue("store", "IP:127.0.0.1", -1)
    chain = "".join(part.read_text() for part in (certificate, pki / "issuing.crt", pki / "root.crt"))
    (pki / "server.crt").write_text(chain)
    (pki / "server.key").write_text(key.read_text())
    store.start()
    end = run("openssl", "x509", "-in", pki / "server.crt", "-noout", "-checkend", str(300 * 86400), check=False)
    assert end.returncode == 0, "it lasts a year again"
    assert (pki / "server.key").read_text() == key.read_text()
    wait_for("the node to follow", lambda: node.metric("outport_node_sync_connected") == 1)
    assert client_of(site, store).get("/v2/").status == 200, "the registry shows another one"
