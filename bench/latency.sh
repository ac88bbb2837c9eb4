#!/bin/sh
# bench/latency.sh [quick]: how long answers take at a rate that does not wait for them: 100 connections ask an echo
# server at 50, 80 and 95 % of what the slowest one here reaches, in an open loop (build/bench/latency_load), each
# server in its turn. Prints samples as bench/lib.lua describes them: p50, p99 and p999 are microseconds.
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-7} seconds=1
if [ "$1" = quick ]; then rounds=${ROUNDS:-1} seconds=0.3; fi
connections=100
. bench/servers

# What the slowest of the servers reaches, in requests a second: the median of some turns.
slowest() {
    $on_other build/bench/echo_load $connections 5 0.1 $started | awk -F '\t' '{ print $1, $3 / $4 }' |
        sort -k 1,1 -k 2,2n | awk '
            { rate[$1, ++count[$1]] = $2 }
            END {
                for (name in count) {
                    median = rate[name, int((count[name] + 1) / 2)]
                    if (!least || median < least) least = median
                }
                print int(least)
            }'
}

# The servers in any order, each as NAME:PORT:PID.
shuffled() { # SEED
    echo $started | tr ' ' '\n' | paste -d : - - - | awk -v seed="$1" '
        BEGIN { srand(seed) }
        { print rand() " " $0 }' | sort -n | sed 's/.* //'
}

ask() { # RATE ROUND NAME PORT PID
    said=$($on_other build/bench/latency_load $connections "$1" $seconds "$4" "$5") || { failed=1 && return; }
    echo "$3 $2 $said" | awk -v OFS='\t' '{ print $1, $2, $3, 0, $4, "p50=" $5 " p99=" $6 " p999=" $7 }'
}

measure() { # LUA
    start_all "$1" echo C $c_ring $(loops "$1" lsocket-loop) cqueues luv-coroutines $(copases "$1")
    rate=$(slowest)
    echo "# latency: $1: 100 % are $rate requests a second"
    for part in 50 80 95; do
        for round in $(seq "$rounds"); do
            for server in $(shuffled $((SEED + round))); do
                ask $((rate * part / 100)) "$round" $(echo "$server" | tr : ' ')
            done
        done > "$fifo.turns"
        LC_ALL=C sort "$fifo.turns" | as_samples "$1" "$part %" # in the report it does not matter who came first
    done
    stop_all
}

SEED=${SEED:-$(date +%s)}
say_engines 3
say_c_ring 3
for lua in $LUAS; do measure "$lua"; done
exit $failed
