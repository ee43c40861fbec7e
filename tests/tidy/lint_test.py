"""The changed sources pass clang-tidy (.clang-tidy)."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("OUTPORT_BIN", ROOT / "build/release/bin")).parent
# A change that touches more is too slow to check here: clang-tidy takes seconds for a file.
MAX_CHECKED = 12


def git(*arguments):
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


def base():
    """The commit that this tree is compared with: where it left the main branch; on that branch
    itself, the commit before the last one. OUTPORT_TIDY_BASE names another."""
    if named := os.environ.get("OUTPORT_TIDY_BASE"):
        return named
    head = git("rev-parse", "HEAD")
    left = git("merge-base", "HEAD", "origin/HEAD")
    return left[0] if left and left != head else "HEAD~1"


def changed_sources():
    files = {*git("diff", "--name-only", "--diff-filter=d", base()),
             *git("ls-files", "--others", "--exclude-standard")}
    return sorted(file for file in files if file.endswith(".cc"))


def test_changed_sources_pass_clang_tidy():
    files = changed_sources()
    if not files:
        pytest.skip("no source differs from " + base())
    if len(files) > MAX_CHECKED:
        files = files[::-(-len(files) // MAX_CHECKED)]  # every n-th
    done = subprocess.run(["clang-tidy-19", "--quiet", "-p", str(BUILD), *files], cwd=ROOT,
                          capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
