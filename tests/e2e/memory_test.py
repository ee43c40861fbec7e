"""Memory limits: a daemon is small when idle, and stays small while large blobs move."""

import os
import subprocess

import pytest

from fleet import PASSWORD
from processes import SANITIZED, run, wait_for

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory is counted too")

CLIENTS = 16
IDLE_MIB, BUSY_MIB = 60, 200
BLOB_MIB = 256  # more than BUSY_MIB: a daemon that holds one whole blob in memory fails


@pytest.fixture(scope="module")
def blob(tmp_path_factory):
    """A large file, and its digest."""
    path = tmp_path_factory.mktemp("blob") / "blob"
    piece = bytearray(os.urandom(16 << 20))
    with open(path, "wb") as file:
        for turn in range(BLOB_MIB // 16):
            piece[0] = turn
            file.write(piece)
    yield path, "sha256:" + run("sha256sum", path).stdout.split()[0]
    path.unlink()


def curl(member, *options):
    """Starts curl; it reads the password from standard input."""
    certificates = member.fleet.certificates
    process = subprocess.Popen(
        ["curl", "-sS", "--fail-with-body", "--cacert", certificates / "ca.crt", "--cert",
         certificates / "client.cert", "--key", certificates / "client.key", "-K", "-", *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(f'user = "demo:{PASSWORD}"\n'.encode())
    process.stdin.close()
    return process


def finish(processes, seconds=280):
    for process in processes:
        try:
            assert process.wait(seconds) == 0, process.stdout.read() + process.stderr.read()
        finally:
            process.kill()


def reset_peak(member):
    with open(f"/proc/{member.pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def test_idle_daemons_are_small(new_fleet):
    fleet = new_fleet("eu-west", "us-east")
    for member in fleet.members():
        assert member.resident_mib() < IDLE_MIB, member.name


def test_i8_memory_is_bounded_while_large_blobs_move(new_fleet, blob, tmp_path):
    """I8: 16 clients push a large blob each, through a node and to the store, then pull it from both."""
    fleet = new_fleet("eu-west")
    store, node = fleet.store, fleet.nodes["eu-west"]
    path, digest = blob
    wait_for("the user at the node", lambda: node.client().get("/v2/").status == 200)

    for member in (node, store):
        for daemon in fleet.members():
            reset_peak(daemon)
        client = member.client()
        locations = [client.start_upload("big/app") for _ in range(CLIENTS)]
        finish([curl(member, "-T", path, "-X", "PATCH",
                     "-H", "Content-Type: application/octet-stream",
                     f"https://{member.at()}{location}") for location in locations])
        pushed = [client.finish_upload(location, digest).status for location in locations]
        assert pushed == [201] * CLIENTS
        for daemon in fleet.members():
            print(f"{daemon.name}, peak while {CLIENTS} push to {member.name}: "
                  f"{daemon.resident_mib('VmHWM'):.0f} MiB")
            assert daemon.resident_mib("VmHWM") < BUSY_MIB, daemon.name

    for member in (store, node):
        for daemon in fleet.members():
            reset_peak(daemon)
        finish([curl(member, "-o", "/dev/null", f"https://{member.at()}/v2/big/app/blobs/{digest}")
                for _ in range(CLIENTS)])
        for daemon in fleet.members():
            print(f"{daemon.name}, peak while {CLIENTS} pull from {member.name}: "
                  f"{daemon.resident_mib('VmHWM'):.0f} MiB")
            assert daemon.resident_mib("VmHWM") < BUSY_MIB, daemon.name
    pulled = tmp_path / "pulled"
    finish([curl(node, "-o", pulled, f"https://{node.at()}/v2/big/app/blobs/{digest}")])
    assert run("sha256sum", pulled).stdout.split()[0] == digest[7:]
    pulled.unlink()
    assert store.metric("outport_store_blob_streams_started_total") == 1
