"""Everything at once and at random: nothing that a tag reaches is lost, and all the rest goes.

Clients push, move, delete, mount and pull at the store and at two nodes, administrators collect, undo,
plan and apply retention, and members are killed. OUTPORT_SECONDS makes it longer; OUTPORT_SEED repeats
the choices of a run, but not its interleaving.
"""

import json
import os
import random
import re
import threading
import time

from churn import Puller, Pusher, Worker
from client import MANIFEST, digest_of
from processes import BIN, PATIENCE, run, wait_for
from promised import Promises, Session, Unknown, Violation, missing

SECONDS = float(os.environ.get("OUTPORT_SECONDS", 12))
PUSHERS, PULLERS = 4, 2
DATA_CHECK = BIN.parent / "tests" / "store_data_check"
RETENTION = """
policies:
  - name: builds
    repositories: ["ci/*"]
    keep:
      - tags: "b.*"
        last_pushed: 2
"""
# What an administrator may be told, for example because another one was faster.
REFUSALS = re.compile("is in progress|no longer holds|has not reported|cannot be undone|is paused"
                      "|does not collect garbage at the moment|trash window has ended"
                      "|it was interrupted|there is no run")
GONE = re.compile("gone, also from the trash|were removed; restore them")
AWAY = re.compile("cannot reach|unreachable|unavailable|connection|deadline", re.I)


