"""select_tests.py BUILD_FOLDER NAME ...: what tests/run.sh builds and runs for NAME.

NAME is a file or folder of tests, a ctest name, a suite, or Suite.Test (a regular expression).
Prints two lines: the targets to build, and the regular expression of ctest names to run. Ends with
an error if no test has such a name.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["outport-store", "outport-node", "outportctl", "store_data_check"]
TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.M)


class Row:
    """One target of outport_test(), or one row of outport_pytest()."""

    def __init__(self, line):
        self.kind, self.name, *files = line.split("|")
        self.files = [pathlib.Path(name) for name in files]

    def tests(self):
        """(file, ctest name without the parameter of a test case) of each test."""
        for path in self.files:
            if self.kind == "pytest":
                yield path, self.name
            else:
                text = (ROOT / path).read_text()
                for contract in re.findall(r'#include "(tests/contract/\w+\.h)"', text):
                    text += (ROOT / contract).read_text()
                for suite, test in TEST.findall(text):
                    yield path, f"{self.name}/{suite}.{test}"


def is_below(path, folder):
    return path == folder or folder in path.parents


def select(rows, name):
    """(targets, ctest expression) of the tests that `name` means."""
    path = ROOT / name
    wanted = path.relative_to(ROOT) if "/" in name and path.exists() else None
    targets, expressions = set(), set()
    for row in rows:
        for file, test in row.tests():
            if wanted and not is_below(file, wanted):
                continue
            if not wanted and name != file.name and not re.search(name, test):
                continue
            targets.add(row.name)
            if row.kind == "pytest":
                expressions.add(f"^{row.name}$")
            else:
                target, suite, case = re.fullmatch(r"(\w+)/(\w+)\.(\w+)", test).groups()
                whole = wanted or name == file.name or not re.search(r"\.\w", name)
                ending = r"\." if whole else rf"\.{case}($|/)"
                expressions.add(f"^{target}/(.*/)?{suite}{ending}")
    return targets, expressions


def main(build, names):
    rows = [Row(line) for line in (pathlib.Path(build) / "tests.txt").read_text().splitlines()]
    kinds = {row.name: row.kind for row in rows}
    targets, expressions = set(), set()
    for name in names:
        found, expression = select(rows, name)
        if not found:
            sys.exit(f"run.sh: no test is named '{name}'; give a file or folder of tests, a suite, "
                     "Suite.Test, or a ctest name")
        targets |= found
        expressions |= expression
    built = {target for target in targets if kinds[target] == "gtest"}
    if any(kinds[target] == "pytest" for target in targets):
        built.update(PROGRAMS)
    print(" ".join(sorted(built)))
    print("|".join(sorted(expressions)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
