"""Clients that push, move, delete, mount and pull images all at once, and know what must be there.

Each pusher has repositories of its own, so it knows what every tag in them is: a promise. Pullers hold
the registry to the promises. In the shared repositories anything may happen, but bytes must be right.
"""

import json
import threading
import time

from client import MANIFEST, digest_of
from promised import Promise, Session, Unknown, Violation, image, index, missing, sequence_of, wrong_bytes

TAGS = ("a", "b", "c", "latest")
SHARED = ("shared/one", "shared/two")
POOL = [b"layer %d of all repositories " % number * (1 + number * 700) for number in range(12)]


class Worker(threading.Thread):
    """Repeats step() until the end of the churn, or until a promise is broken."""

    def __init__(self, churn, name):
        super().__init__(name=name)
        self.churn, self.chance = churn, churn.chance_for(name)
        self.session = Session(churn.members)
        self.failure, self.steps, self.unknown = None, 0, 0

    def run(self):
        try:
            while not self.churn.ended.is_set():
                try:
                    self.step()
                    self.steps += 1
                except Unknown:
                    self.unknown += 1
                    self.churn.ended.wait(0.05)  # the member starts again
        except Exception as failure:  # the test reports it
            self.failure = failure
            self.churn.ended.set()

    def member(self):
        return self.chance.choice(self.churn.members)


class Puller(Worker):
    """Pulls what is promised, and what is in the shared repositories."""

    def step(self):
        if self.chance.random() < 0.2:
            return self.pull_shared()
        promised = self.churn.promises.all()
        if not promised:
            return self.pull_shared()
        key, promise = self.chance.choice(promised)
        member = self.member()
        lacks = missing(self.session, member, *key, promise)
        if lacks and self.churn.promises.holds(key, promise):
            raise Violation(f"{member.name} broke the promise {key} of sequence {promise.sequence}: {lacks}\n"
                            + self.churn.history(key[0]))

    def pull_shared(self):
        member, at = self.member(), f"/v2/{self.chance.choice(SHARED)}"
        answer = self.session.get(member, f"{at}/manifests/{self.chance.choice(TAGS)}")
        if answer.status == 404:
            return
        if answer.status != 200 or wrong_bytes(answer, answer.headers["Docker-Content-Digest"]):
            raise Violation(f"{member.name}, {at}: {answer.status} {answer.body[:300]}")
        document = json.loads(answer.body)
        for part in [document["config"], *document["layers"]]:
            answer = self.session.get(member, f"{at}/blobs/{part['digest']}")
            if answer.status not in (200, 404) or wrong_bytes(answer, part["digest"]):
                raise Violation(f"{member.name}, {at}, {part['digest']}: {answer.status}")


