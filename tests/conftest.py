"""What all pytest tests share: the import path, the fleet fixtures, the exit code of a skipped file."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))

SKIPPED_EXIT_CODE = 77  # ctest's SKIP_RETURN_CODE, see cmake/Pytest.cmake


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    ran = sum(len(reporter.stats.get(kind, [])) for kind in ("passed", "failed", "error"))
    if exitstatus == 0 and ran == 0 and reporter.stats.get("skipped"):
        session.exitstatus = SKIPPED_EXIT_CODE
