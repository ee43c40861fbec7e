"""Keeps the tree in its floors: includes go one way, every source is built, files stay small."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LINES = 400
MAX_FUNCTION_LINES = 60

# A floor may include itself and what stands behind it. Siblings do not see each other.
BASE = ["registry/base"]
OCI = BASE + ["registry/oci"]
STORAGE = OCI + ["registry/storage"]
SECURITY = OCI + ["registry/security"]
SERVICE = sorted({*STORAGE, *SECURITY, "registry/service"})
HTTP = SERVICE + ["registry/http"]
RPC = SERVICE + ["registry/rpc"]
MAY_INCLUDE = {
    "registry/base": BASE,
    "registry/oci": OCI,
    "registry/storage": STORAGE,
    "registry/security": SECURITY,
    "registry/service": SERVICE,
    "registry/http": HTTP,
    "registry/rpc": RPC,
    "store": sorted({*HTTP, *RPC, "store"}),
    "node": sorted({*HTTP, *RPC, "node"}),
    "control": SECURITY + ["registry/rpc", "control"],
}
# Libraries that are dear to compile, or that only one kind of floor may know.
LIBRARY_FLOORS = {
    r"boost/beast": ["registry/http"],
    r"grpcpp/|grpc/|.*\.grpc\.pb\.h": ["registry/rpc", "store", "node", "control"],
    r"rocksdb/": ["registry/storage"],
    r"yaml-cpp/": ["registry/base"],
    r"spdlog/": ["registry/base"],
}
NEVER = {
    r"\b(TODO|FIXME|XXX)\b": "finish it, or say in docs/ what is missing",
    r"\b(asio|net)::detached\b": "a spawned coroutine's end must be somebody's: use TaskGroup",
    r"\[=\]": "name what a lambda captures",
    r"\.detach\(\)": "a thread must be joined by its owner",
    r'#include "\.\.?/': "includes are written from the root",
}
INCLUDE = re.compile(r'^\s*#include\s+[<"]([^>"]+)[>"]')


def floor_of(path):
    for floor in MAY_INCLUDE:
        if path == floor or path.startswith(floor + "/"):
            return floor
    return None


def sources(*folders):
    for folder in folders or ("registry", "store", "node", "control", "tests", "bench"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cc", ".proto", ".py", ".sh"):
                yield path


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := INCLUDE.match(line):
            yield number, found.group(1)


def where(path, number):
    return f"{path.relative_to(ROOT)}:{number}"


@pytest.mark.parametrize("floor", MAY_INCLUDE)
def test_includes_go_one_way(floor):
    problems = []
    for path in sources(floor):
        for number, target in includes(path):
            if target.startswith("tests/"):
                problems.append(f"{where(path, number)}: a program includes a test: {target}")
            below = floor_of(target)
            if below and below not in MAY_INCLUDE[floor]:
                problems.append(f"{where(path, number)}: {floor} must not see {below} ({target})")
    assert not problems, "\n" + "\n".join(problems)


def test_libraries_stay_on_their_floors():
    problems = []
    for path in sources(*MAY_INCLUDE):
        floor = floor_of(str(path.relative_to(ROOT)))
        for number, target in includes(path):
            for library, floors in LIBRARY_FLOORS.items():
                if re.match(library, target) and floor not in floors:
                    problems.append(f"{where(path, number)}: {target} belongs to {', '.join(floors)}")
    assert not problems, "\n" + "\n".join(problems)


def test_every_source_is_built():
    problems = []
    included = {target for path in sources() for _, target in includes(path)}
    for path in sources():
        relative = path.relative_to(ROOT)
        lists = path.parent / "CMakeLists.txt"
        if path.suffix == ".cc" and (
                not lists.exists()
                or not re.search(rf"(?<![\w.-]){re.escape(path.name)}\b", lists.read_text())):
            problems.append(f"{relative}: no CMakeLists.txt in its folder names it")
        if path.suffix == ".h" and str(relative) not in included:
            problems.append(f"{relative}: nobody includes it")
    assert not problems, "\n" + "\n".join(problems)


def test_every_folder_of_sources_is_reached():
    reached, pending = set(), [ROOT]
    while pending:
        folder = pending.pop()
        reached.add(folder)
        lists = folder / "CMakeLists.txt"
        if lists.exists():
            for name in re.findall(r"^\s*add_subdirectory\((\S+?)\)", lists.read_text(), re.M):
                pending.append(folder / name)
    lost = {path.parent for path in sources() if path.suffix == ".cc"} - reached
    assert not lost, f"add_subdirectory is missing for {sorted(map(str, lost))}"


def test_files_stay_small():
    long = []
    for path in sources():
        lines = len(path.read_text().splitlines())
        if lines > MAX_LINES:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {MAX_LINES}")
    assert not long, "\n" + "\n".join(long)


def blank(match):
    """Something of the same length in lines, with no brace, quote or semicolon in it."""
    return "_" + "\n" * match.group().count("\n")


def functions(text):
    """(first line, lines) of every function of a C++ file; one that stands inside another counts as
    a part of it. What stands in braces is a function if it has a parameter list and no '='."""
    text = re.sub(r'R"(\w*)\(.*?\)\1"', blank, text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\])+\'|//[^\n]*|/\*.*?\*/', blank, text,
                  flags=re.S)
    text = re.sub(r"^#(?:.*\\\n)*.*$", blank, text, flags=re.M)
    inside, statement = [], 0  # the kinds of the open braces; where the statement began
    for found in re.finditer(r"[{};]", text):
        at, brace = found.start(), found.group()
        kind = inside[-1] if inside else "scope"
        if brace == "{":
            head = text[statement:at]
            while (shorter := re.sub(r"\([^()]*\)", "~", re.sub(r"<[^<>]*>", "", head))) != head:
                head = shorter
            if kind != "scope":
                inside.append("part")
            elif re.search(r"\b(namespace|class|struct|union|enum|extern)\b", head) and \
                    not re.search(r"~\s*(const|override|noexcept|final|\s)*$", head):
                inside.append("scope")
                statement = at + 1
            elif "~" in head and not re.search(r"(?<!operator)[^=!<>]=(?!=)", head):
                inside.append("function")
                begun = statement + len(text[statement:at]) - len(text[statement:at].lstrip())
            else:
                inside.append("part")
        elif brace == "}" and inside:
            closed = inside.pop()
            goes_on = re.match(r"\s*[,{)]", text[at + 1:at + 100])  # a member's initialiser
            if closed == "function" and not goes_on:
                yield text.count("\n", 0, begun) + 1, text.count("\n", begun, at) + 1
            if (inside[-1] if inside else "scope") == "scope" and not goes_on:
                statement = at + 1
        elif kind == "scope":
            statement = at + 1


def test_functions_stay_small():
    long = []
    for path in sources():
        if path.suffix in (".h", ".cc"):
            for number, lines in functions(path.read_text()):
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{where(path, number)}: {lines} lines, at most {MAX_FUNCTION_LINES}")
    assert not long, "\n" + "\n".join(long)


def test_functions_are_found():
    text = """
