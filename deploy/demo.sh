#!/usr/bin/env bash
# What sluice does, on a sample tree in a temporary directory.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SLUICE_STATE=$work/state
src=$work/photos dst=$work/mirror

echo "A sample tree: 2,000 small files in 40 directories and one of 100 MiB."
for d in $(seq 1 40); do
  mkdir -p "$src/album-$d"
  for f in $(seq 1 50); do echo "picture $f of album $d" > "$src/album-$d/$f.jpg"; done
done
head -c 104857600 /dev/urandom > "$src/film.mov"

run() { echo; echo "\$ sluice $*"; ./bin/sluice "$@"; }

run sync "$src" "$dst"
echo; echo "Three files change, one is new. Only those move:"
echo changed > "$src/album-1/1.jpg"; echo changed > "$src/album-2/2.jpg"; echo changed > "$src/album-3/3.jpg"
echo new > "$src/album-40/new.jpg"
run sync "$src" "$dst"
run status
echo
if diff -r "$src" "$dst"; then echo "diff -r finds no difference."; else exit 1; fi
