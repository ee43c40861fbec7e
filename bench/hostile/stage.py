"""The stage of one attack: a fleet of its own, what is measured meanwhile, and the verdict."""

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import tempfile
import threading
import time

import fleet as fleets
from client import RegistryClient
from processes import run

import others
from wanted import WANTED, is_kept, words

MIB = 1 << 20
PHASES = ("quiet", "attack", "after")


class Skipped(Exception):
    """The machine lacks what an attack needs."""


class SmallFleet(fleets.Fleet):
    """A fleet whose store may have a disk and a headroom of its own."""

    def __init__(self, folder, store_folder=None, headroom=None):
        super().__init__(folder)
        self.headroom = headroom
        if store_folder:
            self.store = fleets.Member(self, "store", fleets.STORE, store_folder)

    def init_store(self):
        super().init_store()
        text = self.store.config.read_text()
        text = re.sub(r"(?m)^changes: .*\n", "", text)  # what the tests relax stays at its default
        if self.headroom is not None:
            assert "disk: {headroom: 512MiB}" in text
            text = text.replace("512MiB", str(self.headroom))
        self.store.config.write_text(text)


class Watch(threading.Thread):
    """Samples the members' memory and descriptors ten times a second, and their readiness every second."""

    def __init__(self, members):
        super().__init__(daemon=True)
        self.members, self.phase, self.ended = members, "quiet", threading.Event()
        self.peaks, self.last, self.ready, self.staleness = {}, {}, {}, {}

    def run(self):
        next_look = 0
        while not self.ended.wait(0.1):
            for member in self.members:
                with contextlib.suppress(OSError, AttributeError, AssertionError):
                    self._sample(member)
            if time.monotonic() >= next_look:
                for member in self.members:
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        self._look(member)
                next_look = time.monotonic() + 1

    def _sample(self, member):
        values = {"rss_mib": round(member.resident_mib(), 1),
                  "descriptors": len(os.listdir(f"/proc/{member.pid}/fd"))}
        for name, value in values.items():
            key = (member.name, self.phase, name)
            self.last[key] = value
            self.peaks[key] = max(value, self.peaks.get(key, 0))

    def _look(self, member):
        phase, answer = self.phase, member.operations("/readyz")[0]
        statuses = self.ready.setdefault((member.name, phase), {})
        statuses[answer] = statuses.get(answer, 0) + 1
        staleness = member.metric("outport_node_staleness_seconds")
        self.staleness[phase] = max(staleness, self.staleness.get(phase, 0.0))

    def stop(self):
        self.ended.set()
        self.join()


