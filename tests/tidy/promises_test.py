"""Keeps docs/promises.md true: each promise is there, and each test that it names exists."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "promises.md"
PROMISES = [f"I{number}" for number in range(1, 16)]
NO_TEST = "No test yet"

SECTION = re.compile(r"^## (I\d+)\b.*$", re.M)
CPP_NAME = re.compile(r"`([A-Z]\w*\.[A-Z]\w*)`")
PYTHON_NAME = re.compile(r"`(\w+\.py::\w+)`")
CPP_TEST = re.compile(r"^\s*(?:TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P)\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)
PYTHON_TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.M)


def sections(text):
    """{"I1": its text, ...}; what stands before the first promise is left out."""
    heads = list(SECTION.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {head.group(1): text[head.end():end] for head, end in zip(heads, ends)}


def named_tests(text):
    return set(CPP_NAME.findall(text)) | set(PYTHON_NAME.findall(text))


def existing_tests(folder):
    """The tests below a folder, as the page writes them."""
    found = set()
    for path in folder.rglob("*"):
        if path.suffix in (".cc", ".h"):
            found |= {f"{suite}.{test}" for suite, test in CPP_TEST.findall(path.read_text())}
        elif path.suffix == ".py":
            found |= {f"{path.name}::{test}" for test in PYTHON_TEST.findall(path.read_text())}
    return found


def problems_of(text, existing):
    promises = sections(text)
    problems = [f"{promise} is missing" for promise in PROMISES if promise not in promises]
    for promise, section in promises.items():
        named = named_tests(section)
        if not named and NO_TEST not in section:
            problems.append(f'{promise} names no test and does not say "{NO_TEST}"')
        problems += [f"{promise}: no test is called {name}" for name in sorted(named - existing)]
    return problems


def test_every_promise_names_tests_that_exist():
    problems = problems_of(PAGE.read_text(), existing_tests(ROOT / "tests"))
    assert not problems, f"{PAGE.relative_to(ROOT)}:\n" + "\n".join(problems)


def test_tests_are_found(tmp_path):
    (tmp_path / "a_test.cc").write_text("TEST(A, B) {\nTEST_F(Suite,\n       LongName) {\n")
    (tmp_path / "contract.h").write_text("TEST_P(Contract, I1Holds) {\n")
    (tmp_path / "a_test.py").write_text("def test_a(fleet):\n    def test_inner():\n")
    assert existing_tests(tmp_path) == {"A.B", "Suite.LongName", "Contract.I1Holds", "a_test.py::test_a"}


def test_a_page_can_fail():
    page = "`Suite.Test`\n" + "".join(f"## {promise}: x\n`A.B`\n" for promise in PROMISES)
    assert problems_of(page, {"A.B"}) == []
    assert problems_of(page, set())[0] == "I1: no test is called A.B"
    assert problems_of(page.replace("## I7", "## other"), {"A.B"}) == ["I7 is missing"]
    untested = page.replace("## I15: x\n`A.B`", "## I15: x\n`a.py`")
    assert problems_of(untested, {"A.B"}) == ['I15 names no test and does not say "No test yet"']
    assert problems_of(untested + NO_TEST, {"A.B"}) == []
    wrong = page.replace("## I2: x\n`A.B`", "## I2: x\n`a_test.py::test_gone`")
    assert problems_of(wrong, {"A.B"}) == ["I2: no test is called a_test.py::test_gone"]
