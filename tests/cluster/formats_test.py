"""Data of earlier formats (tests/fixtures), and data that is newer than the programs."""

import glob
import hashlib
import json
import os
import re
import ssl
import tarfile
import time

import pytest

from client import RegistryClient, digest_of
from fleet import NODE, PASSWORD, STORE, Fleet
from processes import ROOT, SANITIZED, run, wait_for

FIXTURES = sorted((ROOT / "tests" / "fixtures").glob("format-*.tar.xz"))
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
NAME = "eu-west"


class ClientOfThePast(RegistryClient):
    """Accepts the certificate of a server that runs at another time."""

    def context(self, with_certificate=True):
        context = super().context(with_certificate)
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
        return context


class OldFleet(Fleet):
    """The fleet of a fixture. Its processes run at the time at which the fixture was made, because
    its certificates expire."""

    def __init__(self, folder, archive):
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
        self.opened = time.monotonic()
        self.known = json.loads((folder / "content.json").read_text())
        super().__init__(folder)
        self.node = self.nodes[NAME] = self.new_node(NAME)
        self.move()

    def move(self):
        """Puts this folder and free ports into the configurations."""
        changes = {self.known["folder"]: str(self.folder)}
        ports = self.known["ports"]
        changes[f":{ports['fleet']}"] = f":{self.fleet_port}"
        for member in self.members():
            old = ports[member.name]
            changes[f":{old['registry']}"] = f":{member.registry_port}"
            changes[f":{old['operations']}"] = f":{member.operations_port}"
        pattern = re.compile("|".join(map(re.escape, changes)))
        for path in (self.store.config, self.node.config, self.admin / "outportctl.yml"):
            path.write_text(pattern.sub(lambda found: changes[found.group()], path.read_text()))

    def set_clock(self):
        """The next process starts a minute after the fixture was made, plus the time of this test."""
        now = self.known["made"] + 60 + time.monotonic() - self.opened
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
        self.prefix = ["env", "TZ=UTC", f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME=@{text}",
                       "DONT_FAKE_MONOTONIC=1"]
        for member in self.members():
            member.prefix = self.prefix

    def start_member(self, member):
        self.set_clock()
        return member.start()

    def control(self, *words, stdin=None, check=True):
        self.set_clock()
        return super().control(*words, stdin=stdin, check=check)

    def client_of(self, member, user="demo"):
        return ClientOfThePast(self.host, member.registry_port, self.certificates, user, PASSWORD)


@pytest.fixture(name="archive", params=FIXTURES, ids=lambda path: path.name.partition(".")[0])
def make_archive(request):
    return request.param


@pytest.fixture(name="old")
def make_old(archive, tmp_path):
    if SANITIZED:
        pytest.skip("a sanitizer's library and the library of the clock cannot both be the first")
    fleet = OldFleet(tmp_path, archive)
    yield fleet
    fleet.stop()