namespace a {
struct S : Base {
  S(int a = 1)
      : a_{a}, b_("{") {
    Do();
  }
  template <class T>
  bool operator==(const T& other) const {
    return a_ == other;
  }
  int a_ = 3;
};
const int kTable[] = {
    1,
    2};
TEST(A, B) {
  for (;;) {
    auto f = [] { return '}'; };
  }
}
}  // namespace a
"""
    assert list(functions(text)) == [(4, 4), (8, 4), (17, 5)]


def test_what_never_stands_in_the_code():
    problems = []
    for path in sources():
        if path.suffix not in (".h", ".cc", ".proto"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for pattern, why in NEVER.items():
                if re.search(pattern, line):
                    problems.append(f"{where(path, number)}: {line.strip()} ({why})")
    assert not problems, "\n" + "\n".join(problems)


def test_no_merge_was_left_half_done():
    problems = []
    for folder in (".", "docs", "examples", "cmake"):
        for path in sorted((ROOT / folder).glob("*.*")):
            if path.is_file() and re.search(r"^(<{7}|>{7}) ", path.read_text(errors="replace"), re.M):
                problems.append(str(path.relative_to(ROOT)))
    for path in sources():
        if re.search(r"^(<{7}|>{7}) ", path.read_text(), re.M):
            problems.append(str(path.relative_to(ROOT)))
    assert not problems, problems


def test_the_rules_can_fail(tmp_path):
    """The rules themselves: a wrong include must be seen."""
    wrong = tmp_path / "wrong.cc"
    wrong.write_text('#include "registry/http/server.h"\n#include <vector>\n')
    seen = [target for _, target in includes(wrong)]
    assert seen == ["registry/http/server.h", "vector"]
    assert floor_of(seen[0]) == "registry/http"
    assert "registry/http" not in MAY_INCLUDE["registry/storage"]
    assert "registry/storage" not in MAY_INCLUDE["registry/security"]
