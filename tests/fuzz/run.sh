#!/usr/bin/env bash
# tests/fuzz/run.sh [seconds] [fuzzer ...]: builds the fuzzers and runs one after the other, 60
# seconds each by default. Keeps new corpus inputs in build/fuzz/corpus and failing inputs in
# build/fuzz/found. Exit code 1 if a fuzzer fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-} in
  -h | --help)
    sed -n '2,4s/^# //p' "$0"
    exit 0
    ;;
esac
seconds=${1:-60}
shift || true
fuzzers=("$@")
((${#fuzzers[@]})) || mapfile -t fuzzers < <(ls tests/fuzz/corpus)

export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzzers
mkdir -p build/fuzz/found
status=0
for fuzzer in "${fuzzers[@]}"; do
  learnt=build/fuzz/corpus/$fuzzer
  log=build/fuzz/$fuzzer.log
  mkdir -p "$learnt"
  max_len=4096
  [[ $fuzzer == manifest ]] && max_len=16384
  if "build/fuzz/fuzz/fuzz_$fuzzer" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 \
    -max_len=$max_len -dict=tests/fuzz/http.dict -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$fuzzer-" "$learnt" "tests/fuzz/corpus/$fuzzer" \
    >"$log" 2>&1; then
    printf '%-12s %12s executions\n' "$fuzzer" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
  else
    status=1
    printf '%-12s broken: see %s\n' "$fuzzer" "$log"
    tail -n 30 "$log"
  fi
done
exit $status