def snapshot(folder):
    """{path: (size, time of change, hash)} of everything in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path.relative_to(folder))] = (status.st_size, status.st_mtime_ns, content)
    return found


def check_content(client, known):
    """Everything that was pushed is there, byte for byte, and nothing that was deleted."""
    for repository, manifests in known["manifests"].items():
        for digest, media_type in manifests.items():
            answer = client.get(f"/v2/{repository}/manifests/{digest}")
            assert answer.status == 200 and digest_of(answer.body) == digest, answer
            assert answer.headers["Content-Type"] == media_type
    for repository, tags in known["tags"].items():
        assert client.get(f"/v2/{repository}/tags/list").json()["tags"] == sorted(tags)
        for tag, digest in tags.items():
            assert digest_of(client.get(f"/v2/{repository}/manifests/{tag}").body) == digest, tag
    for repository, blobs in known["blobs"].items():
        for digest in set(blobs):
            answer = client.get(f"/v2/{repository}/blobs/{digest}")
            assert answer.status == 200 and digest_of(answer.body) == digest, (repository, digest)
    for repository, subjects in known["referrers"].items():
        for subject, referrers in subjects.items():
            index = client.get(f"/v2/{repository}/referrers/{subject}").json()
            assert [entry["digest"] for entry in index["manifests"]] == referrers
    for path in known["deleted"]:
        assert client.get(path).status == 404, path


def continue_upload(client, upload):
    data = upload["data"].encode()
    answer = client.get(upload["location"])
    assert answer.headers["Range"] == f"0-{upload['received'] - 1}", answer
    done = client.finish_upload(answer.headers["Location"], digest_of(data), data[upload["received"]:])
    assert done.status == 201, done
    repository = upload["location"].split("/blobs/")[0]
    assert client.get(f"{repository}/blobs/{digest_of(data)}").body == data


def test_there_are_fixtures():
    assert FIXTURES, "tests/fixtures has a fixture of every format"


def test_i15_a_store_serves_data_of_an_earlier_format(old):
    store, known = old.store, old.known
    old.start_member(store)
    client = old.client_of(store)
    check_content(client, known)
    continue_upload(client, known["upload"])
    digest = client.push_image("team/new", "v1", os.urandom(1000))
    store.stop()
    said = run(STORE, "check", "--data", store.data).stdout
    assert "upgrades" not in said, said
    old.start_member(store)
    check_content(client, known)
    assert digest_of(client.get("/v2/team/new/manifests/v1").body) == digest


def collect_soon(store):
    """The store, which is stopped, will remove content seconds after nothing refers to it."""
    freshness = "freshness: {max_staleness: 500ms, stale_if_error: 1s, on_store_unreachable: serve_stale}"
    text = re.sub(r"(?m)^freshness: .*$", freshness, store.config.read_text())
    store.config.write_text(text + "gc: {grace: 2s, lease: 1s, trash: 1s, longest_pull: 1s}\n")


def referenced_blobs(client, manifests):
    """{repository: digests that these manifests name}"""
    found = {}
    for repository, digests in manifests.items():
        bodies = [client.get(f"/v2/{repository}/manifests/{digest}").json() for digest in digests]
        found[repository] = {entry["digest"] for body in bodies
                             for entry in [body.get("config"), *body.get("layers", [])] if entry}
    return found


def test_i15_the_collector_removes_only_the_garbage_of_an_earlier_format(old):
    if old.known.get("governed"):
        pytest.skip("the collector of this fixture is paused, and its trash is for another test")
    store, known = old.store, old.known
    collect_soon(store)
    old.start_member(store)
    client = old.client_of(store)
    used = referenced_blobs(client, known["manifests"])
    kept = {name: set(blobs) & used[name] for name, blobs in known["blobs"].items()}
    garbage = [(name, blob) for name, blobs in known["blobs"].items() for blob in set(blobs) - used[name]]
    assert garbage, "the fixture has blobs that no manifest refers to"
    wait_for("the garbage to go", lambda: all(
        client.get(f"/v2/{name}/blobs/{blob}").status == 404 for name, blob in garbage), 60)
    lost = {blob.partition(":")[2] for _, blob in garbage} - {
        blob.partition(":")[2] for blobs in kept.values() for blob in blobs}
    wait_for("the bytes to go", lambda: not any(
        file.name.split(".")[0] in lost for file in (store.data / "blobs").rglob("*")), 60)
    check_content(client, known | {"blobs": kept})
    assert client.get(known["upload"]["location"]).status == 204, "the upload goes on"


def test_i15_users_grants_certificates_and_nodes_of_an_earlier_format(old):
    old.start_member(old.store)
    for family, known in old.known["lists"].items():
        listed = [[row[column] for column in known["columns"]]
                  for row in old.control_json(family, "list")]
        assert sorted(listed) == sorted(known["rows"]), family
    assert old.client_of(old.store, "removed").get("/v2/").status == 401
    assert old.client_of(old.store, "disabled").get("/v2/").status == 401
    reader = old.client_of(old.store, "reader")
    assert reader.get("/v2/team/app/manifests/v1").status == 200
    assert reader.call("POST", "/v2/team/app/blobs/uploads/", body=b"").status == 403


def test_i15_rules_policies_history_and_trash_of_an_earlier_format(old):
    governed = old.known.get("governed")
    if governed is None:
        pytest.skip("format 1 had none of this")
    old.start_member(old.store)
    assert old.control_json("tag", "rules") == governed["rules"]
    assert old.control_json("retention", "show")["yaml"] == governed["policies"]
    status = old.control_json("gc", "status")
    assert (status["paused"], status["paused_why"]) == (True, governed["paused"])
    events = old.control_json("tag", "history", "team/app")
    assert [[event["tag"], event["before"], event["after"]] for event in events] == governed["events"]
    client = old.client_of(old.store, "deleter")
    denied = client.call("DELETE", "/v2/team/app/manifests/v1")
    assert denied.status == 403 and b"releases" in denied.body, denied
    for tag, digest in governed["restorable"].items():
        old.control("tag", "restore", f"team/app:{tag}")
        assert digest_of(client.get(f"/v2/team/app/manifests/{tag}").body) == digest


def test_i15_a_node_follows_and_serves_its_cache_of_an_earlier_format(old):
    old.start_member(old.store)
    old.start_member(old.node)
    client, cached = old.client_of(old.node), old.known["cached"]
    for digest in cached["blobs"]:
        assert digest_of(client.get(f"/v2/team/app/blobs/{digest}").body) == digest
    assert old.node.metric("outport_node_fetches_started_total") == 0, "the blobs were in the cache"
    assert old.node.metric("outport_node_snapshots_applied_total") == 0, "the replica was valid"
    check_content(client, old.known)
    digest = old.client_of(old.store).push_image("team/new", "v1", os.urandom(1000))
    old.settle()
    assert digest_of(client.get("/v2/team/new/manifests/v1").body) == digest


def test_i15_a_node_without_a_store_serves_its_cache_of_an_earlier_format(old):
    old.set_clock()
    old.node.spawn()
    wait_for("the node to answer", old.node.healthy)
    client, cached = old.client_of(old.node, "reader"), old.known["cached"]
    for digest in (cached["index"], cached["manifest"]):
        assert digest_of(client.get(f"/v2/team/app/manifests/{digest}").body) == digest
    for digest in cached["blobs"]:
        assert digest_of(client.get(f"/v2/team/app/blobs/{digest}").body) == digest
    assert digest_of(client.get("/v2/team/app/manifests/v1").body) == cached["index"]


def test_check_says_what_an_upgrade_would_do(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path)
    version = re.match(r"format-(\d+)", archive.name).group(1)
    for program, folder, part in ((STORE, "store", "store-metadata"), (NODE, NAME, "node-metadata")):
        before = snapshot(tmp_path / folder)
        said = run(program, "check", "--data", tmp_path / folder).stdout.splitlines()
        assert snapshot(tmp_path / folder) == before, "check changes nothing"
        assert [line.split(":")[0] for line in said] == [part, "blobs"]
        if program == STORE:
            assert said[0].startswith(f"store-metadata: format {version}")
    if version == "1":
        said = run(STORE, "check", "--data", tmp_path / "store").stdout
        assert "store-metadata: format 1; the next 'serve' upgrades it to" in said


@pytest.fixture(name="stopped", scope="module")
def make_stopped(tmp_path_factory):
    """A store and a node that have served and are stopped."""
    fleet = Fleet(tmp_path_factory.mktemp("newer")).start()
    try:
        node = fleet.add_node(NAME)
        fleet.token = fleet.invite(NAME, "--replace")
        for member in (node, fleet.store):
            assert member.stop() == 0
        yield fleet
    finally:
        fleet.stop()


@pytest.mark.parametrize("name", ["store", NAME])
def test_a_new_folder_has_the_formats_of_the_program(stopped, name):
    member = next(member for member in stopped.members() if member.name == name)
    text = (member.data / "format").read_text()
    said = run(member.command[0], "check", "--data", member.data).stdout
    listed = re.findall(r"(?m)^([\w-]+) (\d+)$", text)
    assert said == "".join(f"{part}: format {version}\n" for part, version in listed)
    assert run(member.command[0], "check", "--config", member.config).stdout.endswith(said)


@pytest.mark.parametrize("name", ["store", NAME])
@pytest.mark.parametrize("line, wanted", [
    ("blobs 99", "the blob folder in {data} has format 99, but this program knows formats up to 1; "
                 "run release 9.9.0"),
    ("{program}-metadata 99", "metadata in {data} has format 99, but this program knows formats up to"),
    ("search 1", "{data} has the part 'search', which this program does not know; run release 9.9.0"),
    ("rubbish", "{data}/format is not valid ('rubbish' is not a name and a version)"),
])
def test_i15_newer_data_is_refused_in_one_line_before_anything_is_touched(stopped, name, line, wanted):
    member = next(member for member in stopped.members() if member.name == name)
    program = member.command[0]
    words = {"data": member.data, "program": "store" if name == "store" else "node"}
    file = member.data / "format"
    good = file.read_text()
    file.write_text(line.format(**words) + "\nwritten-by 9.9.0\n")
    before = snapshot(member.data)
    try:
        refusals = [run(program, *words, check=False) for words in (
            ("serve", "--config", member.config), ("check", "--config", member.config),
            ("check", "--data", member.data))]
        if name == NAME:
            refusals.append(run(NODE, "join", "--data", member.data, "--replace", check=False,
                                stdin=stopped.token + "\n"))
        after = snapshot(member.data)
    finally:
        file.write_text(good)
    for done in refusals:
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
        assert wanted.format(**words) in done.stderr and "nothing was changed" in done.stderr, done
    assert after == before


def test_the_folder_of_the_other_daemon_is_named(stopped):
    node = next(member for member in stopped.members() if member.name == NAME)
    for program, data, owner in ((STORE, node.data, "node"), (NODE, stopped.store.data, "store")):
        done = run(program, "check", "--data", data, check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
        assert f"{data} belongs to outport-{owner}; name the right data folder" in done.stderr, done


def test_check_needs_one_of_config_and_data(stopped):
    data, config = stopped.store.data, stopped.store.config
    for words in ((), ("--config", config, "--data", data)):
        done = run(STORE, "check", *words, check=False)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done
