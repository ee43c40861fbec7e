"""The units in examples/systemd: systemd accepts them, and the daemons run under their hardening.

systemd itself does not run here: its tools read the units, and strace lists the system calls of the daemons.
"""

import pathlib
import re

import pytest

from processes import BIN, run, wait_for

UNITS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "systemd"
PROGRAMS = ("outport-store", "outport-node")
MOST_EXPOSED = 2.0  # of 10; systemd calls it "OK"


def setting(program, key):
    """The values of a key in a unit, one for each line."""
    text = (UNITS / f"{program}.service").read_text()
    return re.findall(rf"(?m)^{key}=(.*)$", text)


@pytest.mark.parametrize("program", PROGRAMS)
def test_systemd_verifies_the_unit(tmp_path, program):
    unit = tmp_path / f"{program}.service"
    text = (UNITS / unit.name).read_text()
    assert "ExecStart=/usr/local/bin/" in text
    unit.write_text(text.replace("/usr/local/bin", str(BIN)))
    done = run("systemd-analyze", "verify", "--man=no", unit, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_unit_is_hardened(program):
    done = run("systemd-analyze", "security", "--no-pager", "--offline=yes", UNITS / f"{program}.service",
               check=False)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure.group(1)) <= MOST_EXPOSED, done.stdout


def test_systemd_can_create_the_account(tmp_path):
    (tmp_path / "etc").mkdir()
    run("systemd-sysusers", f"--root={tmp_path}", UNITS / "outport.conf")
    assert re.search(r"(?m)^outport:.*:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text())
    for program in PROGRAMS:
        assert setting(program, "User") == ["outport"]


def calls_of(name):
    """The system calls of one of systemd's sets."""
    calls = set()
    for line in run("systemd-analyze", "syscall-filter", "--no-pager", name).stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= calls_of(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def allowed_calls(program):
    calls = set()
    for words in setting(program, "SystemCallFilter"):
        for name in words.lstrip("~").split():
            calls = calls - calls_of(name) if words.startswith("~") else calls | calls_of(name)
    return calls


def test_the_daemons_make_no_call_that_their_units_forbid(new_fleet, tmp_path):
    fleet = new_fleet("eu-west")
    if run("strace", "-o", "/dev/null", "true", check=False).returncode != 0:
        pytest.skip("strace may not trace here")
    for member in fleet.members():
        member.stop()
    for member in fleet.members():  # the store first
        member.prefix = ["strace", "-D", "-f", "-qq", "-o", tmp_path / member.name]
        member.spawn()
        member.prefix = []
        wait_for(f"{member.name} to be ready", member.ready)
    wait_for("the node to follow", lambda: fleet.nodes["eu-west"].metric("outport_node_sync_connected") == 1)
    node = fleet.nodes["eu-west"].client()
    node.push_image("team/app", "1", b"layer" * 100_000)
    assert node.get("/v2/team/app/manifests/1").status == 200
    assert fleet.store.client().get("/v2/_catalog").status == 200
    for member in fleet.members():
        assert member.stop() == 0
        made = set(re.findall(r"(?m)^\d+ +(\w+)\(", (tmp_path / member.name).read_text()))
        program = pathlib.Path(member.command[0]).name
        # The trace includes the calls before the daemon's own code runs, such as execve.
        assert len(made) > 30
        assert sorted(made - allowed_calls(program)) == []
