#!/bin/sh
# bench/http.sh [quick]: requests a second that web servers answer, asked by wrk over 100 and 5,000 connections that are
# kept. The servers, those of bench/http/ and samples/loop_http_server.lua, run as processes on one processor, wrk on
# another: in each round each has its turn. Prints samples as bench/lib.lua describes them.
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-15}
if [ "$1" = quick ]; then rounds=${ROUNDS:-2}; fi
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

ask() { # LUA CONNECTIONS ROUND NAME PORT PID: one turn
    before=$(processor_time $6)
    said=$($on_other wrk -t 1 -c $2 -d $seconds --timeout 10 "http://127.0.0.1:$5/")
    echo "$said" | awk -v OFS='\t' -v lua="$1" -v connections="$2" -v round="$3" -v name="$4" -v before="$before" \
        -v after="$(processor_time $6)" '
        / requests in / { requests = $1; time = $4 + 0 }
        /Socket errors|Non-2xx/ { print "http: " name ": " $0 > "/dev/stderr"; wrong = 1 }
        END {
            if (wrong || !requests) exit 1
            sub(/-loop/, " loop", name)
            print "http", connections " connections", lua, name, round, requests, time, after - before, "unit=request"
        }' || failed=1
}

measure() { # LUA CONNECTIONS ROUNDS
    servers=
    start $1 lsocket-loop samples/loop_http_server.lua 0
    if [ $2 -lt 1000 ]; then start_peer $1 copas copas; fi
    start_peer $1 lua-http http.server
    round=1
    while [ $round -le $3 ]; do
        for server in $servers; do ask $1 $2 $round $(echo "$server" | tr : ' '); done
        round=$((round + 1))
    done
    kill $pids
    wait 2> /dev/null
    pids=
}

echo "# http: copas is left out at 5000 connections, where LuaSocket's select cannot go (1,024 descriptors)"
seconds=1
for lua in $LUAS; do measure $lua 100 $rounds; done
seconds=5 # the first of which wrk needs to connect
for lua in $LUAS; do measure $lua 5000 $((rounds / 5 + 1)); done
exit $failed
