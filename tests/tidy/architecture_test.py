"""docs/architecture.md describes every folder that rooms_test.py has arrows for, with these arrows,
and no other."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from rooms_test import ARROWS  # noqa: E402  (found by the line above)

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/architecture.md"


def test_every_room_is_on_the_map():
    row = r"^\| `((?:registry|store|node|control)[\w/]*)` \|[^|]*\|([^|]*)\|$"
    rooms = {room: re.findall(r"`([\w/]+)`", arrows)
             for room, arrows in re.findall(row, PAGE.read_text(), re.M)}
    assert rooms == ARROWS


def test_every_path_exists():
    """A path without its ending names a source and its header."""
    named = re.findall(r"`((?:registry|store|node|control|tests|proto|docs)/[\w./]+)`", PAGE.read_text())
    root = PAGE.parents[1]
    missing = [path for path in named
               if not (root / path).exists() and not list(root.glob(path + ".*"))]
    assert named and not missing
