#!/usr/bin/env bash
# Runs the HTTP tests that the arguments name (all of them without any) with their files on a server that speaks S3,
# which is started for it. `scripts/peers.sh` installs it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:${HOME:-/root}/.cargo/bin

weed=${CARGO_TARGET_DIR:-target}/peers/bin/weed
[ -x "$weed" ] || { echo "on-s3: there is no server; run scripts/peers.sh" >&2; exit 1; }
cargo test --locked -p api --test http --no-run

folder=$(mktemp -d)
port=$((20000 + RANDOM % 1200 * 10))
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf -- "$folder"' EXIT
printf '%s' '{"identities": [{"name": "ledger", "actions": ["Read:figures", "Write:figures", "List:figures"],
  "credentials": [{"accessKey": "ledger", "secretKey": "a-very-secret-access-key"}]}]}' >"$folder/rights.json"
"$weed" server -ip=127.0.0.1 -s3 -volume.max=8 -master.volumeSizeLimitMB=64 -dir="$folder" \
  -s3.config="$folder/rights.json" -s3.port=$port -s3.port.grpc=$((port + 1)) -filer.port=$((port + 2)) \
  -filer.port.grpc=$((port + 3)) -master.port=$((port + 4)) -master.port.grpc=$((port + 5)) \
  -volume.port=$((port + 6)) -volume.port.grpc=$((port + 7)) >"$folder/log" 2>&1 </dev/null &
server=$!
for _ in $(seq 120); do
  if curl -fsS --noproxy '*' -m 5 -o /dev/null -X POST "http://127.0.0.1:$((port + 2))/buckets/figures/" 2>/dev/null &&
    curl -sS --noproxy '*' -m 2 -o /dev/null "http://127.0.0.1:$port/" 2>/dev/null; then
    up=yes
    break
  fi
  sleep 0.25
done
[ "${up:-}" = yes ] || { tail -n 20 "$folder/log" >&2; echo "on-s3: the server does not start" >&2; exit 1; }
TEST_S3=http://127.0.0.1:$port timeout --kill-after=30s "${TEST_LIMIT:-20m}" cargo test --locked -p api --test http -- "$@"
