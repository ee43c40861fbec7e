"""The models of garbage collection hold in every state that spin reaches, and fail without any one
of their locks, touches and looks. README.md explains the models."""

import pathlib
import re
import shutil
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).parent
COMPILER = "clang-19"
DEPTH = 1_000_000  # of pan's stack, in steps
SECONDS = 300  # for one search
# A model that cannot move reaches fewer states.
FEWEST_STATES = {"references.pml": 5_000}

# Each variant of a model: its flags, and the switches that it fails with.
VARIANTS = {
    ("store.pml", "SAME"):
        "NO_LOCK_HEAD NO_LOCK_COMMIT NO_LOCK_PUT NO_LOCK_REMOVE NO_LOCK_UNLINK NO_LOCK_COLLECT "
        "NO_LOCK_PURGE NO_TOUCH_HEAD NO_TOUCH_COMMIT NO_TOUCH_PUT NO_LOOK_HEAD NO_LOOK_PUT "
        "NO_LOOK_REFERENCE NO_LOOK_UNLINK NO_LOOK_CONDEMNED NO_LOOK_LEASE "
        "NO_LOOK_PURGE NO_FRESH_OBJECT NO_CONDEMN_LINK NO_CONDEMN_REMOVE NO_ACQUIT",
    ("store.pml", ""): "NO_LOCK_MOUNT NO_TOUCH_MOUNT NO_LOOK_MOUNT NO_LOOK_LAST",
    ("store.pml", "SAME PULLS"): "NO_LOOK_DUE",
    ("store.pml", "SAME CRASH"): "NO_INTENT NO_INTENT_PURGE NO_INTENT_REPLACE NO_LOOK_OWNER",
    ("store.pml", "SAME UNDO"):
        "NO_LOCK_UNDO_LINK NO_LOOK_UNDO_LINK NO_LOCK_UNDO_MANIFEST NO_LOOK_UNDO_MANIFEST",
    ("manifests.pml", ""):
        "NO_LOCK_HEAD NO_LOCK_PUSH NO_LOCK_SWEEP NO_LOCK_UNTAGGED NO_TOUCH_HEAD NO_TOUCH_PUSH "
        "NO_LOOK_PUSH NO_LOOK_REFERRED NO_LOOK_CANDIDATE NO_LOOK_LEASE NO_ADD_PUSHED NO_ADD_MOVED "
        "NO_ADD_UNTAGGED NO_ADD_CHILD NO_ADD_SWEPT",
    ("referrers.pml", ""):
        "NO_ADD_ORPHANED NO_ADD_REFERRER NO_LOCK_SUBJECT NO_LOCK_REFERRER NO_LOCK_CANDIDATE "
        "NO_LOCK_SWEPT NO_LOOK_ROW NO_LOOK_RETURNED NO_LOOK_HERE NO_LOOK_LATER NO_LOOK_SUBJECT "
        "NO_LOOK_ORPHANED",
    ("references.pml", ""): "NO_LOCK_REFERENCE NO_LOOK_STALE",
    ("node.pml", ""):
        "NO_CONFIRM NO_FRESH_OBJECT NO_TOMBSTONE NO_DISCARD NO_ROW_FIRST NO_LOOK_QUARANTINE",
    ("node.pml", "ROUND"): "NO_LOOK_DROP",
    ("node.pml", "ROUND KILL"): "NO_ROUND NO_SETTLE_NODE",
}
INTACT = list(VARIANTS)
WITHOUT = [(*variant, switch) for variant, switches in VARIANTS.items()
           for switch in switches.split()]


class Model:
    """One variant of a model in a folder of its own, as spin and pan see it."""

    def __init__(self, folder, model, flags):
        self.folder, self.model = folder, model
        self.flags = [f"-D{flag}" for flag in flags.split()]
        assert shutil.which("spin"), "the package spin is missing; run tests/install.sh"
        for source in [FOLDER / model, FOLDER / "switch.inc"]:
            shutil.copy(source, folder)

    def call(self, *command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True,
                              timeout=SECONDS)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def spin(self, *options):
        return self.call("spin", f"-P{COMPILER} -E -x c", *self.flags, *options, self.model)

    def search(self, *options):
        """What pan prints. With -DBFS, it stops at a violation that the fewest steps lead to."""
        self.spin("-a")
        self.call(COMPILER, "-w", *options, "-DSAFETY", "-DMEMLIM=3000", "-o", "pan", "pan.c")
        # A breadth-first search needs no stack, and ends soon.
        return self.call("./pan", *(["-w18"] if "-DBFS" in options else [f"-m{DEPTH}", "-w22"]))

    def trail(self):
        """The steps that lead to the violation, one a line."""
        steps = re.findall(r"^ *\d+:\tproc +\d+ \((\w+):\d+\) (\S+) \(state \d+\)\t\[(.*)\]$",
                           self.spin("-t", "-p"), re.M)
        return "\n".join(f"{name:14}{where:16}{step}" for name, where, step in steps
                         if step not in ("IF", "DO", ".(goto)", "break", "else", "(1)"))


@pytest.mark.parametrize(("model", "flags"), INTACT)
def test_the_protocol_holds(model, flags, tmp_path):
    checked = Model(tmp_path, model, flags)
    said = checked.search("-O2")
    if "errors: 0" not in said:
        checked.search("-O2", "-DBFS")
        pytest.fail(f"{said}\nthe shortest way there:\n{checked.trail()}")
    for cut in ("max search depth too small", "Search not completed", "truncated", "MEMLIM"):
        assert cut not in said, f"the search was not exhaustive:\n{said}"
    states = re.search(r"^ *(\d+) states, stored", said, re.M)
    assert states and int(states.group(1)) > FEWEST_STATES.get(model, 50_000), said
    assert re.search(r"^\s+assertion violations\s+\+", said, re.M), said


@pytest.mark.parametrize(("model", "flags", "switch"), WITHOUT)
def test_it_fails_without(model, flags, switch, tmp_path):
    checked = Model(tmp_path, model, f"{flags} {switch}")
    said = checked.search("-O0", "-DBFS")
    assert re.search(r"^pan:1: assertion violated", said, re.M), (
        f"{model} holds without what {switch} takes out:\n{said}")
    print(checked.trail())  # pytest -rP shows it


def test_every_switch_is_tried_and_explained():
    page = (FOLDER / "README.md").read_text()
    for model in {model for model, _ in VARIANTS}:
        text = (FOLDER / model).read_text()
        switches = set(re.findall(r"\bNO_[A-Z_]+\b", text))
        tried = {switch for name, _, switch in WITHOUT if name == model}
        assert switches == tried, model
        assert not [switch for switch in switches if f"`{switch}`" not in page], model
