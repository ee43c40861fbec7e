"""The sources are formatted by .clang-format."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_sources_are_formatted():
    listed = subprocess.run(["git", "ls-files", "*.h", "*.cc"], cwd=ROOT, capture_output=True,
                            text=True, check=True)
    files = listed.stdout.split()
    assert files, "git lists no sources"
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *files], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\nformat them: clang-format-19 -i FILE"
