"""docs/log-messages.md has a row for each log message in the sources, with its program, level and
fields, and no other row. A message is a constant, lower-case phrase; what varies is a field."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/log-messages.md"
FOLDERS = ("registry", "store", "node")

CALL = re.compile(r"(?:\.|->)(Debug|Info|Warning|Error)\(")
# A RepeatedFailure (registry/base/repeated_failure.h) logs these two; its own .cc is not read.
REPEATED = re.compile(r'\.(failed|recovered) =\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(?=([^}]*))')
REPEATED_SOURCE = "repeated_failure.cc"
LITERALS = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*)+')
FIELD = re.compile(r'\{\s*"([a-z_0-9]+)",')
CELL = r"\|[^|\n]*"
ROW = re.compile(rf"^\| `([^`|]+)` \| (store|node|both) \| (debug|info|warning|error) "
                 rf"\|([^|\n]*){CELL}{CELL}\|$", re.M)


def arguments_of(text, begin):
    """The arguments of a call, split at the commas between them; `begin` follows its '('."""
    depth, start, position, found = 0, begin, begin, []
    while True:
        mark = text[position]
        if mark == '"':
            position = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, position).end()
            continue
        if mark in "([{":
            depth += 1
        elif mark in ")]}" and depth > 0:
            depth -= 1
        elif depth == 0 and mark in ",)":
            found.append(text[start:position])
            start = position + 1
            if mark == ")":
                return found
        position += 1


def joined(literals):
    """The text of adjacent string literals."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))


def messages_of(text):
    """[(level, message, fields)]; the message is None where it is no literal."""
    found = []
    for call in CALL.finditer(text):
        arguments = arguments_of(text, call.end())
        if arguments == [""]:
            continue  # another class's method
        fields = set(FIELD.findall(",".join(arguments[1:])))
        messages = [joined(match[0]) for match in LITERALS.finditer(arguments[0])]
        for message in messages or [None]:  # several: `c ? "a" : "b"`
            found.append((call[1].lower(), message, fields))
    for name, literals, others in REPEATED.findall(text):
        level = re.search(r"\.level = LogLevel::k(\w+)", others)
        level = "info" if name == "recovered" else level[1].lower() if level else "error"
        found.append((level, joined(literals), {"error"} if name == "failed" else set()))
    return found


def messages_in_sources():
    return [(path.relative_to(ROOT), *message) for folder in FOLDERS
            for path in sorted((ROOT / folder).rglob("*.cc")) if path.name != REPEATED_SOURCE
            for message in messages_of(path.read_text())]


def rows_of(page):
    """{message: {level: (the program, the fields)}}"""
    rows = {}
    for message, program, level, fields in ROW.findall(page):
        rows.setdefault(message, {})[level] = (program, set(re.findall(r"`(\w+)`", fields)))
    return rows


def program_of(paths):
    """The programs whose sources are these; both daemons link the folders below registry/."""
    folders = {pathlib.Path(path).parts[0] for path in paths}
    return folders.pop() if len(folders) == 1 and "registry" not in folders else "both"


def problems_of(messages, rows):
    problems, sources = [], {}
    for path, level, message, fields in messages:
        if message is None:
            problems.append(f"{path}: the message is not a constant")
            continue
        sources.setdefault((level, message), []).append(path)
        if message != message.lower() or message.endswith("."):
            problems.append(f"{path}: not a lower-case phrase: {message}")
        _, listed = rows.get(message, {}).get(level, (None, None))
        if listed is None:
            problems.append(f"{path}: no row for {level}: {message}")
        elif not fields <= listed:
            problems.append(f"{path}: {message}: fields without a row: {sorted(fields - listed)}")
    for message, levels in rows.items():
        for level, (program, _) in levels.items():
            paths = sources.get((level, message))
            if paths is None:
                problems.append(f"no source logs {level}: {message}")
            elif program != program_of(paths):
                problems.append(f"{message}: the program is {program_of(paths)}, not {program}")
    return problems


def test_every_log_message_is_in_the_table_and_no_other():
    problems = problems_of(messages_in_sources(), rows_of(PAGE.read_text()))
    assert not problems, f"{PAGE.relative_to(ROOT)}:\n" + "\n".join(problems)


def test_messages_are_found():
    source = '''
      log_.Info("a, (b)", {{"size_bytes", n}, {"error", e.message}});
      log.With({{"c", d}}).Warning(ok ? "one" : "two");
      parts_.log->Error("long "
                        "text");
      log.Info(text);
      renewal.Warning();
      a({.failed = "write failed", .recovered = "write recovered"});
      b({.log = log, .failed = "c failed", .level = LogLevel::kWarning});
    '''
    assert messages_of(source) == [
        ("info", "a, (b)", {"size_bytes", "error"}), ("warning", "one", set()),
        ("warning", "two", set()), ("error", "long text", set()), ("info", None, set()),
        ("error", "write failed", {"error"}), ("info", "write recovered", set()),
        ("warning", "c failed", {"error"})]


def test_a_page_can_fail():
    rows = rows_of("| `a` | node | info | `x`, `y` | it is. | |\n"
                   "| `b` | both | error | | bad | fix |\n")
    f, g = "node/f", "registry/g"
    assert problems_of([(f, "info", "a", {"x"}), (g, "error", "b", set())], rows) == []
    assert problems_of([(f, "info", "a", {"z"}), (g, "warning", "b", set())], rows) == [
        "node/f: a: fields without a row: ['z']", "registry/g: no row for warning: b",
        "no source logs error: b"]
    assert problems_of([("store/f", "info", "a", {"x"}), (f, "error", "b", set())], rows) == [
        "a: the program is store, not node", "b: the program is node, not both"]
    assert problems_of([(f, "info", "a", {"x"}), (f, "error", "b", set()),
                        ("store/f", "error", "b", set())], rows) == []
    assert problems_of([(f, "info", None, set())], {}) == ["node/f: the message is not a constant"]
    assert problems_of([(f, "info", "A", set())], {})[0] == "node/f: not a lower-case phrase: A"
