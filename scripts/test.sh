#!/usr/bin/env bash
# Runs every test, or those that the arguments name (`-p domain`), and stops the test server afterwards.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:${HOME:-/root}/.cargo/bin

scripts/setup.sh || exit 1
if [ "$#" -eq 0 ]; then set -- --workspace; fi
cargo test --locked --no-fail-fast "$@"
outcome=$?

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
