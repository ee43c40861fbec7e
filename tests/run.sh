#!/usr/bin/env bash
# tests/run.sh [PRESET] [--quick] [NAME ...]: installs missing packages, builds, and runs the tests.
# The last line is ctest's count: "N passed, N failed".
#
#   tests/run.sh                   every test, optimised (the preset release)
#   tests/run.sh --quick           what to run before a commit: the unit tests, the tidy tests and
#                                  one fleet; under three minutes once everything is built
#   tests/run.sh pattern_test.cc   the tests of a file
#   tests/run.sh Pattern           the tests whose name matches: Suite, Suite.Test, a ctest name
#   tests/run.sh tests/store       the tests of a folder
#   tests/run.sh asan              the preset asan or tsan: all but e2e, crash, tidy and model
#                                  tests, under a sanitizer
#   tests/run.sh asan --quick      the unit tests alone, under a sanitizer
#   tests/run.sh debug             like release, for a debugger and without precompiled headers
#
# With a NAME it builds only what these tests need.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }

preset=release
quick=
names=()
for word in "$@"; do
  case $word in
    release | debug | asan | tsan) preset=$word ;;
    --quick) quick=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*)
      echo "run.sh: unknown option '$word'; see tests/run.sh --help" >&2
      exit 2
      ;;
    *) names+=("$word") ;;
  esac
done
chosen=()
targets=()
case $preset$quick in
  asan | tsan) chosen=(--label-exclude '^(e2e|crash|tidy|model)$') ;;
  *sanyes)
    chosen=(--label-regex '^(unit|fuzz)$' --label-exclude '^slow$')
    targets=(unit_tests)
    ;;
  *yes)
    chosen=(--label-regex '^(unit|fuzz|tidy|quick)$' --label-exclude '^slow$')
    targets=(unit_tests outport-store outport-node outportctl)
    ;;
esac

started=$SECONDS
stage=installing
results=build/$preset/ctest.xml

# Reads ctest's result file, so the counts are those of ctest.
summary() {
  /usr/bin/python3 - "$results" <<'PYTHON'
import collections
import re
import sys
import xml.etree.ElementTree

LINES = 8  # for each failed case

suite = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "skipped", "disabled")}
for case in suite.iter("testcase"):
    if case.get("status") == "fail":
        print(f"failed: {case.get('name')}")
        # The first lines in which pytest or GoogleTest states what failed.
        stated = re.findall(r"^(?:FAILED |E  |\S+\.cc:\d+: Failure).*$", case.findtext("system-out", ""), re.M)
        for line in stated[:LINES]:
            print(f"  {line[:200]}")
    elif case.get("status") == "notrun":
        print(f"skipped: {case.get('name')}")
    reasons = collections.Counter()  # pytest's reasons, for the tests in this file
    for told in re.finditer(r"^SKIPPED \[(\d+)\] \S+ (.+)$", case.findtext("system-out", ""), re.M):
        reasons[told.group(2)] += int(told.group(1))
    for reason, tests in reasons.items():
        print(f"  {case.get('name')} skipped {tests} tests: {reason}")
left_out = count["skipped"] + count["disabled"]
passed = count["tests"] - count["failures"] - left_out
print(f"{passed} passed, {count['failures']} failed" + (f", {left_out} skipped" if left_out else ""))
PYTHON
}

finish() {
  local status=$?
  trap - EXIT
  printf '\n%s: %d min %02d s\n' "$preset" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
  if [[ $stage != tested ]]; then
    echo "stopped while $stage"
    echo "0 passed, 1 failed"
    exit $((status ? status : 1))
  fi
  local closing
  closing=$(summary)
  echo "$closing"
  # A run without a passed test fails.
  [[ ${closing##*$'\n'} == 0\ passed* ]] && status=1
  exit "$status"
}
trap finish EXIT

tests/install.sh

stage=building
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
cmake --preset "$preset" >"${TMPDIR:-/tmp}/outport-cmake.$$" 2>&1 || {
  cat "${TMPDIR:-/tmp}/outport-cmake.$$"
  exit 1
}
rm -f "${TMPDIR:-/tmp}/outport-cmake.$$"
if ((${#names[@]})); then
  selection=$(/usr/bin/python3 tests/support/select_tests.py "build/$preset" "${names[@]}")
  read -ra targets <<<"${selection%%$'\n'*}"
  chosen+=(--tests-regex "${selection#*$'\n'}")
fi
cmake --build --preset "$preset" ${targets[@]:+--target "${targets[@]}"}

stage=testing
rm -f "$results"
export ASAN_OPTIONS=detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="ignore_noninstrumented_modules=1 suppressions=$PWD/tests/tsan.supp"
status=0
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" \
  --output-junit "$PWD/$results" "${chosen[@]}" || status=$?
[[ -s $results ]] && stage=tested
exit "$status"
