"""docs/architecture.md describes every folder that floors_test.py has arrows for, and no other."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from floors_test import ARROWS  # noqa: E402  (found by the line above)

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/architecture.md"


def test_every_room_is_on_the_map():
    rooms = re.findall(r"^\| `((?:registry|store|node|control)[\w/]*)` \|", PAGE.read_text(), re.M)
    assert sorted(rooms) == sorted(ARROWS)
