#!/bin/sh
# Installs the dependencies, Node 24 among them, or says in one line what is missing for that.
cd "$(dirname "$0")/.." || exit 1

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo 'headrace needs Node 20 or newer with npm to install itself: see https://nodejs.org or your system’s packages (Debian: apt-get install nodejs npm).' >&2
  exit 1
fi
version=$(node --version)
major=${version#v}
major=${major%%.*}
if [ "$major" -lt 20 ]; then
  echo "headrace needs Node 20 or newer to install itself (this is ${version}); it then brings its own Node 24." >&2
  exit 1
fi
node tools/installed.mjs && exit 0
echo 'installing dependencies (npm ci) …' >&2
exec npm ci --no-audit --no-fund --loglevel=error
