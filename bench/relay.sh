#!/bin/sh
# bench/relay.sh [quick]: 10 uploads through a relay whose sink reads 10 MB a second in all, and 64 bytes every 10 ms
# that it sends back beside them. The relays of bench/relay/ run as processes on one processor, each for one turn, and
# build/bench/relay_load on another. Prints samples as bench/lib.lua describes them: an operation is a megabyte that the
# relay's kernel has taken; peak is in kilobytes, p50 and p99 of the echoes in microseconds.
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-5} seconds=2
if [ "$1" = quick ]; then rounds=${ROUNDS:-1} seconds=0.5; fi
. bench/servers

turn() { # LUA SERVER ROUND
    start_all "$1" relay "$2"
    if said=$($on_other build/bench/relay_load 10 10 $seconds ${started#* "$2" }); then
        echo "$2 $3 $said" | awk -v OFS='\t' '
            { print $1, $2, $3, 0, $4, "unit=MB peak=" $5 " p50=" $6 " p99=" $7 }' | as_samples "$1" "10 uploads"
    else
        failed=1
    fi
    stop_all
}

say_engines 1
for lua in $LUAS; do
    for round in $(seq "$rounds"); do
        for server in $(loops "$lua" lsocket-loop) cqueues luv-coroutines $(copases "$lua"); do
            turn "$lua" "$server" "$round"
        done
    done
done
exit $failed
