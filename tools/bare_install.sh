#!/usr/bin/env bash
# Build wheel and sdist into dist/, install the wheel alone (no extras) into a new environment, and try what works there.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
rm -rf dist
"$python" -m venv "$place/build"
"$place/build/bin/pip" install --quiet --disable-pip-version-check build
"$place/build/bin/python" -m build --outdir dist . >"$place/build.log" 2>&1 || { tail -20 "$place/build.log"; exit 1; }
ls -sh dist
"$python" -m venv "$place/bare"
"$place/bare/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
cd "$place"
try() {
  local start=$SECONDS code=0
  "$place/bare/bin/resect" "$@" >out.txt 2>&1 || code=$?
  if [ "$code" -eq "$expected" ]; then echo "ok  exit $code  $((SECONDS - start)) s  resect $*"
  else echo "WRONG exit $code, not $expected: resect $*"; tail -5 out.txt; exit 1; fi
}
expected=0
try --version
try methods
try tasks
try inspect clinic:specialist
try run --specialist clinic:specialist --base clinic:base --method magnitude --levels 0.3,0.6 \
  --task clinic-context,clinic-logic --limit 100 --out run
try report run --margin 0.1
try status run --verify
try diff run run
try export run --to csv --out csv
try audit csv --out audit
try compress clinic:specialist --step nodes:0.25 --out cut
expected=2 # one sentence that names the extra
try compress clinic:specialist --step bnb-nf4 --out packed
try compress clinic:specialist --step gguf:Q8_0 --out file
try view run
echo "the wheel works without extras"