class Pusher(Worker):
    """Changes its own repositories, and the shared ones."""

    def __init__(self, churn, name):
        super().__init__(churn, name)
        self.own, self.builds = f"own/{name}", f"ci/{name}"
        self.number = 0
        self.built = []  # the tags of all builds
        self.children = []  # the last children of an index
        self.deleted = {}  # tag: the promise before its deletion

    def step(self):
        steps = {self.push_image: 6, self.push_index: 3, self.push_build: 3, self.push_shared: 4,
                 self.move_tag: 3, self.delete_tag: 3, self.delete_manifest: 3, self.push_referrer: 2,
                 self.index_of_known_child: 2, self.delete_shared_blob: 1, self.leave_garbage: 1,
                 self.restore_tag: 1}
        self.chance.choices(list(steps), list(steps.values()))[0]()

    def new_image(self, kind, subject=None):
        self.number += 1
        if self.chance.random() < 0.3:  # one of few, so that it may come back after its deletion
            number = self.number % 3
            return image(f"{self.name} {kind} of few {number}", POOL[number:2 * number], subject)
        layers = self.chance.sample(POOL, self.chance.randint(0, 3))
        if self.chance.random() < 0.3:
            layers.append(self.chance.randbytes(self.chance.choice((10, 3000, 300_000))))
        return image(f"{self.name} {kind} {self.number}", layers, subject)

    # What clients do before they put a manifest.

    def ensure_blob(self, member, repository, data):
        at, digest = f"/v2/{repository}/blobs", digest_of(data)
        way = self.chance.choice(("look", "mount", "push", "push in parts"))
        if way == "look":
            if self.session.send(member, "HEAD", f"{at}/{digest}").status == 200:
                return
        if way == "mount":
            source = self.chance.choice((*SHARED, self.own, self.builds))
            answer = self.session.send(member, "POST", f"{at}/uploads/?mount={digest}&from={source}")
            if answer.status == 201:
                return
            self.expect(answer, 202)
            return self.finish(member, answer.headers["Location"], digest, data)
        if way == "push":
            return self.expect(self.session.send(member, "POST", f"{at}/uploads/?digest={digest}", data), 201)
        answer = self.session.send(member, "POST", f"{at}/uploads/")
        self.expect(answer, 202)
        half = len(data) // 2
        answer = self.session.send(member, "PATCH", answer.headers["Location"], data[:half])
        self.expect(answer, 202)
        self.finish(member, answer.headers["Location"], digest, data[half:])

    def finish(self, member, location, digest, data):
        joint = "&" if "?" in location else "?"
        self.expect(self.session.send(member, "PUT", f"{location}{joint}digest={digest}", data), 201)

    def expect(self, answer, *statuses):
        if answer.status not in statuses:
            raise Violation(f"{answer.status} {answer.body}, not {statuses}")

    def put(self, member, repository, reference, content, since):
        """Returns the response; None if the leases that began at `since` may have ended."""
        answer = self.session.send(member, "PUT", f"/v2/{repository}/manifests/{reference}", content.body,
                                   **{"Content-Type": content.media_type})
        if answer.status == 201:
            return answer
        # A touch renews a lease only when less than half of it is left.
        late = time.monotonic() - since > self.churn.lease / 2
        if answer.status == 400 and (late or repository in SHARED):
            return None
        raise Violation(f"{member.name} refused {reference} in {repository}: {answer.status} {answer.body}")

    def put_tag(self, member, repository, tag, content, since):
        promises = self.churn.promises
        before = promises.withdraw(repository, tag)
        answer = self.put(member, repository, tag, content, since)
        if answer is None:
            if before is not None:
                promises.make(repository, tag, before)
            return
        promises.make(repository, tag, Promise(content, sequence_of(answer)))

    def push_content(self, member, repository, content, tag=None):
        """Pushes everything below a manifest, and then the manifest."""
        since = time.monotonic()
        for child in content.children:
            if not self.push_content(member, repository, child):
                return False
        for data in content.blobs:
            self.ensure_blob(member, repository, data)
        if tag:
            self.put_tag(member, repository, tag, content, since)
            return True
        return self.put(member, repository, content.digest, content, since) is not None

    # The steps.

    def push_image(self):
        tag = self.chance.choice(TAGS)
        self.push_content(self.member(), self.own, self.new_image("image"), tag)

    def push_index(self):
        children = [self.new_image("child") for _ in range(self.chance.randint(1, 3))]
        if self.chance.random() < 0.3:
            # A tagged index of these children is another manifest: its deletion must not take this one.
            children = [index(children, "child"), self.new_image("child")]
        self.children = [child for child in children if child.media_type == MANIFEST]
        self.push_content(self.member(), self.own, index(children), self.chance.choice(TAGS))

    def index_of_known_child(self):
        """A client that finds a manifest in the registry, and does not push it again."""
        member = self.member()
        known = []
        since = time.monotonic()
        for child in self.children:
            answer = self.session.send(member, "HEAD", f"/v2/{self.own}/manifests/{child.digest}")
            if answer.status == 200:
                known.append(child)
        if known:
            self.put_tag(member, self.own, self.chance.choice(TAGS), index(known), since)

    def push_build(self):
        """Retention keeps the newest two builds, so nothing is promised about the one before."""
        for tag in self.built[:-1]:
            self.churn.promises.withdraw(self.builds, tag)
        self.built = [*self.built[-1:], f"b{self.number}"]
        self.push_content(self.member(), self.builds, self.new_image("build"), self.built[-1])

    def push_shared(self):
        """Others may delete the blobs before the manifest names them."""
        member, repository = self.member(), self.chance.choice(SHARED)
        content = image("shared", self.chance.sample(POOL, 2))
        for data in content.blobs:
            self.ensure_blob(member, repository, data)
        self.put(member, repository, self.chance.choice(TAGS), content, 0)

    def promised(self):
        """One of the own tags that point to something, with its promise; or None."""
        found = [(tag, promise) for tag in TAGS
                 if (promise := self.churn.promises.of(self.own, tag)) and promise.content]
        return self.chance.choice(found) if found else None

    def move_tag(self):
        if found := self.promised():
            self.put_tag(self.member(), self.own, self.chance.choice(TAGS), found[1].content, time.monotonic())

    def push_referrer(self):
        if not (found := self.promised()):
            return
        tag, promise = found
        referrer = self.new_image("referrer", promise.content)
        member = self.member()
        since = time.monotonic()
        for data in referrer.blobs:
            self.ensure_blob(member, self.own, data)
        answer = self.put(member, self.own, referrer.digest, referrer, since)
        if answer is not None:
            self.churn.promises.make(self.own, tag, Promise(
                promise.content, max(sequence_of(answer), promise.sequence), (*promise.referrers, referrer)))

    def delete_tag(self):
        if not (found := self.promised()):
            return
        tag, promise = found
        self.churn.promises.withdraw(self.own, tag)
        answer = self.session.send(self.member(), "DELETE", f"/v2/{self.own}/manifests/{tag}")
        self.expect(answer, 202)
        self.churn.promises.make(self.own, tag, Promise(None, sequence_of(answer)))
        self.deleted[tag] = promise

    def delete_manifest(self):
        """Takes all tags of the manifest with it."""
        if not (found := self.promised()):
            return
        content = found[1].content
        tags = [tag for tag in TAGS if (promise := self.churn.promises.of(self.own, tag))
                and promise.content and promise.content.digest == content.digest]
        before = {tag: self.churn.promises.withdraw(self.own, tag) for tag in tags}
        answer = self.session.send(self.member(), "DELETE", f"/v2/{self.own}/manifests/{content.digest}")
        self.expect(answer, 202)
        for tag in tags:
            self.churn.promises.make(self.own, tag, Promise(None, sequence_of(answer)))
        self.deleted |= before

    def delete_shared_blob(self):
        path = f"/v2/{self.chance.choice(SHARED)}/blobs/{digest_of(self.chance.choice(POOL))}"
        self.expect(self.session.send(self.member(), "DELETE", path), 202, 404, 405)

    def leave_garbage(self):
        self.ensure_blob(self.member(), self.chance.choice((self.own, *SHARED)), self.chance.randbytes(5000))

    def restore_tag(self):
        """An administrator brings back a tag that this client has just deleted."""
        tag = self.chance.choice(TAGS)
        before = self.churn.promises.of(self.own, tag)
        promise = self.deleted.pop(tag, None)
        if before is None or before.content or promise is None:
            return
        self.churn.promises.withdraw(self.own, tag)
        restored = self.churn.restore(self.own, tag)
        if restored is None:  # the trash window has ended
            self.churn.promises.make(self.own, tag, before)
            return
        digest, sequence = restored
        if digest != promise.content.digest:
            raise Violation(f"{self.own}:{tag} was restored to {digest}, not to {promise.content.digest}")
        self.churn.promises.make(self.own, tag, Promise(promise.content, sequence))
