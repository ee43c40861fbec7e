"""Keeps the tree in order: includes and links follow the arrows, every source is built, files stay
small."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_LINES = 400
MAX_FUNCTION_LINES = 60

# The arrows between folders. A folder may include itself, the folders named here, and what those
# may include. Its CMake target links exactly the targets of the folders named here.
ARROWS = {
    "registry/base": [],
    "registry/oci": ["registry/base"],
    "registry/storage": ["registry/oci"],
    "registry/storage/disk": ["registry/storage"],
    "registry/storage/rocks": ["registry/storage"],
    "registry/security/pki": ["registry/oci"],
    "registry/security/grants": ["registry/security/pki"],
    "registry/security/password": ["registry/security/grants"],
    "registry/security/tls": ["registry/security/grants"],
    "registry/access": ["registry/security/password"],
    "registry/records": ["registry/storage", "registry/security/grants"],
    "registry/service": ["registry/security/grants"],
    "registry/http/connection": ["registry/service", "registry/security/tls"],
    "registry/http/api": ["registry/http/connection"],
    "registry/http": ["registry/http/api", "registry/access"],
    "registry/rpc": ["registry/security/grants"],
    "store/audit": ["registry/records", "registry/service", "store/work"],
    "store/work": ["registry/records"],
    "store/content": ["store/audit", "store/work"],
    "store/uploads": ["store/content"],
    "store/gc": ["store/content"],
    "store/retention": ["store/gc"],
    "store/access": ["store/audit", "registry/security/password"],
    "store/authority": ["store/access"],
    "store/fleet": ["store/authority"],
    "store/admin": ["store/fleet", "store/uploads", "store/retention", "registry/rpc"],
    "store/replication": ["store/content", "store/fleet", "registry/rpc"],
    "store/relay": ["store/fleet", "registry/access", "registry/rpc"],
    "store": ["store/uploads", "store/admin", "store/replication", "store/relay", "store/work",
              "registry/http", "registry/storage/disk", "registry/storage/rocks"],
    "node/upstream": ["registry/base"],
    "node/membership": ["node/upstream", "registry/http", "registry/rpc", "registry/storage"],
    "node/replica": ["node/upstream", "registry/records", "registry/service", "registry/rpc"],
    "node/freshness": ["node/replica"],
    "node/blobs": ["node/freshness"],
    "node/manifests": ["node/blobs"],
    "node/relay": ["node/freshness"],
    "node/pulls": ["node/upstream", "registry/records", "registry/service", "registry/rpc"],
    "node": ["node/membership", "node/manifests", "node/pulls", "node/relay",
             "registry/storage/disk", "registry/storage/rocks"],
    "control/console": ["registry/rpc"],
    "control/commands": ["control/console", "registry/records", "registry/security/password"],
    "control": ["control/commands"],
}


def may_include(folder):
    seen = {folder}
    for below in ARROWS[folder]:
        seen |= may_include(below)
    return seen


# Libraries that are slow to compile, or that only some folders may know (a regular expression).
LIBRARY_FOLDERS = {
    r"boost/beast": r"registry/http(/.*)?",
    r"grpcpp/|grpc/|.*\.grpc\.pb\.h": r"registry/rpc|store(/.*)?|node(/.*)?|control(/.*)?",
    r"rocksdb/": r"registry/storage/rocks",
    r"re2/": r"store/retention",
    r"yaml-cpp/|spdlog/": r"registry/base",
}
NEVER = {
    r"\b(TODO|FIXME|XXX)\b": "finish it, or say in docs/ what is missing",
    r"\b(asio|net)::detached\b": "a spawned coroutine's end must be somebody's: use TaskGroup",
    r"\[=\]": "name what a lambda captures",
    r"\.detach\(\)": "a thread must be joined by its owner",
    r'#include "\.\.?/': "includes are written from the root",
}
INCLUDE = re.compile(r'^\s*#include\s+[<"]([^>"]+)[>"]')


def folder_of(path):
    """The folder of ARROWS that holds a source; None: another part of the tree."""
    folder = str(pathlib.PurePath(path).parent)
    return folder if folder.split("/")[0] in ("registry", "store", "node", "control") else None


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


@pytest.mark.parametrize("folder", ARROWS)
def test_includes_follow_the_arrows(folder):
    problems, allowed = [], may_include(folder)
    for path in sources(folder):
        if path.parent != ROOT / folder:
            continue
        for number, target in includes(path):
            if target.startswith("tests/"):
                problems.append(f"{where(path, number)}: a program includes a test: {target}")
            below = folder_of(target)
            if below and below not in allowed:
                problems.append(f"{where(path, number)}: {folder} must not include {target}")
    assert not problems, "\n" + "\n".join(problems)


def target_of(folder):
    return "outport_" + folder.removeprefix("registry/").replace("/", "_")


@pytest.mark.parametrize("folder", ARROWS)
def test_targets_link_what_the_arrows_say(folder):
    text = (ROOT / folder / "CMakeLists.txt").read_text()
    rooms = re.findall(r"outport_room\((\w+)\s+SOURCES.*?LINKS([^)]*)\)", text, re.S)
    assert [name for name, _ in rooms] == [target_of(folder)]
    links = {word for word in rooms[0][1].split() if word in map(target_of, ARROWS)}
    assert links == set(map(target_of, ARROWS[folder]))


def test_every_folder_has_arrows():
    folders = {folder_of(str(path.relative_to(ROOT)))
               for path in sources("registry", "store", "node", "control")}
    assert folders == set(ARROWS)


def test_outportctl_links_no_storage_engine():
    program = pathlib.Path(os.environ["OUTPORT_BIN"]) / "outportctl"
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    assert "libgrpc" in libraries  # ldd has seen what it should
    assert "rocksdb" not in libraries


def test_libraries_link_what_their_rooms_may():
    problems = []
    for path in sources("registry", "store", "node", "control"):
        folder = folder_of(str(path.relative_to(ROOT)))
        for number, target in includes(path):
            for library, folders in LIBRARY_FOLDERS.items():
                if re.match(library, target) and not re.fullmatch(folders, folder):
                    problems.append(f"{where(path, number)}: {target} belongs to {folders}")
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
    assert folder_of(seen[0]) == "registry/http"
    assert folder_of(seen[1]) is None
    assert "registry/http" not in may_include("registry/storage")
    assert "registry/storage" not in may_include("registry/security/tls")
    assert not any("registry/storage/rocks" in may_include(room)
                   for room in ARROWS if room.startswith(("control", "registry/records")))
