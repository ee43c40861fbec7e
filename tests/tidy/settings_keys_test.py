"""docs/configure.md has a row for each configuration key that the daemons read, and no other."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/configure.md"
SOURCES = ("registry/http/registry_config.cc", "registry/storage/disk_watch.cc", "store/config.cc",
           "node/membership/config.cc")
DAEMON_KEYS_END = "## outportctl.yml"

READ = re.compile(r"\.(?:RequiredString|String|AbsolutePath|Listen|Size|Duration|Integer|Choice|Bool"
                  r'|Level|Address)\(\s*"(\w+)"|\bRead\w+\(section, "(\w+)"')
RENAMED = re.compile(r'\.Renamed\(\s*"(\w+)", "(\w+)"\)')
ROW = re.compile(r"^\| `(?:\w+\.)*(\w+)` \|", re.M)


def keys_of(text):
    return {first or second for first, second in READ.findall(text)}


def sources():
    return "\n".join((ROOT / path).read_text() for path in SOURCES)


def documented():
    tables = PAGE.read_text().split(DAEMON_KEYS_END)[0]
    values = {"require", "strict", "optional", "off"}  # the rows of client_auth's modes
    return set(ROW.findall(tables)) - values


def test_every_key_is_documented_and_no_other():
    assert sorted(documented()) == sorted(keys_of(sources()))


def test_a_renamed_key_names_one_that_is_read():
    renamed = dict(RENAMED.findall(sources()))
    assert renamed and set(renamed.values()) <= keys_of(sources())
    assert not set(renamed) & documented()


def test_keys_are_found():
    assert keys_of('a.Listen("listen", b); c.Section("d").Size(\n "e", 1); x.Renamed("f", "g")') == {
        "listen", "e"}
