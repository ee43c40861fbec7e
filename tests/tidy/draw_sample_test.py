"""The sample of words is what it says: the same for a seed, and with everything that is read."""

import importlib.util
import pathlib

SCRIPT = pathlib.Path(__file__).with_name("draw_sample.py")
SPEC = importlib.util.spec_from_file_location("draw_sample", SCRIPT)
sampler = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(sampler)

CODE = """#pragma once
// A queue of work.
// Safe for all threads.
class Queue {
  int size;  // beside code
  // namespace a
};
}  // namespace a
Result<void> F() {
  log_.Warning("a write failed", {{"cause", why}, {"path", path}});
  if (x) return Error{ErrorCode::kNoSpace, "needs " + std::to_string(n) + " more bytes, "
                                           "free space first"};  // "no message"
  return Unknown(repository, "the repository has no such blob");
  return Name("short");
}
"""
PAGE = """# A title is not read
One sentence here. Another one
follows it: see `Code.Name`.

```
not this line at all
```

| key | what the key means |
|---|---|
| `a.b` | how long a copy lasts |
"""


def found(items):
    return [(item.line, item.text, item.context) for item in items]


def test_comment_blocks_come_with_the_code_behind_them():
    assert found(sampler.comment_blocks("a.h", CODE)) == [
        (2, "A queue of work.\nSafe for all threads.", "class Queue {")]


def test_messages_of_logs_and_errors_are_found():
    assert found(sampler.messages("a.cc", CODE)) == [
        (10, "a write failed", "log, fields: cause, path"),
        (11, "needs … more bytes, free space first", "error"),
        (13, "the repository has no such blob", "error")]


def test_messages_of_a_repeated_failure_are_found():
    code = 'Failure f({.log = log,\n  .failed = "a write " "failed", .recovered = "a write worked"});'
    assert found(sampler.repeated_failures("a.cc", code)) == [
        (2, "a write failed", "log, fields: error"), (2, "a write worked", "log, fields: error")]


def test_sentences_are_found_in_paragraphs_and_tables():
    assert found(sampler.sentences("a.md", PAGE)) == [
        (2, "One sentence here.", ""),
        (2, "Another one follows it: see `Code.Name`.", ""),
        (9, "what the key means", "key"),
        (11, "how long a copy lasts", "`a.b`")]


def test_a_seed_draws_the_same_again_and_another_one_does_not(capsys):
    def sample(seed, *options):
        sampler.main(["--seed", str(seed), *options])
        return capsys.readouterr().out
    once = sample(7)
    assert once == sample(7) and once != sample(8)
    assert once.startswith("# comments: 60 of ") and "\n140. " in once and "\n141. " not in once
    assert sample(7, "--comments", "2", "--messages", "0", "--docs", "0").count(":") < once.count(":")
