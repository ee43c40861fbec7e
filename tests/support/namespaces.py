"""Networks of a test's own: two namespaces joined by a veth pair, and a Docker engine in one of them.

Docker takes every registry on 127.0.0.0/8 for an insecure one and shows it no client certificate, so
the fleet stands in one namespace, at an address of the pair, and the engine in the other.
"""

import os
import pathlib
import random
import shutil
import tempfile

from processes import Daemon, run, wait_for

DOCKER = "/usr/bin/docker"  # Debian's: PATH may name another one first
HOST_NAME = "registry.outport.test"


def reason_to_skip():
    """The reason why this machine cannot make namespaces, or ''."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    name = f"outport-probe-{os.getpid()}"
    done = run("ip", "netns", "add", name, check=False)
    if done.returncode != 0:
        return f"network namespaces cannot be made here: {done.stderr.strip()}"
    run("ip", "netns", "delete", name)
    return ""


class Network:
    """Namespaces 'fleet' (10.213.N.1) and 'docker' (10.213.N.2)."""

    def __init__(self):
        tag = f"{os.getpid()}{random.randint(10, 99)}"
        self.fleet_namespace, self.docker_namespace = f"outport-f{tag}", f"outport-d{tag}"
        subnet = random.randint(1, 254)
        self.fleet_address, self.docker_address = f"10.213.{subnet}.1", f"10.213.{subnet}.2"

    @staticmethod
    def inside(namespace):
        return ["nsenter", f"--net=/var/run/netns/{namespace}"]

    @property
    def in_fleet(self):
        return self.inside(self.fleet_namespace)

    def up(self):
        first, second = self.fleet_namespace, self.docker_namespace
        run("ip", "netns", "add", first)
        run("ip", "netns", "add", second)
        run("ip", "-n", first, "link", "add", "fleet0", "type", "veth", "peer", "name", "engine0",
            "netns", second)
        for namespace, link, address in ((first, "fleet0", self.fleet_address),
                                         (second, "engine0", self.docker_address)):
            run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", link)
            run("ip", "-n", namespace, "link", "set", link, "up")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        return self

    def down(self):
        for namespace in (self.fleet_namespace, self.docker_namespace):
            run("ip", "netns", "delete", namespace, check=False)


class DockerEngine:
    """A Docker engine with an /etc, an image store and a socket of its own; it reaches no network
    but the namespace's."""

    LAUNCH = 'mount --bind "$1" /etc && shift && exec "$@"'

    def __init__(self, network):
        # Sockets must have short paths.
        self.folder, self.network = pathlib.Path(tempfile.mkdtemp(prefix="outport-")), network
        self.etc = self.folder / "etc"
        self.certificates = self.etc / "docker" / "certs.d"
        self.config = self.folder / "client-config"
        self.socket = f"unix://{self.folder}/docker.sock"
        self.daemon = None

    def start(self):
        self.certificates.mkdir(parents=True)
        self.config.mkdir()
        for name in ("passwd", "group", "nsswitch.conf"):
            shutil.copy(f"/etc/{name}", self.etc / name)
        (self.etc / "hosts").write_text(
            f"127.0.0.1 localhost\n{self.network.fleet_address} {HOST_NAME}\n")
        (self.etc / "resolv.conf").write_text("")
        (self.etc / "docker" / "daemon.json").write_text(
            '{"iptables": false, "bridge": "none", "storage-driver": "vfs"}')
        # The mount namespace ends with the engine: the machine's /etc is never touched.
        command = ["unshare", "--mount", "sh", "-c", self.LAUNCH, "sh", self.etc,
                   "/usr/sbin/dockerd", "--data-root", self.folder / "data",
                   "--exec-root", self.folder / "exec", "--pidfile", self.folder / "pid",
                   "--host", self.socket]
        self.daemon = Daemon("dockerd", command, self.folder / "dockerd.log",
                             self.network.inside(self.network.docker_namespace))
        self.daemon.spawn()
        wait_for("the Docker engine", self.answers, 60)
        return self

    def answers(self):
        if not self.daemon.alive():
            raise AssertionError(f"dockerd ended:\n{self.daemon.log_tail()}")
        return self.docker("info", check=False).returncode == 0

    def docker(self, *words, stdin=None, check=True, seconds=120):
        return run(DOCKER, *words, stdin=stdin, check=check, seconds=seconds, env={
            "DOCKER_HOST": self.socket, "DOCKER_CONFIG": str(self.config), "DOCKER_BUILDKIT": "0"})

    def login(self, at, user, password, check=True):
        return self.docker("login", "--username", user, "--password-stdin", at, stdin=password,
                           check=check)

    def stop(self):
        if self.daemon:
            self.daemon.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