class Churn:
    """What the threads of one run share."""

    def __init__(self, fleet, seed, lease):
        self.fleet, self.members, self.seed, self.lease = fleet, fleet.members(), seed, lease
        self.promises, self.ended = Promises(), threading.Event()

    def chance_for(self, name):
        return random.Random(f"{self.seed} {name}")

    def control(self, *words):
        """The output of outportctl; None if it was refused. Unknown if the store was away."""
        done = self.fleet.control("-o", "json", *words, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if AWAY.search(done.stderr):
            raise Unknown(done.stderr)
        if REFUSALS.search(done.stderr) or GONE.search(done.stderr):
            return None
        raise Violation(f"outportctl {' '.join(words)}: {done.stderr}")

    def restore(self, repository, tag):
        """(digest, sequence) of the tag; None if its content is gone."""
        restored = self.control("tag", "restore", f"{repository}:{tag}")
        return restored and (restored["digest"], restored["sequence"])

    def history(self, repository):
        """What happened to the tags of a repository, and the runs: for a report."""
        words = (("tag", "history", repository, "--limit", "60"), ("gc", "history", "--limit", "20"))
        return "\n".join(self.fleet.control(*each, check=False).stdout for each in words)

    def work(self, workers, seconds):
        for worker in workers:
            worker.start()
        self.ended.wait(seconds)
        self.ended.set()
        for worker in workers:
            worker.join()
        failures = [f"{worker.name}: {worker.failure}" for worker in workers if worker.failure]
        assert not failures, "\n".join([f"OUTPORT_SEED={self.seed}", *failures])


class Administrator(Worker):
    """Collects, undoes and plans at random, and restarts members."""

    def step(self):
        steps = {self.collect: 4, self.collect_untagged: 3, self.run_a_plan: 2, self.retain: 3, self.undo: 3,
                 self.pause: 1, self.restart: 1}
        self.chance.choices(list(steps), list(steps.values()))[0]()
        self.churn.ended.wait(self.chance.uniform(0, 1))

    def run_and_undo(self, *words):
        """Undoes some runs at once: their trash may be gone soon."""
        done = self.churn.control(*words)
        if done and self.chance.random() < 0.4:
            self.churn.control("gc", "undo", done["run"])

    def collect(self):
        self.run_and_undo("gc", "run")

    def collect_untagged(self):
        self.run_and_undo("gc", "run", "--delete-untagged")

    def run_a_plan(self):
        if plan := self.churn.control("gc", "plan", "--delete-untagged"):
            self.run_and_undo("gc", "run", "--plan", plan["plan"])

    def retain(self):
        """The second run must not take restored tags for new ones."""
        self.run_and_undo("retention", "run")
        self.churn.control("retention", "run")

    def undo(self):
        ended = [row["run"] for row in self.churn.control("gc", "history", "--limit", "20")
                 if row["state"] in ("done", "failed") and row["kind"] != "clients"]
        if ended:
            self.churn.control("gc", "undo", self.chance.choice(ended))

    def pause(self):
        self.churn.control("gc", "pause", "--why", "at random")
        self.churn.ended.wait(self.chance.uniform(0, 1))
        self.churn.control("gc", "resume")

    def restart(self):
        """After a kill, the store collects only when the lease of the killed process has ended."""
        member = self.member()
        if self.chance.random() < 0.5:
            member.kill()
        else:
            assert member.stop() == 0, f"{member.name}: {member.log_tail()}"
        member.start()


class Content:
    """All content that the store serves: found from the catalog on, as a client finds it."""

    def __init__(self, store):
        self.session, self.store = Session([store]), store
        self.tags, self.manifests, self.links = [], set(), set()
        for repository in self.get("/v2/_catalog?n=1000")["repositories"]:
            listed = self.get(f"/v2/{repository}/tags/list")
            for tag in listed["tags"] or []:
                self.tags.append((repository, tag))
                self.add(repository, tag)

    def get(self, path):
        answer = self.session.get(self.store, path)
        assert answer.status == 200, (path, answer.status, answer.body)
        return json.loads(answer.body)

    def add(self, repository, reference):
        answer = self.session.get(self.store, f"/v2/{repository}/manifests/{reference}")
        assert answer.status == 200, (repository, reference, answer.status, answer.body)
        digest = digest_of(answer.body)
        if (repository, digest) in self.manifests:
            return
        self.manifests.add((repository, digest))
        document = json.loads(answer.body)
        for child in document.get("manifests", []):
            self.add(repository, child["digest"])
        if document["mediaType"] == MANIFEST:
            self.links |= {(repository, part["digest"]) for part in [document["config"], *document["layers"]]}
        for referrer in self.get(f"/v2/{repository}/referrers/{digest}")["manifests"]:
            self.add(repository, referrer["digest"])

    def blobs(self):
        return {digest for _, digest in self.links}


def collect_everything(fleet, seconds):
    """Runs the collector until it has found nothing for `seconds`."""
    found_at = time.monotonic()

    def quiet():
        nonlocal found_at
        row = fleet.control_json("gc", "run", "--delete-untagged")
        assert row["state"] in ("done", "freed"), row
        condemned = fleet.control_json("gc", "status")["condemned"]
        if any(row["removed"].values()) or condemned > 0:
            found_at = time.monotonic()
        return time.monotonic() - found_at > seconds

    wait_for("the collector to come to an end", quiet, 120)


def check_data(fleet, content):
    """The stopped store has exactly this content, and what clients deleted within this hour."""
    assert fleet.store.stop() == 0
    data = json.loads(run(DATA_CHECK, fleet.store.data).stdout)
    assert data["problems"] == []
    trashed_in = {blob["trashed_in"] for blob in data["blobs"]} - {""}
    assert all(name.endswith("-00000000") for name in trashed_in), f"left in the trash of {trashed_in}"
    assert {blob["digest"] for blob in data["blobs"] if not blob["trashed_in"]} == content.blobs()
    rows = {"tag/": len(content.tags), "manifest/": len(content.manifests), "link/": len(content.links),
            "condemned/": 0, "untagged/": 0, "intent/": 0}
    assert {prefix: data["rows"][prefix] for prefix in rows} == rows
    fleet.store.start()


def check_copies(fleet, content):
    """The nodes have no copies of other blobs. They look for those when they start."""
    for node in fleet.nodes.values():
        node.stop()
        node.start()

        def others():
            files = (node.data / "blobs" / "sha256").glob("*/*")
            return {"sha256:" + file.name.split(".")[0] for file in files} - content.blobs()

        wait_for(lambda: f"{node.name} to drop {others()}", lambda: not others(), 60)


def check_promises(churn):
    session = Session(churn.members)

    def lacks(member, key, promise):
        try:
            return missing(session, member, *key, promise) or "nothing"
        except Unknown:  # a node that connects again
            return None

    for key, promise in churn.promises.all():
        for member in churn.members:
            answer = wait_for(f"an answer of {member.name}", lambda: lacks(member, key, promise))
            assert answer == "nothing", (member.name, key, promise.sequence, answer)


def churning_fleet(new_fleet, chance):
    """A fleet whose collector has times from zero to seconds; returns it with its times in seconds."""
    times = {"grace": chance.choice((0, 1, 2)), "lease": chance.choice((1, 2, 4)), "trash": chance.choice((0, 1, 2))}
    fleet = new_fleet("eu-west", "us-east")
    fleet.control("grant", "add", "user:demo", "delete")
    stale = f"{min(times['grace'], 1) * 500}ms"
    fleet.store.set_section("freshness", max_staleness=stale, stale_if_error=stale,
                            on_store_unreachable="serve_stale")
    fleet.store.set_section("gc", **{name: f"{value}s" for name, value in times.items()}, longest_pull="0s",
                            max_rate=100000)
    for member in fleet.members():
        wait_for("a member to take pushes", lambda client=member.client(): client.call(
            "POST", "/v2/shared/one/blobs/uploads/").status == 202)
    return fleet, times


def test_i7_nothing_reachable_is_lost_and_the_rest_goes(new_fleet, tmp_path, record_property):
    seed = int(os.environ.get("OUTPORT_SEED", random.randrange(1 << 30)))
    print(f"OUTPORT_SEED={seed} OUTPORT_SECONDS={SECONDS}")
    record_property("seed", seed)
    fleet, times = churning_fleet(new_fleet, random.Random(seed))
    print(times)
    policies = tmp_path / "retention.yml"
    policies.write_text(RETENTION)
    fleet.control("retention", "apply", policies)
    churn = Churn(fleet, seed, times["lease"])
    workers = [*(Pusher(churn, f"pusher{number}") for number in range(PUSHERS)),
               *(Puller(churn, f"puller{number}") for number in range(PULLERS)),
               Administrator(churn, "administrator")]
    churn.work(workers, SECONDS * PATIENCE)
    print({worker.name: (worker.steps, worker.unknown) for worker in workers})

    fleet.control("gc", "resume")
    fleet.settle()
    check_promises(churn)
    for upload in fleet.control_json("upload", "list"):
        fleet.control("upload", "cancel", upload["id"])
    pause = sum(times.values()) + 2
    collect_everything(fleet, pause)
    check_promises(churn)
    content = Content(fleet.store)
    assert content.tags, "the run promised nothing"
    check_data(fleet, content)
    check_copies(fleet, content)

    session = Session([fleet.store])
    for repository, tag in content.tags:
        answer = session.send(fleet.store, "DELETE", f"/v2/{repository}/manifests/{tag}")
        assert answer.status == 202, (repository, tag, answer.status, answer.body)
    collect_everything(fleet, pause)
    nothing = Content(fleet.store)
    assert not nothing.tags
    check_data(fleet, nothing)
    check_copies(fleet, nothing)
