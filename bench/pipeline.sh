#!/bin/sh
# bench/pipeline.sh [quick]: what a server costs whose clients do not wait for an answer before they ask again, and
# whose answers are made of three writes: processor time, system calls and segments an answer. The servers of
# bench/pipeline/ and the one in C read messages of 64 bytes and send each back in three pieces; build/bench/echo_load
# keeps DEPTH of them in flight on each of 10 connections. Prints samples as bench/lib.lua describes them.
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-25}
if [ "$1" = quick ]; then rounds=${ROUNDS:-3}; fi
seconds=0.1 connections=10
. bench/servers
pieces=pieces

# System calls an answer, from a turn that is not timed: of SERVER PORT PID, as strace counts them.
count_calls() { # NAME PORT PID
    strace -c -o "$fifo.calls" -p "$3" 2> /dev/null &
    tracer=$!
    until grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$3/status" || ! kill -0 $tracer 2> /dev/null; do :; done
    turn=$($on_other build/bench/echo_load $connections 1 0.5 "$@") || failed=1
    kill -INT $tracer
    wait $tracer
    calls=$(awk '$NF == "total" { print $4 }' "$fifo.calls")
    echo "$turn" | awk -F '\t' -v OFS='\t' -v calls="$calls" '
        NF && calls { print $1, 0, $3, 0, 0, sprintf("calls=%.2f", calls / $3) }'
}

count_all_calls() { # [NAME PORT PID]...
    while [ $# -gt 0 ]; do
        count_calls "$1" "$2" "$3"
        shift 3
    done
}

measure() { # LUA DEPTH
    ours=$(loops "$1" lsocket-loop lsocket-loop-gather)
    start_all "$1" pipeline C C-gather $ours cqueues luv-coroutines $(copases "$1")
    export DEPTH="$2"
    {
        $on_other build/bench/echo_load $connections "$rounds" $seconds $started || failed=1
        if [ -n "$strace" ]; then count_all_calls $started; fi
    } > "$fifo.turns"
    as_samples "$1" "$2 in flight" < "$fifo.turns"
    stop_all
}

say_engines 6
echo "# pipeline: C, lsocket loop, luv and copas make three calls an answer; cqueues has a buffer for what is written"
echo "# pipeline: lsocket loop gather keeps its writes in an array until it waits; C gather sends in one call what came"
strace=$(command -v strace) || echo "# pipeline: no strace to count system calls with"
for depth in 1 8 64; do
    for lua in $LUAS; do measure "$lua" $depth; done
done
exit $failed
