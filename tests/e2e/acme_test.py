"""certbot gets and renews a node's certificate from a real ACME server, through the HTTP port."""

import json
import socket
import ssl
import urllib.request

import pytest

from client import RegistryClient, Requests
from fleet import PASSWORD
from processes import Daemon, free_port, run, wait_for
from public_authority import PublicAuthority, as_shown, shown_certificate

NAME = "registry.test"


class Acme:
    """Pebble, and the name server that it uses."""

    def __init__(self, folder, challenge_port):
        self.folder = folder
        self.authority = PublicAuthority(folder / "web")
        certificate, key = self.authority.issue("pebble", "DNS:localhost,IP:127.0.0.1")
        self.port, self.management, self.dns, dns_management = (free_port() for _ in range(4))
        config = folder / "pebble.json"
        config.write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(certificate), "privateKey": str(key),
            "httpPort": challenge_port, "tlsPort": free_port()}}))
        # No sleeps between checks, no cached authorizations, and no rejected nonces: certbot gives
        # up after two rejected nonces in a row.
        settings = ["env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0", "PEBBLE_WFE_NONCEREJECT=0"]
        self.daemons = [
            Daemon("names", ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{self.dns}",
                             "-management", f"127.0.0.1:{dns_management}", "-defaultIPv6", "",
                             "-http01", "", "-https01", "", "-tlsalpn01", ""], folder / "names.log"),
            Daemon("pebble", ["pebble", "-config", config, "-dnsserver", f"127.0.0.1:{self.dns}"],
                   folder / "pebble.log", prefix=settings)]

    def __enter__(self):
        for daemon in self.daemons:
            daemon.spawn()
        wait_for("pebble to answer", self.answers)
        return self

    def __exit__(self, *raised):
        for daemon in self.daemons:
            daemon.stop()

    def answers(self):
        for daemon in self.daemons:
            assert daemon.alive(), daemon.log_tail()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def root(self):
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        url = f"https://localhost:{self.management}/roots/0"
        with urllib.request.urlopen(url, context=context, timeout=10) as response:
            return response.read().decode()

    def certbot(self, *words):
        done = run("certbot", *words, "--non-interactive",
                   *(f"--{kind}-dir={self.folder / kind}" for kind in ("config", "work", "logs")),
                   env={"REQUESTS_CA_BUNDLE": str(self.authority.certificate)}, check=False)
        logs = "\n".join(daemon.log_tail(30) for daemon in self.daemons)
        assert done.returncode == 0, done.stdout + done.stderr + logs

    def obtain(self, webroot):
        self.certbot("certonly", "--webroot", "--webroot-path", webroot, "--domain", NAME,
                     "--server", f"https://localhost:{self.port}/dir", "--agree-tos",
                     "--register-unsafely-without-email")

    @property
    def live(self):
        return self.folder / "config" / "live" / NAME


class NamedClient(RegistryClient):
    """Requests a certificate for NAME on loopback."""

    def connect(self, with_certificate=True):
        connection = self.connection(with_certificate)
        connection._create_connection = lambda address, *rest: socket.create_connection(
            ("127.0.0.1", address[1]), *rest)
        connection.connect()
        return connection


@pytest.mark.parametrize("which", ["store", "eu-west"])
def test_certbot_gets_and_renews_without_a_restart_or_a_lost_request(new_fleet, tmp_path, which):
    fleet = new_fleet("eu-west")
    member = next(one for one in fleet.members() if one.name == which)
    webroot, plain_port = tmp_path / "webroot", free_port()
    webroot.mkdir()
    plain = {"http_listen": f"127.0.0.1:{plain_port}", "acme_webroot": webroot}
    member.set_registry(**plain)
    with Acme(tmp_path, plain_port) as acme:
        acme.obtain(webroot)
        files = acme.live / "fullchain.pem", acme.live / "privkey.pem"
        member.set_registry(**plain, certificate=files[0], key=files[1])
        trusting = fleet.certificates_trusting(acme.root())
        first, pid = as_shown(files[0]), member.pid
        assert shown_certificate("127.0.0.1", member.registry_port) == first
        with Requests(NamedClient(NAME, member.registry_port, trusting, "demo", PASSWORD)) as asked:
            acme.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
            renewed = as_shown(files[0])
            assert renewed != first
            wait_for("the renewed certificate", lambda: shown_certificate(
                "127.0.0.1", member.registry_port) == renewed)
            before = asked.count
            wait_for("more requests", lambda: asked.count > before + 2)
        assert asked.failures == []
        assert member.pid == pid and member.alive()
