"""docs/log-messages.md has a row for each log message in the sources, with its level and fields, and
no other row. A message is a constant, lower-case phrase; what varies is a field."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/log-messages.md"
PROGRAMS = ("registry", "store", "node")

CALL = re.compile(r"(?:\.|->)(Debug|Info|Warning|Error)\(")
# A RepeatedFailure (registry/base/repeated_failure.h) logs these two; its own .cc is not read.
REPEATED = re.compile(r'\.(failed|recovered) =\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(?=([^}]*))')
REPEATED_SOURCE = "repeated_failure.cc"
LITERALS = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*)+')
FIELD = re.compile(r'\{\s*"([a-z_0-9]+)",')
CELL = r"\|[^|\n]*"
ROW = re.compile(rf"^\| `([^`|]+)` \| (debug|info|warning|error) \|([^|\n]*){CELL}{CELL}\|$", re.M)


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
    return [(path, *message) for program in PROGRAMS
            for path in sorted((ROOT / program).rglob("*.cc")) if path.name != REPEATED_SOURCE
            for message in messages_of(path.read_text())]


def rows_of(page):
    """{message: {(level, its fields)}}"""
    rows = {}
    for message, level, fields in ROW.findall(page):
        rows.setdefault(message, {})[level] = set(re.findall(r"`(\w+)`", fields))
    return rows


def problems_of(messages, rows):
    problems, seen = [], set()
    for path, level, message, fields in messages:
        if message is None:
            problems.append(f"{path}: the message is not a constant")
            continue
        seen.add((level, message))
        if message != message.lower() or message.endswith("."):
            problems.append(f"{path}: not a lower-case phrase: {message}")
        row = rows.get(message, {}).get(level)
        if row is None:
            problems.append(f"{path}: no row for {level}: {message}")
        elif not fields <= row:
            problems.append(f"{path}: {message}: fields without a row: {sorted(fields - row)}")
    problems += [f"no source logs {level}: {message}" for message, levels in rows.items()
                 for level in levels if (level, message) not in seen]
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
    rows = rows_of("| `a` | info | `x`, `y` | it is. | |\n| `b` | error | | bad | fix |\n")
    assert problems_of([("f", "info", "a", {"x"}), ("f", "error", "b", set())], rows) == []
    assert problems_of([("f", "info", "a", {"z"}), ("f", "warning", "b", set())], rows) == [
        "f: a: fields without a row: ['z']", "f: no row for warning: b", "no source logs error: b"]
    assert problems_of([("f", "info", None, set())], {}) == ["f: the message is not a constant"]
    assert problems_of([("f", "info", "A", set())], {})[0] == "f: not a lower-case phrase: A"
