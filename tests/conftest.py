"""What all pytest tests share: the import path, the fleet fixtures, the exit code of a skipped file."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

from fleet import Fleet  # noqa: E402  (found by the line above)

SKIPPED_EXIT_CODE = 77  # ctest's SKIP_RETURN_CODE, see cmake/Pytest.cmake


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    ran = sum(len(reporter.stats.get(kind, [])) for kind in ("passed", "failed", "error"))
    if exitstatus == 0 and ran == 0 and reporter.stats.get("skipped"):
        session.exitstatus = SKIPPED_EXIT_CODE


@pytest.fixture
def new_fleet(tmp_path):
    """Makes fleets for one test, which may break them."""
    fleets = []

    def make(*nodes, **options):
        folder = tmp_path / f"fleet{len(fleets)}"
        folder.mkdir()
        fleet = Fleet(folder, **options)
        fleets.append(fleet)
        fleet.start()
        for node in nodes:
            fleet.add_node(node)
        return fleet

    yield make
    for fleet in fleets:
        fleet.stop()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """A store and two nodes for the tests of one file, which leave them running."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet")).start()
    try:
        for name in ("eu-west", "us-east"):
            fleet.add_node(name)
        yield fleet
    finally:
        fleet.stop()
