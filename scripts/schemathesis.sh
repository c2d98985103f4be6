#!/usr/bin/env bash
# Sends what the OpenAPI document allows, and much that it does not, to a running server: no answer may be a
# 5xx, and every answer must be one that the document describes.
#   FIGURE_LEDGER_URL  a server that runs already and may be filled with nonsense, with ADMIN=name:password and
#                      SOMEBODY=name:password; default: one of its own, thrown away afterwards
#   FIGURE_LEDGER_BIN  the program, if it is built already
#   EXAMPLES           requests per operation and phase, default 20
#   SEED               to repeat a run
# What is installed goes into the target folder. Arguments are handed on to `schemathesis run`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:${HOME:-/root}/.cargo/bin
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)

venv=$target/schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
  command -v python3 >/dev/null || { echo "python3 is needed" >&2; exit 1; }
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet 'schemathesis==4.32.5'
fi

work=$(mktemp -d)
server=
ends() {
  if [ -n "$server" ]; then
    kill -INT "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap ends EXIT

if [ -z "${FIGURE_LEDGER_URL:-}" ]; then
  binary=${FIGURE_LEDGER_BIN:-}
  if [ -z "$binary" ]; then
    cargo build --locked --package api --bin figure-ledger
    binary=$target/debug/figure-ledger
  fi
  # The folder belongs to whoever PostgreSQL runs as, so it must be reachable for them.
  chmod 755 "$work"
  # Nobody outside is asked: what others answer, or that they do not, says nothing of this server.
  RATE_LIMIT_ENABLED=false ANILIST_ENABLED=false "$binary" serve --demo --data "$work/data" --listen 127.0.0.1:0 \
    >"$work/out" 2>"$work/log" &
  server=$!
  for _ in $(seq 600); do
    FIGURE_LEDGER_URL=$(sed -n 's/^Figure Ledger listens on //p' "$work/out")
    if [ -n "$FIGURE_LEDGER_URL" ]; then break; fi
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
  done
  ADMIN=schemathesis:$(head -c 18 /dev/urandom | base64 | tr '+/' '-_')
  printf '%s\n' "${ADMIN#*:}" | "$binary" admin create-user "${ADMIN%%:*}" --admin --data "$work/data" >/dev/null
fi
: "${ADMIN:?ADMIN=name:password of an admin of $FIGURE_LEDGER_URL}"

# A session of an admin, and one of somebody who is none and has a collection.
signed_in() { # path, body
  curl --silent --show-error --fail-with-body --output "$work/answer" --dump-header "$work/headers" \
    --header 'content-type: application/json' --data "$2" "$FIGURE_LEDGER_URL$1" \
    || { cat "$work/answer" >&2; exit 1; }
  sed -n 's/^set-cookie: figure_ledger_session=\([^;]*\).*/\1/ip' "$work/headers"
}
login() { # name:password
  signed_in /api/auth/login "{\"username\": \"${1%%:*}\", \"password\": \"${1#*:}\"}"
}
admin=$(login "$ADMIN")
somebody=$(login "${SOMEBODY:-demo:figure-demo-password}")

# Ids that exist, so that not every answer is a 404: half of the time one of them is taken.
ids() { # cookie, path
  curl --silent --header "cookie: figure_ledger_session=$1" "$FIGURE_LEDGER_URL$2" \
    | python3 -c 'import json, sys
said = json.load(sys.stdin)
items = said if isinstance(said, list) else said.get("items", [])
ids = [i.get("id") or i.get("figure_id") or i.get("figure", {}).get("id") for i in items[:20]]
print(json.dumps([i for i in ids if i] or ["00000000-0000-7000-8000-000000000000"]))'
}
configured() { # cookie
  cat <<TOML
[auth.openapi.session]
api_key = "$1"
[parameters]
"body.figure_id" = { dictionary = "figures", probability = 0.5 }
TOML
  for kind in manufacturers series characters sculptors stores figures; do
    echo "[dictionaries.$kind]"
    echo "values = $(ids "$1" "/api/$kind?limit=20")"
  done
  for kind in owned preorders locations wishlist; do
    echo "[dictionaries.$kind]"
    echo "values = $(ids "$1" "/api/me/$kind")"
  done
  for kind in manufacturers series characters sculptors stores figures; do
    printf '[[operations]]\ninclude-path-regex = "^/api/%s/\\\\{id\\\\}"\n' "$kind"
    printf 'parameters = { "path.id" = { dictionary = "%s", probability = 0.5 } }\n' "$kind"
  done
  for kind in owned preorders locations; do
    printf '[[operations]]\ninclude-path-regex = "^/api/me/%s/\\\\{id\\\\}"\n' "$kind"
    printf 'parameters = { "path.id" = { dictionary = "%s", probability = 0.5 } }\n' "$kind"
  done
  printf '[[operations]]\ninclude-path-regex = "^/api/me/wishlist/"\n'
  printf 'parameters = { "path.figure_id" = { dictionary = "figures", probability = 0.5 } }\n'
}

# Left out: what ends the session that is used or the account, what never ends, and what halts the read models
# that every other answer is made of.
outcome=0
for session in "$admin" "$somebody"; do
  configured "$session" >"$work/schemathesis.toml"
  # It keeps notes of its own where it is started.
  (cd "$work" && "$venv/bin/schemathesis" --config-file "$work/schemathesis.toml" \
    run "$FIGURE_LEDGER_URL/api/openapi.json" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,ignored_auth \
    --max-examples "${EXAMPLES:-20}" --continue-on-failure --request-timeout 20 --warnings off \
    --exclude-path /api/auth/logout \
    --exclude-path /api/admin/projections/events \
    --exclude-path-regex '^/api/admin/projections/[^/]+/(pause|rebuild|skip)$' \
    --exclude-operation-id delete_me \
    ${SEED:+--seed "$SEED"} "$@") || outcome=1
done
if [ -s "$work/log" ] && grep -E ' (ERROR|WARN) ' "$work/log" | grep -v 'malformed session id' >"$work/said"; then
  echo "The server's log says:"
  head -40 "$work/said"
fi
exit "$outcome"
