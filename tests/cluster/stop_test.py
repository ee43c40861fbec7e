"""SIGTERM: every daemon exits with code 0, and soon if no request is in progress."""

import signal
import socket
import time

import pytest

from processes import PATIENCE, wait_for

SOON = 3 * PATIENCE  # about 50 ms on an idle machine


def connected(node):
    return node.metric("outport_node_sync_connected") == 1


def idle_clients(fleet, member):
    """Idle connections of all kinds; the caller keeps them open."""
    client = member.client()
    kept = client.connect()
    kept.request("GET", "/v2/", headers=client.headers({}))
    assert kept.getresponse().read() is not None
    ports = [(fleet.host, member.registry_port), ("127.0.0.1", member.operations_port)]
    if member is fleet.store:
        ports.append(("127.0.0.1", fleet.fleet_port))
    return [kept, *(socket.create_connection(port) for port in ports)]


def stop_soon(member):
    begun = time.monotonic()
    assert member.stop() == 0, member.log_tail()
    took = time.monotonic() - begun
    assert took < SOON, f"{member.name} took {took:.1f} s to stop\n{member.log_tail()}"


@pytest.mark.parametrize("clients", ["no clients", "idle clients"])
def test_daemons_end_soon(new_fleet, clients):
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    image = fleet.store.client().push_image("team/app", "v1", b"layer" * 100_000)
    assert node.client().get(f"/v2/team/app/manifests/{image}").status == 200
    wait_for("the node to be connected", lambda: connected(node))
    kept = [idle_clients(fleet, member) for member in fleet.members()] if "idle" in clients else []
    stop_soon(node)
    node.start()
    wait_for("the node to be connected again", lambda: connected(node))
    stop_soon(fleet.store)
    wait_for("the node to log why", lambda: "the store is stopping" in node.log_text())
    stop_soon(node)
    del kept


def test_other_signals_end_nothing(new_fleet):
    """A supervisor sends SIGHUP to reload; the daemons follow their files anyway."""
    fleet = new_fleet("eu-west")
    for member in reversed(fleet.members()):  # the node needs the store
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            member.process.send_signal(number)
        wait_for("the log", lambda: "hangup received: changed files are in use within seconds"
                 in member.log_text())  # noqa: B023
        assert member.client().get("/v2/").status == 200
        assert member.stop() == 0, member.log_tail()


def test_a_node_that_hangs_does_not_hold_up_the_store(new_fleet):
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    wait_for("the node to be connected", lambda: connected(node))
    node.pause()
    try:
        assert fleet.store.stop(15) == 0, fleet.store.log_tail()
    finally:
        node.resume()


def test_a_store_that_hangs_does_not_hold_up_the_node(new_fleet):
    fleet = new_fleet("eu-west")
    node = fleet.nodes["eu-west"]
    wait_for("the node to be connected", lambda: connected(node))
    fleet.store.pause()
    try:
        assert node.stop(25) == 0, node.log_tail()
    finally:
        fleet.store.resume()
