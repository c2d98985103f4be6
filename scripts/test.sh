#!/usr/bin/env bash
# Runs every test, or those that the arguments name (`-p domain`), and stops the test server afterwards.
#   TEST_LIMIT  how long they may run once they are built, default 40m; whatever hangs is ended then
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:${HOME:-/root}/.cargo/bin

scripts/setup.sh tests || exit 1
scripts/peers.sh
if [ "$#" -eq 0 ]; then set -- --workspace; fi
limit=${TEST_LIMIT:-40m}

# Building may take as long as it takes; only the tests have a limit.
cargo test --locked --no-run "$@" || { echo "TESTS FAILED: they do not build" >&2; exit 1; }
timeout --kill-after=30s "$limit" cargo test --locked --no-fail-fast "$@" &
tests=$!
# The tests have a process group of their own: Ctrl-C reaches them through here.
trap 'kill -TERM "$tests" 2>/dev/null' INT TERM
wait "$tests"
outcome=$?
while kill -0 "$tests" 2>/dev/null; do wait "$tests"; outcome=$?; done
trap - INT TERM
if [ "$outcome" -eq 124 ] || [ "$outcome" -eq 137 ]; then
  echo "TESTS ENDED: they were not done after $limit; the last 'has been running for over 60 seconds' above names the one that hangs" >&2
fi

# The tests leave their PostgreSQL running for one another. Whoever uses it holds this lock.
folder=${CARGO_TARGET_DIR:-target}/test-postgres
if [ -e "$folder/cluster.lock" ]; then
  home=$folder/postgres
  if [ -f "$folder/postgres.location" ]; then home=$(cat "$folder/postgres.location"); fi
  (
    if flock --exclusive --nonblock 9 && pid=$(head -n 1 "$home/data/postmaster.pid" 2>/dev/null); then
      kill -INT "$pid" 2>/dev/null
      # The lock is kept until it is gone: whoever comes now must not join a server that is ending.
      for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
      done
    fi
  ) 9<>"$folder/cluster.lock"
fi

if [ "$outcome" -eq 0 ]; then echo "all tests passed"; else echo "TESTS FAILED" >&2; fi
exit "$outcome"
