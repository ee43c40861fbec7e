#!/usr/bin/env python3
"""Draws the sample for "How we test the words" (CONTRIBUTING.md): comments, log and error messages
and documentation sentences, numbered, each with its place. The same seed on the same tree draws the
same sample; each of the three kinds is drawn on its own."""

import argparse
import pathlib
import random
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRODUCT = ("control", "node", "proto", "registry", "store")
LEAST_WORDS = 3  # of a literal or a sentence that can be misread

LEXEME = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>\w*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<!\w)'(?:\\.|[^'\\\n])+'", re.S)
COMMENT_LINE = re.compile(r"^\s*//\s?(.*)$")
NO_COMMENT = re.compile(r"^(namespace\b.*|NOLINT.*|clang-format .*)?$")
LOG_CALL = re.compile(r"\blog_?\s*\.\s*(?:Debug|Info|Warning|Error)\s*(\()")
# Errors, and calls whose result is returned: many errors are completed by a function of their file.
ERROR_CALL = re.compile(r"\bError\s*([{(])|\bComplain\s*(\()|\breturn\s+[\w:]+\s*(\()")
REPEATED_FAILURE = re.compile(r'\.(?:failed|recovered) =\s*(?=")')
OPEN, CLOSE = "([{", ")]}"


class Item:
    """One thing to read: where it stands, its text, and what helps to understand it."""

    def __init__(self, path, line, text, context=""):
        self.path, self.line, self.text, self.context = path, line, text, context


def words(text):
    return len(re.findall(r"[^\W\d_]{2,}", text))


def comment_blocks(path, text):
    """Each run of whole comment lines, with the line of code behind it."""
    lines, number = text.splitlines(), 0
    while number < len(lines):
        block, first = [], number
        while number < len(lines) and (found := COMMENT_LINE.match(lines[number])):
            block.append(found.group(1))
            number += 1
        number += not block
        if block and not all(NO_COMMENT.match(line) for line in block):
            behind = lines[number].strip() if number < len(lines) else ""
            yield Item(path, first + 1, "\n".join(block), behind)


def mask(text):
    """The text with comments blanked and strings filled with 'x', and the strings by their start."""
    strings = {}

    def hide(found):
        token = found.group()
        if token[0] in "/'":
            return re.sub(r"[^\n]", " ", token)
        strings[found.start()] = token
        return '"' + re.sub(r"[^\n]", "x", token[1:-1]) + '"'
    return LEXEME.sub(hide, text), strings


def arguments(masked, opened):
    """The spans of the arguments of the bracket that opens at `opened`."""
    depth, begun = 0, opened + 1
    for at in range(opened, len(masked)):
        if masked[at] in OPEN:
            depth += 1
        elif masked[at] in CLOSE:
            depth -= 1
        if depth == 0 or (depth == 1 and masked[at] == ","):
            yield begun, at
            begun = at + 1
        if depth == 0:
            return


def literal(masked, strings, begun, end):
    """The strings of a span in one, with "…" for what is put between them and " / " between the two
    of a conditional expression; "" if there is none."""
    parts, at = [], begun
    for start in sorted(place for place in strings if begun <= place < end):
        gap = masked[at:start]
        if re.fullmatch(r"\s*:\s*", gap):
            parts.append(" / ")
        elif re.search(r"[^\s+]", gap) and not re.fullmatch(r"[^+]*\?\s*", gap):
            parts.append("…")
        token = strings[start]
        parts.append(re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] == '"' else token)
        at = start + len(token)
    if parts and re.search(r"[^\s+]", masked[at:end]):
        parts.append("…")
    return "".join(parts) if any(part != "…" for part in parts) else ""


