#!/usr/bin/env python3
"""Attacks on a fleet: strangers at the fleet port, clients that take what all need, full and rotten disks.

Each attack starts a fleet of its own on loopback. Most of them measure other clients at other addresses,
quiet and under attack in the same run, and print p50, p99 and their ratio, what failed, how often the
attackers were refused, the daemons' memory and descriptors, and whether everybody is served afterwards.
The bounds are in wanted.py. Ends with 1 if a chosen attack misses one. Needs a build, and root for the attacks
that mount small disks:

    bench/hostile/__main__.py [--only silent,sessions@store] [--seconds 10] [--slow] [--json FILE] [--list]
                              [--bin build/release/bin] [--folder /var/tmp]

An attack without @ in --only is meant at every place. The attackers run at the lowest priority.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names of attacks, separated by commas")
    parser.add_argument("--list", action="store_true", help="prints the names, and ends")
    parser.add_argument("--seconds", type=float, default=10, help="of each phase")
    parser.add_argument("--slow", action="store_true", help="with the attacks that take a minute and more")
    parser.add_argument("--json", type=pathlib.Path, help="writes all figures to this file, too")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--folder", default="/var/tmp", help="where the fleets' data is")
    options = parser.parse_args()
    if not 1 <= options.seconds <= 600:
        parser.error("--seconds: 1 to 600")
    return options


OPTIONS = parse()
os.environ["OUTPORT_BIN"] = str(OPTIONS.bin.resolve())
sys.path.insert(0, str(ROOT / "tests" / "support"))

import disks  # noqa: E402
import fleet_port  # noqa: E402
import manifests  # noqa: E402
import shares  # noqa: E402
import slow  # noqa: E402
from stage import Skipped, Stage  # noqa: E402

# name: (the attack, whether only --slow runs it)
ATTACKS = {name: (attack, module is slow) for module in (fleet_port, shares, manifests, disks, slow)
           for name, attack in module.ATTACKS.items()}


def chosen():
    names = list(filter(None, OPTIONS.only.split(",")))
    unknown = [name for name in names if not any(name in (one, one.split("@")[0]) for one in ATTACKS)]
    if unknown:
        sys.exit(f"--only: no attack is named {', '.join(unknown)}; --list prints them")
    if names:
        return [one for one in ATTACKS if one in names or one.split("@")[0] in names]
    return [one for one, (_, is_slow) in ATTACKS.items() if OPTIONS.slow or not is_slow]


class TooLong(Exception):
    """An attack did not end by itself."""


def end_attack(*_):
    raise TooLong(f"more than {limit_seconds():.0f} s")


def limit_seconds():
    return 300 + 4 * OPTIONS.seconds


def perform(name):
    began = time.monotonic()
    stage = Stage(name, OPTIONS.seconds, OPTIONS.folder)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, limit_seconds())
            ATTACKS[name][0](stage)
        except Skipped as reason:
            stage.result["skipped"] = str(reason)
        except Exception:  # the other attacks still run
            stage.result["checks"].append({"check": "the attack runs to its end", "wanted": "yes", "ok": False,
                                           "seen": traceback.format_exc(limit=-4)})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        result = stage.finish()
    finally:
        stage.close()
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


def cell(value):
    return "-" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


def table(rows):
    widths = [max(len(cell(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(cell(one).rjust(width) if i else cell(one).ljust(width)
                               for i, (one, width) in enumerate(zip(row, widths))).rstrip())


def show(result):
    if "skipped" in result:
        print(f"{result['attack']}: skipped: {result['skipped']}\n", flush=True)
        return
    print(f"{result['attack']}: {'pass' if result['ok'] else 'FAIL'}, {result['seconds']} s")
    if result["under_attack"]:
        rows = [("others, ms", "quiet p50", "p99", "attack p50", "p99", "ratio", "served", "failed")]
        for what, attack in result["under_attack"].items():
            quiet = result["quiet"].get(what, {})
            rows.append((what, quiet.get("p50_ms"), quiet.get("p99_ms"), attack["p50_ms"], attack["p99_ms"],
                         result["p99_ratio"].get(what), attack["count"],
                         " ".join(f"{why}:{count}" for why, count in attack["failures"].items()) or 0))
        table(rows)
    if result["attackers"]:
        print("  attackers: " + ", ".join(f"{what}: {count}" for what, count in result["attackers"].items()))
    for what, value in result["notes"].items():
        print(f"  {what}: {value}")
    rows = [(daemon, name, values.get("quiet"), values["attack"], values.get("after"))
            for daemon, figures in result.get("daemons", {}).items()
            for name, values in figures.items() if "attack" in values]
    if rows:
        table([("daemon", "figure", "quiet", "attack", "after"), *rows])
    for check in result["checks"]:
        print(f"  {'ok  ' if check['ok'] else 'FAIL'} {check['check']}: wanted {check['wanted']}, "
              f"seen {cell(check['seen'])}")
    print(flush=True)


def main():
    if OPTIONS.list:
        print("\n".join(ATTACKS))
        return 0
    signal.signal(signal.SIGALRM, end_attack)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the fleet ends with the runner
    results = []
    for name in chosen():
        results.append(perform(name))
        show(results[-1])
        if OPTIONS.json:
            OPTIONS.json.write_text(json.dumps(results, indent=1) + "\n")
    failed = [result["attack"] for result in results if "skipped" not in result and not result["ok"]]
    print(f"{len(results)} attacks, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
