"""docs/operate.md has a row for each metric in the sources, and no other; names follow Prometheus."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/operate.md"
PROGRAMS = ("registry", "store", "node")

LITERAL = re.compile(r'"(outport_[a-z0-9_]+)"')
ROW = re.compile(r"^\| \**`(outport_[a-z0-9_]+)`\** \|", re.M)
COUNTER = re.compile(r'Counter\(\s*"(outport_[a-z0-9_]+)"')
OTHER = re.compile(r'(?:Gauge|Histogram)\(\s*"(outport_[a-z0-9_]+)"')
# A ByteBudget (registry/http/api/byte_budget.h) appends these to the name that it is given.
BUDGETS = ("outport_http_manifest_memory",)
BUDGET_SUFFIXES = ("_bytes", "_rejections_total")


def sources():
    return "\n".join(path.read_text() for program in PROGRAMS
                     for path in sorted((ROOT / program).rglob("*.cc")))


def metrics_of(text):
    """The names of all metrics that the source text exports."""
    names = set(LITERAL.findall(text))
    for budget in names & set(BUDGETS):
        names.remove(budget)
        names |= {budget + suffix for suffix in BUDGET_SUFFIXES}
    return names


def documented(page):
    return ROW.findall(page)


def test_every_metric_is_in_the_tables_and_no_other():
    assert sorted(documented(PAGE.read_text())) == sorted(metrics_of(sources()))


def test_only_counters_end_in_total():
    text = sources()
    assert [name for name in COUNTER.findall(text) if not name.endswith("_total")] == []
    assert [name for name in OTHER.findall(text) if name.endswith("_total")] == []


def test_metrics_are_found():
    source = 'Counter("outport_a_total", "A.") Gauge(\n "outport_b") x("outport_http_manifest_memory")'
    assert metrics_of(source) == {"outport_a_total", "outport_b", "outport_http_manifest_memory_bytes",
                                  "outport_http_manifest_memory_rejections_total"}
    assert documented("| `outport_a` | x |\n| **`outport_b`** | y |\nsee `outport_c`\n") == [
        "outport_a", "outport_b"]
