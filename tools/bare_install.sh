#!/usr/bin/env bash
# Build wheel and sdist into dist/, install the wheel alone (no extras) into a new environment, and run there the
# commands of docs/howto/install.md: those under `<!-- bare: CODE -->` have to end with that exit code.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}
page=$PWD/docs/howto/install.md
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
rm -rf dist
"$python" -m venv "$place/build"
"$place/build/bin/pip" install --quiet --disable-pip-version-check build
"$place/build/bin/python" -m build --outdir dist . >"$place/build.log" 2>&1 || { tail -20 "$place/build.log"; exit 1; }
ls -sh dist
"$python" -m venv "$place/bare"
"$place/bare/bin/pip" install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
echo "installed after $SECONDS s, $(du -sh "$place/bare" | cut -f1)"
unset PYTHONPATH
export PATH="$place/bare/bin:$PATH"
cd "$place"
for expected in 0 2; do
  sed -n "/<!-- bare: $expected -->/,/^\$/p" "$page" | grep '^resect ' >commands
  while read -r command; do
    start=$SECONDS code=0
    bash -c "$command" >out.txt 2>&1 </dev/null || code=$?
    if [ "$code" -ne "$expected" ]; then
      echo "WRONG exit $code, not $expected: $command"
      tail -5 out.txt
      exit 1
    fi
    echo "ok  exit $code  $((SECONDS - start)) s  $command"
    [ "$code" -eq 0 ] || tail -1 out.txt
  done <commands
done
echo "the wheel works without extras"
