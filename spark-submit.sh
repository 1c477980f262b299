#!/usr/bin/env bash
# Run a job: ./spark-submit.sh JOB [--config FILE] [--KEY VALUE ...]
#   --master URL      any Spark master (default: the one in the properties file, local[*])
#   --spark FILE      Spark properties (default: conf/spark/local.conf)
#   --debug           stack traces, and Spark's own messages
# Everything else goes to the job; ./spark-submit.sh JOB --help explains its keys. Paths are taken from the project's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fail() { echo "$1" >&2; exit 2; }

[ $# -gt 0 ] || fail "Usage: ./spark-submit.sh JOB [--config FILE] [--KEY VALUE ...]. Jobs: $(basename -s .py -a jobs/*.py | xargs)."
job=$1; shift
[ -f "jobs/$job.py" ] || fail "No job $job. Jobs: $(basename -s .py -a jobs/*.py | xargs)."

python=${PYSPARK_PYTHON:-$PWD/.venv/bin/python}
[ -x "$python" ] || fail "No Python at $python: run 'make setup' first, or set PYSPARK_PYTHON."
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
command -v "$java" >/dev/null || fail "No Java found: install Java 17 and put it on the PATH, or set JAVA_HOME."
version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${version:-0}" -ge 17 ] || fail "Java ${version:-of an unknown version} is too old: Spark 4 needs 17 or newer. Set JAVA_HOME."

properties=conf/spark/local.conf
spark=() arguments=() level=fatal
while [ $# -gt 0 ]; do
  case $1 in
    --master) spark+=(--master "${2:?--master needs a URL}"); shift ;;
    --spark) properties=${2:?--spark needs a file}; shift ;;
    --debug) level=warn; arguments+=(--debug) ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
[ -f "$properties" ] || fail "No Spark properties at $properties."

jars=$(printf '%s,' .cache/jars/*.jar)
[ "$jars" != ".cache/jars/*.jar," ] || fail "No Delta jars in .cache/jars: run 'make setup' first."

export PYSPARK_PYTHON=$python PYSPARK_DRIVER_PYTHON=$python PATH="$(dirname "$python"):$PATH" PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1}
log4j="-Dlog4j2.configurationFile=file:$PWD/conf/spark/log4j2.properties -Dreviewlens.log.level=$level"
# Spark runs Python behind a pipe, both outputs in one: say whether a person is looking, and how wide the screen is.
if [ -t 1 ]; then
  export FORCE_COLOR=1
  COLUMNS=$(tput cols 2>/dev/null || echo 100) && export COLUMNS
fi
# The JVM announces a module that Spark always asks for; nobody can act on it.
spark-submit "${spark[@]}" --properties-file "$properties" --jars "${jars%,}" \
  --driver-java-options "$log4j" "jobs/$job.py" "${arguments[@]}" \
  2> >(sed -u '/Using incubator modules/d' >&2)
