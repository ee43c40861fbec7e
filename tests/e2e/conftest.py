"""What the tests with a Docker engine share: a network, a fleet and an engine in it."""

import tarfile

import pytest

from fleet import Fleet
from namespaces import HOST_NAME, DockerEngine, Network


@pytest.fixture(scope="module")
def network():
    network = Network()
    try:
        yield network.up()
    finally:
        network.down()


@pytest.fixture(scope="module")
def docker_fleet(network, tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), host=network.fleet_address, names=[HOST_NAME],
                  prefix=network.in_fleet).start()
    try:
        for name in ("eu-west", "us-east"):
            fleet.add_node(name)
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture(scope="module")
def engine(network, docker_fleet):
    engine = DockerEngine(network)
    try:
        engine.start()
        registries = [f"--for={host}:{member.registry_port}" for member in docker_fleet.members()
                      for host in (HOST_NAME, network.fleet_address)]
        docker_fleet.control("cert", "issue", "docker", *registries, "--out", engine.certificates)
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def base(engine, tmp_path_factory):
    """An image from nothing but Debian's static busybox."""
    folder = tmp_path_factory.mktemp("base")
    archive = folder / "base.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "cat", "sha256sum"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    engine.docker("import", archive, "base:1")
    return "base:1"
