"""Open connections from which access is taken away."""

import select
import time

from client import RegistryClient
from fleet import PASSWORD
from processes import PATIENCE


def open_connection(fleet, member, certificates, user, password=PASSWORD):
    """A connection on which a request was answered, kept alive."""
    client = RegistryClient(fleet.host, member.registry_port, certificates, user, password)
    connection = client.connect()
    connection.request("GET", "/v2/", headers=client.headers())
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    answer.read()
    return connection


def seconds_until_cut(connections, began):
    """For each connection: how long after `began` the other side ended it."""
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
