"""Open connections whose access is revoked."""

import select
import time
from concurrent.futures import ThreadPoolExecutor

from client import RegistryClient
from fleet import PASSWORD
from processes import PATIENCE


def open_connection(fleet, member, certificates, user):
    """A connection on which a request was answered, kept alive."""
    client = RegistryClient(fleet.host, member.registry_port, certificates, user, PASSWORD)
    connection = client.connect()
    connection.request("GET", "/v2/", headers=client.headers())
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    answer.read()
    return connection


def cut_by(connections, act):
    """The result of `act()`, and for each connection the time from the start of `act()` to its end."""
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(_watch, connections, began)  # the time of act() counts
        done = act()
        return done, watching.result()


def _watch(connections, began):
    waiting, took = {connection.sock: name for name, connection in connections.items()}, {}
    while waiting:
        left = began + 10 * PATIENCE - time.monotonic()
        assert left > 0, f"still open: {list(waiting.values())}"
        for sock in select.select(list(waiting), [], [], left)[0]:
            try:
                ended = not sock.recv(1)
            except OSError:
                ended = True
            assert ended, "an answer nobody asked for"
            took[waiting.pop(sock)] = time.monotonic() - began
    return took