def messages(path, text):
    """What the program says: the literals of log calls and of errors."""
    masked, strings = mask(text)
    taken = set()  # strings that are part of a message already
    for pattern, is_log in ((LOG_CALL, True), (ERROR_CALL, False)):
        for found in pattern.finditer(masked):
            opened = next(found.start(group) for group in range(1, (found.lastindex or 0) + 1)
                          if found.group(group))
            spans = list(arguments(masked, opened))
            for begun, end in spans[:1] if is_log else spans:
                inside = {place for place in strings if begun <= place < end}
                said = literal(masked, strings, begun, end)
                if inside & taken or not inside or (not is_log and words(said) < LEAST_WORDS):
                    continue
                taken |= inside
                fields = re.findall(r'\{"(\w+)"', text[end:spans[-1][1]]) if is_log else []
                yield Item(path, text.count("\n", 0, min(inside)) + 1, said,
                           "log, fields: " + (", ".join(fields) or "none") if is_log else "error")


def repeated_failures(path, text):
    """The log messages of a RepeatedFailure (registry/base/repeated_failure.h)."""
    masked, strings = mask(text)
    for found in REPEATED_FAILURE.finditer(masked):
        end = found.end() + re.search(r"[,}]", masked[found.end():]).start()
        yield Item(path, text.count("\n", 0, found.end()) + 1,
                   literal(masked, strings, found.end(), end), "log, fields: error")


def pieces_of(text):
    """(line, text, context) of the paragraphs, list items and cells of a Markdown page."""
    pieces, code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            code = not code
        if code or line.startswith(("```", "#", "|---")) or not line.strip():
            pieces.append(None)
        elif line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            pieces += [(number, cell, cells[0] if at else "") for at, cell in enumerate(cells)] + [None]
        elif (item := re.match(r"\s*(?:[-*]|\d+\.)\s+(.*)", line)) or not pieces or not pieces[-1]:
            pieces.append((number, item.group(1) if item else line.strip(), ""))
        else:
            first, begun, context = pieces[-1]
            pieces[-1] = (first, begun + "\n" + line.strip(), context)
    return filter(None, pieces)


def sentences(path, text):
    """The sentences of a Markdown page; code and headings are left out, cells of tables are not."""
    for first, piece, context in pieces_of(text):
        at = 0
        ends = [found.end() for found in re.finditer(r"[.!?](?=\s+[A-Z`*\[])", piece)]
        for end in [*ends, len(piece)]:
            sentence = piece[at:end].lstrip()
            line = first + piece.count("\n", 0, end - len(sentence))
            if words(re.sub(r"`[^`]*`", "", sentence)) >= LEAST_WORDS:
                yield Item(path, line, " ".join(sentence.split()), context)
            at = end


def files(root, folders, suffixes):
    for folder in folders:
        base = root / folder
        for path in [base] if base.is_file() else sorted(base.rglob("*")):
            if path.suffix in suffixes:
                yield path.relative_to(root), path.read_text()


def gather(root):
    """(title, all items) of the three kinds."""
    code = list(files(root, PRODUCT, (".h", ".cc", ".proto")))
    pages = list(files(root, ("README.md", "docs"), (".md",)))
    return {
        "comments": [item for path, text in code for item in comment_blocks(path, text)],
        "messages": [item for path, text in code
                     for find in (messages, repeated_failures) for item in find(path, text)],
        "docs": [item for path, text in pages for item in sentences(path, text)],
    }


def draw(items, kind, seed, count):
    return random.Random(f"{kind} {seed}").sample(items, min(count, len(items)))


def main(arguments_given=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--comments", type=int, default=60, help="comment blocks (60)")
    parser.add_argument("--messages", type=int, default=40, help="log and error messages (40)")
    parser.add_argument("--docs", type=int, default=40, help="documentation sentences (40)")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="the tree to draw from")
    options = parser.parse_args(arguments_given)
    number = 0
    for kind, items in gather(options.root).items():
        drawn = draw(items, kind, options.seed, getattr(options, kind))
        print(f"# {kind}: {len(drawn)} of {len(items)}, seed {options.seed}\n")
        for number, item in enumerate(drawn, number + 1):
            print(f"{number}. {item.path}:{item.line}")
            print("\n".join("   " + line for line in item.text.splitlines()))
            if item.context:
                print(f"   [{item.context}]")
            print()


if __name__ == "__main__":
    main()