class Stage:
    """Holds the fleet of an attack, and collects its result."""

    def __init__(self, name, seconds, folder):
        self.seconds = seconds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="outport-hostile-", dir=folder))
        self.result = {"attack": name, "quiet": {}, "under_attack": {}, "p99_ratio": {}, "attackers": {},
                       "notes": {}, "checks": []}
        self.fleet, self.member, self.watch, self.disk = None, None, None, None
        self._closing = contextlib.ExitStack()
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def close(self):
        self._closing.close()

    # The fleet.

    def small_disk(self, size):
        """A file system of `size` bytes in a sparse file."""
        disk, picture = self.folder / "disk", self.folder / "disk.ext4"
        disk.mkdir()
        with open(picture, "wb") as file:
            file.truncate(size)
        done = run("mkfs.ext4", "-q", "-F", "-m", "0", picture, check=False)
        if done.returncode == 0:
            done = run("mount", "-o", "loop", picture, disk, check=False)
        if done.returncode != 0:
            raise Skipped(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        self._closing.callback(run, "umount", "--lazy", disk, check=False)
        self.disk = disk
        return disk

    def start(self, at="store", node=False, nofile=None, disk=None, headroom=None):
        """A store with users, certificates and content, and a node if it is the target or `node` asks for it."""
        folder = self.folder / "fleet"
        folder.mkdir()
        self.fleet = SmallFleet(folder, disk / "store" if disk else None, headroom)
        self._closing.callback(self._stop_fleet)
        if nofile:
            self.limit_descriptors(self.fleet.store, nofile)
        self.fleet.start()
        self.add_user("mallory", "pull,push:mallory/**")
        self.member = self.fleet.store
        if node or at == "node":
            added = self.fleet.new_node("eu-west")
            if nofile:
                self.limit_descriptors(added, nofile)
            self.fleet.join(added, self.fleet.invite("eu-west"))
            self.fleet.nodes["eu-west"] = added.start()
            self.fleet.settle()
            self.member = added if at == "node" else self.member
        first = others.Kept(self.fleet.store.client())
        others.push_blob(first, others.LAYER)
        self.fleet.store.client().push_image(others.REPOSITORY, "v1", others.LAYER)
        self.fleet.settle()
        self.watch = Watch(self.fleet.members())
        self.watch.start()
        time.sleep(0.5)  # the first samples
        self._closing.callback(self.watch.stop)
        return self.fleet

    @staticmethod
    def limit_descriptors(member, nofile):
        member.command = ["prlimit", f"--nofile={nofile}:{nofile}", *member.command]

    def add_user(self, name, grants):
        """A user with a certificate of the same name."""
        self.fleet.control("user", "add", name, "--allow", grants, stdin=fleets.PASSWORD + "\n")
        return self.fleet.control_json("cert", "issue", name, "--out", self.fleet.folder / name)["serial"]

    def client(self, name="mallory", member=None, source=None, timeout=20):
        member = member or self.member
        return RegistryClient(self.fleet.host, member.registry_port, self.fleet.folder / name, name,
                              fleets.PASSWORD, timeout, source)

    def other_client(self):
        return RegistryClient(self.fleet.host, self.member.registry_port, self.fleet.certificates, "demo",
                              fleets.PASSWORD, others.PATIENCE_SECONDS, others.OTHERS)

    def _stop_fleet(self):
        """None, or what went wrong: a deadline, an exit code, a sanitizer's report."""
        try:
            self.fleet.stop()
        except AssertionError as failure:
            return str(failure)[-1500:]
        return None

    # What is measured.

    def measure(self, phase, kinds):
        self.watch.phase = phase
        found = others.measure(self.other_client(), self.fleet, kinds, self.seconds)
        self.result["quiet" if phase == "quiet" else "under_attack"] = found
        return found

    def run_crowd(self, attackers, kinds=("read", "push"), leaves_sessions=False):
        """Others quiet, then beside the attackers; then whether all comes back. Judges what every attack
        has in common. Upload sessions outlive their connections, with an open file each."""
        quiet = self.measure("quiet", kinds)
        self.watch.phase = "attack"
        with attackers:
            self.note("connections that stood", attackers.stood)
            attack = self.measure("attack", kinds)
        self.result["attackers"] = dict(attackers.seen)
        self.come_back(kinds, leaves_sessions)
        self.result["p99_ratio"] = others.ratios(quiet, attack)
        values = self.result["p99_ratio"].values()
        self.check("p99 ratio", None if None in values else max(values, default=None))
        self.check("others failed", sum(sum(one["failures"].values()) for one in attack.values()))

    def come_back(self, kinds=("read", "push"), leaves_sessions=False, seconds=30):
        """Waits until others are served and descriptors are closed, and judges both."""
        self.watch.phase = "after"
        began, back = time.monotonic(), False
        while not back and time.monotonic() < began + seconds:
            back = others.are_served(self.other_client(), self.fleet, kinds)
        self.check("back s", round(time.monotonic() - began, 1) if back else None)
        left = 0 if leaves_sessions else self._descriptors_left()
        while left > WANTED["descriptors left"][1] and time.monotonic() < began + seconds:
            time.sleep(0.5)
            left = self._descriptors_left()
        time.sleep(1)
        if not leaves_sessions:
            self.check("descriptors left", left)
        self.check("peak RSS MiB", self.peak("rss_mib"))

    def _descriptors_left(self):
        time.sleep(0.3)  # the watch samples ten times a second
        return max(self.watch.last.get((member.name, "after", "descriptors"), 0)
                   - self.watch.last.get((member.name, "quiet", "descriptors"), 0)
                   for member in self.fleet.members())

    def peak(self, name, phases=PHASES):
        return max((value for (_, phase, what), value in self.watch.peaks.items()
                    if what == name and phase in phases), default=0)

    # The verdict.

    def note(self, what, value):
        self.result["notes"][what] = value

    def check(self, name, seen):
        self.result["checks"].append({"check": name, "wanted": words(name), "seen": seen,
                                      "ok": is_kept(name, seen)})

    def finish(self):
        """Stops the fleet. Returns the result, with each daemon's figures."""
        if self.watch:
            watch = self.watch
            watch.stop()
            problem = self._stop_fleet()
            self.check("clean stop", problem is None)
            if problem:
                self.note("why the stop was not clean", problem)
            self.result["daemons"] = {
                member.name: {
                    name: {phase: source[member.name, phase, name] for phase, source in (
                        ("quiet", watch.last), ("attack", watch.peaks), ("after", watch.last))
                        if (member.name, phase, name) in source}
                    for name in ("rss_mib", "descriptors")} for member in self.fleet.members()}
            self.result["readyz"] = {f"{name} {phase}": counts for (name, phase), counts in watch.ready.items()}
        self.result["ok"] = all(check["ok"] for check in self.result["checks"])
        return self.result
