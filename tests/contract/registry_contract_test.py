"""The registry API as one table of requests and answers, at a store and at a node in front of it."""

import http.client
import itertools

import pytest

import access_rows
import client_rows
import deletion_rows
import discovery_rows
import pull_rows
import push_rows
import pusher_rows
import upload_rows
from client import Answer
from fleet import PASSWORD, Fleet
from exchange import ABSENT, World, digest
from processes import wait_for

ROWS = [row for module in (access_rows, pull_rows, upload_rows, push_rows, discovery_rows, deletion_rows,
                             client_rows, pusher_rows)
        for row in module.ROWS]
# What is asked in a repository {r} with an image, or in a repository {n} that nobody made; and the detail.
UNKNOWN = [("{r}/manifests/absent", "absent"), ("{r}/manifests/{d}", "{d}"), ("{r}/blobs/{d}", "{d}"),
           ("{n}/manifests/absent", "{n}"), ("{n}/blobs/{d}", "{n}"), ("{n}/tags/list", "{n}")]
USERS = {"all": "pull,push,delete", "reader": "pull", "writer": "pull,push", "narrow": "pull,push:c/**",
         "stranger": "pull:elsewhere/**"}
numbers = itertools.count()


class Connection:
    """One user at one registry, on a connection that stays open until the server closes it."""

    def __init__(self, member, user, password):
        self.registry = member.client(user, password)
        self.connection = None

    def call(self, method, target, body, fields, chunked):
        if self.connection is None or self.connection.sock is None:
            self.connection = self.registry.connect()
        headers = {**fields, **self.registry.headers()} if self.registry.user else fields
        self.connection.request(method, target, body=body, headers=headers, encode_chunked=chunked)
        response = self.connection.getresponse()
        return Answer(response, response.read())

    def close(self):
        if self.connection is not None:
            self.connection.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A store, a node in front of it, users with different grants, and a protected tag."""
    fleet = Fleet(tmp_path_factory.mktemp("pair")).start()
    try:
        fleet.add_node("eu-west")
        for user, allowed in USERS.items():
            fleet.control("user", "add", user, "--allow", allowed, stdin=PASSWORD + "\n")
        fleet.control("tag", "protect", "frozen", "--repository", "**", "--tags", "frozen")
        yield {"store": fleet.store, "node": fleet.nodes["eu-west"]}
    finally:
        fleet.stop()


@pytest.fixture(scope="module")
def clients(pair):
    made = {}
    for place, member in pair.items():
        made[place] = {user: Connection(member, user, PASSWORD) for user in USERS}
        made[place]["demo"] = made[place]["all"]
        made[place]["wrong"] = Connection(member, "all", "not the password")
        made[place]["nobody"] = Connection(member, "nobody", PASSWORD)
        made[place][None] = Connection(member, None, None)
        for user in USERS:
            wait_for(f"{user} to be known at the {place}", lambda c=made[place][user]: c.call(
                "GET", "/v2/", None, {}, False).status == 200)
    yield made
    for connections in made.values():
        for connection in connections.values():
            connection.close()


def test_the_table_is_as_long_as_it_must_be():
    assert len(ROWS) >= 250
    names = [row.what for row in ROWS]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1]


@pytest.mark.parametrize(("target", "detail"), UNKNOWN, ids=lambda text: text)
def test_what_is_unknown_has_the_same_body_everywhere(clients, target, detail):
    world = World(clients["store"], f"row{next(numbers)}")
    world.give("image")
    names = {"r": world.names["r"], "n": f"c/row{next(numbers)}", "d": digest(ABSENT)}
    answers = [clients[place]["demo"].call("GET", "/v2/" + target.format(**names), None, {}, False)
               for place in ("store", "node")]
    assert [answer.status for answer in answers] == [404, 404]
    store, node = (answer.json()["errors"] for answer in answers)
    assert store == node
    assert [entry["detail"] for entry in store] == [detail.format(**names)]


@pytest.mark.parametrize("place", ["store", "node"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_registry(clients, place, row):
    world = World(clients[place], f"row{next(numbers)}")
    for name in row.given:
        world.give(name)
    for ask in row.asks:
        world.check(ask)
