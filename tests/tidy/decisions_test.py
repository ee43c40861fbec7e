"""Checks docs/decisions: every decision has its headings, a date and a number, and is in the index."""

import datetime
import pathlib
import re

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs" / "decisions"
NAME = re.compile(r"(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md")
SECTIONS = ["Context", "Decision", "Rejected"]
OPTIONAL_SECTIONS = ["Consequences"]


def decisions(folder=FOLDER):
    return sorted(path for path in folder.iterdir() if path.name != "README.md")


def numbers_problems(names):
    """File names that are malformed, and numbers that are missing or used twice."""
    problems = [f"{name}: expected NNNN-title.md" for name in names if not NAME.fullmatch(name)]
    numbers = sorted(int(name[:4]) for name in names if NAME.fullmatch(name))
    if numbers != list(range(1, len(numbers) + 1)):
        problems.append(f"numbers must be unique and dense from 0001: {numbers}")
    return problems


def date_of(text):
    """The date of a decision, or None if it is missing or invalid."""
    found = re.findall(r"^Date: (.*)$", text, re.M)
    if len(found) != 1 or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", found[0]):
        return None
    try:
        return datetime.date.fromisoformat(found[0])
    except ValueError:
        return None


def problems_of(name, text):
    problems = []
    if not re.match(rf"# {name[:4]}: \S.*\n\nDate: ", text):
        problems.append(f"{name}: must begin with '# {name[:4]}: TITLE', then 'Date:'")
    if date_of(text) is None:
        problems.append(f"{name}: needs one valid 'Date: YYYY-MM-DD'")
    if len(re.findall(r"^Status: (?:accepted|superseded by \d{4})$", text, re.M)) != 1:
        problems.append(f"{name}: needs 'Status: accepted' or 'Status: superseded by NNNN'")
    parts = re.split(r"^## (.*)$", text, flags=re.M)
    headings = parts[1::2]
    if headings not in (SECTIONS, SECTIONS + OPTIONAL_SECTIONS):
        problems.append(f"{name}: sections are {headings}, expected {SECTIONS}")
    for heading, body in zip(headings, parts[2::2]):
        if not body.strip():
            problems.append(f"{name}: section '{heading}' is empty")
    return problems


def rows(index):
    """(number, title, file, date) of every row of the index."""
    return re.findall(r"^\| (\d{4}) \| \[(.+?)\]\((\S+?)\) \| (\S+) \|$", index, re.M)


@pytest.mark.parametrize("path", decisions(), ids=lambda path: path.name)
def test_decision_is_complete(path):
    problems = problems_of(path.name, path.read_text())
    assert not problems, "\n" + "\n".join(problems)


def test_numbers_are_dense_and_unique():
    problems = numbers_problems([path.name for path in decisions()])
    assert not problems, "\n" + "\n".join(problems)


def test_numbers_follow_the_dates():
    dates = [date_of(path.read_text()) for path in decisions()]
    assert dates == sorted(dates), "a later decision has a smaller number"


def test_index_links_every_decision_once():
    index = (FOLDER / "README.md").read_text()
    expected = []
    for path in decisions():
        text = path.read_text()
        title = text.splitlines()[0].removeprefix(f"# {path.name[:4]}: ")
        expected.append((path.name[:4], title, path.name, str(date_of(text))))
    assert sorted(rows(index)) == expected
    assert sorted(re.findall(r"\]\((\S+?)\)", index)) == [path.name for path in decisions()]


GOOD = """# 0001: A title

Date: 2026-11-20

Status: accepted

## Context

Why.

## Decision

What.

## Rejected

None recorded.
"""


@pytest.mark.parametrize("old, new", [
    ("# 0001", "# 0002"),
    ("2026-11-20", "2026-02-30"),
    ("2026-11-20", "20261120"),
    ("Status: accepted", "Status: maybe"),
    ("## Rejected\n", ""),
    ("Why.\n", ""),
    ("## Context", "## Background"),
])
def test_incomplete_decision_is_found(old, new):
    assert problems_of("0001-a-title.md", GOOD) == []
    assert problems_of("0001-a-title.md", GOOD.replace(old, new)) != []


@pytest.mark.parametrize("names", [
    ["0001-a.md", "0003-b.md"],
    ["0001-a.md", "0001-b.md"],
    ["0002-a.md"],
    ["0001-a.md", "notes.md"],
])
def test_wrong_numbers_are_found(names):
    assert numbers_problems(["0001-a.md", "0002-b.md"]) == []
    assert numbers_problems(names) != []
