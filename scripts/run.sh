#!/usr/bin/env bash
# Builds the program and starts the server with a demo collection.
#   DATA                  the data folder, default ./data
#   FIGURE_LEDGER_LISTEN  where to listen, default 127.0.0.1:8080
#   DATABASE_URL          a PostgreSQL of your own instead of the private one
#   PROFILE               how to build, default release; dev builds faster and runs slower
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PATH:${HOME:-/root}/.cargo/bin

data=${DATA:-$PWD/data}
case $data in /*) ;; *) data=$called_from/$data ;; esac

scripts/setup.sh
profile=${PROFILE:-release}
cargo build --profile "$profile" --locked --package api --bin figure-ledger
target=${CARGO_TARGET_DIR:-target}
folder=$profile
if [ "$profile" = dev ]; then folder=debug; fi
# exec: signals go straight to the server, which stops its PostgreSQL before it ends.
exec "$target/$folder/figure-ledger" serve --demo --data "$data" --listen "${FIGURE_LEDGER_LISTEN:-127.0.0.1:8080}"
