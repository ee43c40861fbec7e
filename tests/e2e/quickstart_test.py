"""examples/quickstart.sh as a person runs it, in a network namespace so that its ports are free."""

import os
import pathlib
import re
import subprocess

import pytest

from namespaces import DockerEngine, Network, reason_to_skip
from processes import ROOT, Daemon, run

REASON = reason_to_skip()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
QUICKSTART = ROOT / "examples" / "quickstart.sh"
NAMES = ("store", "eu-west", "us-east")


@pytest.fixture
def network():
    network = Network()
    try:
        yield network.up()
    finally:
        network.down()


@pytest.fixture
def quickstart(network, tmp_path):
    """Runs the script with its data in the test's folder, and cleans up whatever happens."""
    data = tmp_path / "demo"

    def call(*words, check=True):
        return run(QUICKSTART, "--data", data, *words, prefix=network.in_fleet, check=check,
                   seconds=1800)

    call.data = data
    yield call
    call("--clean", check=False)


def pids(data):
    return {name: int((data / "run" / f"{name}.pid").read_text()) for name in NAMES}


def alive(pid):
    """Whether the process runs; an ended process can stay a zombie until its parent reaps it."""
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def secrets_in_arguments(password):
    found = []
    for command in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if password.encode() in command.read_bytes():
                found.append(str(command))
        except OSError:
            pass
    return found


def test_two_runs_then_clean(quickstart):
    first = quickstart().stdout
    digests = set(re.findall(r"demo/busybox:1 is (sha256:[0-9a-f]{64})", first))
    assert len(digests) == 1
    assert first.count("the same\n") == 2
    for port in (5000, 5010, 5020):
        assert f"https://127.0.0.1:{port}" in first
    assert "docker sends no client certificate to 127.0.0.0/8" in first
    assert "--down" in first and "--clean" in first
    data = quickstart.data
    started = pids(data)
    password = (data / "password").read_text().strip()
    assert (data / "password").stat().st_mode & 0o077 == 0
    assert (data / "auth.json").stat().st_mode & 0o077 == 0
    assert not secrets_in_arguments(password)
    assert password not in first

    second = quickstart().stdout
    assert pids(data) == started
    assert "initialised already" in second and second.count("joined already") == 2
    assert (data / "password").read_text().strip() == password
    assert second.count("the same\n") == 2

    quickstart("--down")
    assert not any(alive(pid) for pid in started.values())
    third = quickstart().stdout
    assert third.count("the same\n") == 2
    assert "joined already" in third

    last = pids(data)
    quickstart("--clean")
    assert not any(alive(pid) for pid in last.values())
    assert not data.exists()


def test_with_an_address_docker_does_the_printed_steps(quickstart, network):
    """Runs the steps exactly as the script prints them."""
    said = quickstart("--address", network.fleet_address).stdout
    first = said.split("With docker on this machine")[1].splitlines()[1].strip()
    assert first in ("systemctl start docker", "service docker start")
    steps = [line.strip() for line in said.splitlines()
             if line.strip().startswith(("docker ", "cp -r ", "mkdir -p /etc/docker"))]
    assert len(steps) == 8, said
    engine = DockerEngine(network)
    try:
        engine.start()
        for step in steps:
            # The engine's /etc is in the test's folder; all other paths are as printed.
            here = step.replace("/etc/docker", str(engine.etc / "docker"))
            here = re.sub(r"^docker ", "/usr/bin/docker ", here)
            done = subprocess.run(
                ["bash", "-c", here], capture_output=True, text=True, timeout=120,
                env={**os.environ, "DOCKER_HOST": engine.socket,
                     "DOCKER_CONFIG": str(engine.config)})
            assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
    finally:
        engine.stop()
    refused = quickstart("--address", "10.213.255.1", check=False)
    assert refused.returncode == 1 and "--clean" in refused.stderr


def test_it_does_not_touch_files_of_others(quickstart, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "precious").write_text("keep")
    for words in ((), ("--clean",)):  # a start in this folder would let the script remove it
        refused = run(QUICKSTART, "--data", folder, *words, check=False)
        assert refused.returncode == 1 and str(folder) in refused.stderr
    assert [path.name for path in folder.iterdir()] == ["precious"]


def test_down_does_not_stop_a_process_of_others(quickstart):
    """The pid in a pid file now belongs to another process."""
    data = quickstart.data
    (data / "run").mkdir(parents=True)
    (data / ".outport-demo").touch()
    other = Daemon("sleep", ["sleep", "60"], data / "sleep.log")
    other.spawn()
    try:
        (data / "run" / "store.pid").write_text(str(other.pid))
        quickstart("--down")
        assert other.alive()
    finally:
        other.kill()


def test_wrong_arguments_are_refused():
    refused = run(QUICKSTART, "--adress", "x", check=False)
    assert refused.returncode == 2 and "--adress" in refused.stderr
