#!/bin/sh
# bench/http.sh [quick]: requests a second that web servers answer, asked by wrk over 100 connections that are kept. The
# servers, those of bench/http/ and samples/loop_http_server.lua, run as processes on one processor, wrk on another: in
# each round each has its turn. Prints samples as bench/lib.lua describes them.
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-15}
if [ "$1" = quick ]; then rounds=${ROUNDS:-2}; fi
seconds=1
LUAS=${LUAS:-lua5.4 luajit}
if ! command -v wrk > /dev/null; then echo "# http: no wrk to measure with" && exit; fi
case $(nproc) in
    1) on_one= on_other= && echo "# http: one processor for the servers and their clients" ;;
    *) on_one="taskset -c 0" on_other="taskset -c 1" ;;
esac
fifo=$(mktemp -u) && mkfifo "$fifo" || exit 1
trap 'kill $pids 2> /dev/null; rm -f "$fifo"' EXIT
pids=
failed=0

# Starts a server, which prints a line that ends with its port, and adds it to $servers, the process to $pids.
start() { # LUA NAME PROGRAM [ARGUMENT...]
    name=$2
    LUA_PATH="lib/?.lua;;" LUA_CPATH="build/$1/?.so;;" $on_one $1 $3 $4 > "$fifo" 2> /dev/null &
    read -r line < "$fifo" || { failed=1 && return; }
    pids="$pids $!"
    servers="$servers $name:${line##* }:$!"
}

start_peer() { # LUA NAME MODULE
    if $1 -e "require '$3'" 2> /dev/null; then start $1 $2 bench/http/$2.lua; else echo "# http: no $2 for $1"; fi
}

processor_time() { # PID: seconds that it has used
    awk -v hertz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hertz }' "/proc/$1/stat"
}

ask() { # LUA ROUND NAME PORT PID: one turn
    before=$(processor_time $5)
    said=$($on_other wrk -t 1 -c 100 -d $seconds "http://127.0.0.1:$4/")
    echo "$said" | awk -v OFS='\t' -v lua="$1" -v round="$2" -v name="$3" -v before="$before" \
        -v after="$(processor_time $5)" '
        / requests in / { requests = $1; time = $4 + 0 }
        /Socket errors|Non-2xx/ { print "http: " name ": " $0 > "/dev/stderr"; wrong = 1 }
        END {
            if (wrong || !requests) exit 1
            sub(/-loop/, " loop", name)
            print "http", "100 connections", lua, name, round, requests, time, after - before, "unit=request"
        }' || failed=1
}

for lua in $LUAS; do
    servers=
    start $lua lsocket-loop samples/loop_http_server.lua 0
    start_peer $lua copas copas
    start_peer $lua lua-http http.server
    round=1
    while [ $round -le "$rounds" ]; do
        for server in $servers; do ask $lua $round $(echo "$server" | tr : ' '); done
        round=$((round + 1))
    done
    kill $pids
    wait 2> /dev/null
    pids=
done
exit $failed
