#!/usr/bin/env bash
# What a run on a cluster costs beside one process: CPU-seconds of all processes, and time on the clock.
#
#   benches/cluster.sh METRICC PACKAGE SOURCE=LOG [EVENTS_OF_A_JOB]
#
# Runs a package over a log in one process, and on this machine with 1, 2 and 4 executors; then with 3, one of
# which is killed in the middle. Results that differ from those of one process are an error. METRICC is a
# release binary with the feature `cluster`.
set -euo pipefail

if [ $# -lt 3 ]; then
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
fi
metricc="$(realpath "$1")" package="$2" log="$3" job_events="${4:-1000000}"
work="$(mktemp -d)"
pids=()
stop() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    pids=()
    wait 2>/dev/null || true
}
trap 'stop; rm -rf "$work"' EXIT

# Ticks of the processor that living processes have used.
ticks() {
    local sum=0 pid
    for pid in "$@"; do
        sum=$((sum + $(awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat" 2>/dev/null || echo 0)))
    done
    echo "$sum"
}
per_second="$(getconf CLK_TCK)"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Runs a command; sets `cpu` (its CPU-seconds) and `clock`.
TIMEFORMAT='%U %S %R'
timed() {
    { time "$@" >/dev/null 2>"$work/said"; } 2>"$work/time" || { cat "$work/said" >&2; exit 1; }
    # The shell may have told before of a process that was killed.
    read -r user system clock < <(tail -n 1 "$work/time")
    cpu="$(awk "BEGIN { print $user + $system }")"
}

# Starts a scheduler and so many executors with one slot each, and a store of their own.
start() {
    rm -rf "$work/store"
    scheduler="$(free_port)"
    "$metricc" cluster scheduler --listen "127.0.0.1:$scheduler" 2>/dev/null &
    pids=($!)
    local n
    for n in $(seq "$1"); do
        "$metricc" cluster executor --scheduler "df://127.0.0.1:$scheduler" --listen "127.0.0.1:$(free_port)" \
            --store "$work/store" --slots 1 2>/dev/null &
        pids+=($!)
    done
    sleep 3
}

on_cluster() {
    rm -rf "$work/out"
    local before
    before="$(ticks "${pids[@]}")"
    timed "$metricc" run "$package" --source "$log" --cluster "df://127.0.0.1:$scheduler" --store "$work/store" \
        --job-events "$job_events" --output parquet --out "$work/out"
    others="$(awk "BEGIN { print ($(ticks "${pids[@]}") - $before) / $per_second }")"
    diff -r "$work/one" "$work/out" >/dev/null || { echo "the results differ" >&2; exit 1; }
    n_jobs="$(grep -oE '[0-9]+ jobs?[ ,]' "$work/said" | grep -oE '[0-9]+' | head -1)"
}

row() { # what, jobs, CPU of the run, CPU of the others
    awk "BEGIN { all = $3 + $4; printf \"| %s | %s | %.2f | %.2f | %.2f | %.2f | %.1f |\\n\", \"$1\", \"$2\", $3, $4, all, all / $single, $clock }"
}

echo '| processes | jobs | CPU-s of the run | CPU-s of scheduler and executors | sum | ÷ one process | seconds |'
echo '|---|---|---|---|---|---|---|'
best=
for _ in 1 2 3; do
    rm -rf "$work/one"
    timed "$metricc" run "$package" --source "$log" --engine batch --output parquet --out "$work/one"
    if [ -z "$best" ] || awk "BEGIN { exit !($cpu < $best) }"; then best="$cpu" best_clock="$clock"; fi
done
single="$best" clock="$best_clock"
row 'one, batch' '' "$single" 0
for n in 1 2 4; do
    start "$n"
    on_cluster
    row "$n executors" "$n_jobs" "$cpu" "$others"
    # The results are there: what is left is the driver.
    on_cluster
    row "$n executors, again" "$n_jobs" "$cpu" "$others"
    stop
done
start 3
(sleep "$(awk "BEGIN { print 1 + $best_clock / 2 }")"; kill -9 "${pids[3]}") &
on_cluster
row '3 executors, one killed' "$n_jobs" "$cpu" "$others"
