#!/usr/bin/env bash
# Installs what building and running need and this machine lacks. Quiet when there is nothing to do.
# Without root or passwordless sudo it goes on: the program fetches PostgreSQL by itself.
# Arguments: further commands to have, each in the Debian package of its name; `tests` for what the tests need beside.
set -euo pipefail
provider=$(cd "$(dirname "${BASH_SOURCE[0]}")/../api/tests/oidc-provider" && pwd)

say() { printf 'setup: %s\n' "$*" >&2; }

have_postgres() {
  local dir major
  for dir in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin ${PATH//:/ }; do
    [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] || continue
    major=$("$dir/postgres" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9]*\).*/\1/p')
    if [ "${major:-0}" -ge 14 ]; then return 0; fi
  done
  return 1
}

have_openssl() { command -v pkg-config >/dev/null && pkg-config --exists openssl; }

missing=()
if ! command -v cc >/dev/null || ! [ -e /usr/include/stdio.h ]; then missing+=(gcc libc6-dev); fi
have_openssl || missing+=(pkg-config libssl-dev)
have_postgres || missing+=(postgresql)
with_tests=
for command in "$@"; do
  if [ "$command" = tests ]; then
    with_tests=yes
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    # For a clock that jumps.
    command -v faketime >/dev/null || missing+=(faketime)
  else
    command -v "$command" >/dev/null || missing+=("$command")
  fi
done

if [ "${#missing[@]}" -gt 0 ]; then
  root=()
  if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
  if ! command -v apt-get >/dev/null; then
    say "missing: ${missing[*]}; there is no apt-get here, install them by hand"
  elif [ "${#root[@]}" -gt 0 ] && ! sudo -n true 2>/dev/null; then
    say "missing: ${missing[*]}; no right to install them, going on without"
  else
    say "installing ${missing[*]}"
    log=$(mktemp)
    if { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"; } \
      >"$log" 2>&1 </dev/null; then
      rm -f "$log"
    else
      tail -n 5 "$log" >&2
      say "that did not work, going on without (all of it: $log)"
    fi
  fi
fi

# The OpenID Connect provider of the tests, as its lock file names it.
if [ -n "$with_tests" ] && command -v npm >/dev/null &&
  ! cmp -s "$provider/package-lock.json" "$provider/node_modules/.installed"; then
  say "installing the OpenID Connect provider of the tests"
  log=$(mktemp)
  if (cd "$provider" && npm ci --ignore-scripts >"$log" 2>&1 && cp package-lock.json node_modules/.installed); then
    rm -f "$log"
  else
    tail -n 5 "$log" >&2
    say "that did not work; signing in at a real provider is not tested (all of it: $log)"
  fi
fi

if ! command -v cc >/dev/null; then
  say "a C compiler is needed to build (on Debian: apt-get install gcc libc6-dev)"
  exit 1
fi
if ! have_openssl; then
  say "OpenSSL's headers are needed to build (on Debian: apt-get install pkg-config libssl-dev)"
  exit 1
fi
if ! command -v cargo >/dev/null && ! [ -x "${HOME:-/root}/.cargo/bin/cargo" ]; then
  say "Rust is needed to build: https://rustup.rs"
  exit 1
fi
