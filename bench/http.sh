#!/bin/sh
# bench/http.sh [quick]: requests a second that web servers answer, asked by wrk over 100 and 5,000 connections that are
# kept. The servers, those of bench/http/ and samples/httpd.lua, run as processes on one processor, wrk on
# another: in each round each has its turn, in an order that SEED decides on. Prints samples as bench/lib.lua describes;
# p50 and p99 are what wrk says of its answers, in microseconds: it asks again when it has one (a closed loop).
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-15} with_connecting=3
if [ "$1" = quick ]; then rounds=${ROUNDS:-2} with_connecting=2; fi
LUAS=${LUAS:-lua5.4 luajit}
if ! command -v wrk > /dev/null; then echo "# http: no wrk to measure with" && exit; fi
case $(nproc) in
    1) on_one= on_other= && echo "# http: one processor for the servers and their clients" ;;
    *) on_one="taskset -c 0" on_other="taskset -c 1" ;;
esac
fifo=$(mktemp -u) && mkfifo "$fifo" && turns=$(mktemp) || exit 1
trap 'kill $pids 2> /dev/null; rm -f "$fifo" "$turns"' EXIT
pids=
failed=0

# Starts a server, which prints a line that ends with its port, and adds it to $servers, the process to $pids.
start() { # LUA NAME PROGRAM [ARGUMENT...]
    name=$2 engine=poller
    case $2 in *-ring) engine=ring ;; esac
    path=$(bench/copas $1 | sed -n "s/^$2 //p")
    LSOCKET_ENGINE=$engine LUA_PATH="$path;lib/?.lua;;" LUA_CPATH="build/$1/?.so;;" \
        $on_one $1 $3 $4 > "$fifo" 2> /dev/null &
    read -r line < "$fifo" || { failed=1 && return; }
    pids="$pids $!"
    servers="$servers $name:${line##* }:$!"
}

start_peers() { # LUA CONNECTIONS
    if [ $2 -lt 1000 ]; then
        for copas in $(bench/copas $1 | sed 's/ .*//'); do start $1 $copas bench/http/copas.lua; done
    fi
    if $1 -e "require 'http.server'" 2> /dev/null; then start $1 lua-http bench/http/lua-http.lua; fi
}

# The servers in any order.
shuffled() { # ROUND
    echo "$servers" | tr ' ' '\n' | awk -v seed="$SEED" -v round="$1" '
        BEGIN { srand(seed + round) }
        NF { print rand() " " $0 }' | sort -n | sed 's/.* //'
}

processor_time() { # PID: seconds that it has used
    awk -v hertz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hertz }' "/proc/$1/stat"
}

ask() { # LUA CONNECTIONS ROUND NAME PORT PID: one turn
    before=$(processor_time $6)
    said=$($on_other wrk --latency -t 1 -c $2 -d $seconds --timeout 10 "http://127.0.0.1:$5/")
    echo "$said" | awk -v OFS='\t' -v lua="$1" -v connections="$2" -v round="$3" -v name="$4" -v before="$before" \
        -v after="$(processor_time $6)" '
        function microseconds(time) {
            return time * (time ~ /us$/ ? 1 : time ~ /ms$/ ? 1000 : 1000000)
        }
        $1 == "50%" { half = microseconds($2) }
        $1 == "99%" { most = microseconds($2) }
        / requests in / { requests = $1; time = $4 + 0 }
        /Socket errors|Non-2xx/ { print "http: " name ": " $0 > "/dev/stderr"; wrong = 1 }
        END {
            if (wrong || !requests) exit 1
            sub(/-ring$/, ", ring", name)
            sub(/-minimal/, ", minimal", name)
            sub(/-loop/, " loop", name)
            sub(/-[0-9]/, " &", name)
            sub(/ -/, " ", name)
            extra = "unit=request p50=" half " p99=" most
            print "http", connections " connections", lua, name, round, requests, time, after - before, extra
        }' || failed=1
}

measure() { # LUA CONNECTIONS ROUNDS
    servers=
    start $1 lsocket-loop samples/httpd.lua 0
    start $1 lsocket-loop-minimal bench/http/lsocket.lua
    if bench/engines $1 | grep -q ring; then
        start $1 lsocket-loop-ring samples/httpd.lua 0
        start $1 lsocket-loop-minimal-ring bench/http/lsocket.lua
    fi
    start_peers $1 $2
    round=1
    while [ $round -le $3 ]; do
        for server in $(shuffled $round); do ask $1 $2 $round $(echo "$server" | tr : ' '); done
        round=$((round + 1))
    done > "$turns"
    sort -t "$(printf '\t')" -k 5,5n -k 4,4 "$turns" # in the report it does not matter who came first
    kill $pids
    wait 2> /dev/null
    pids=
}

echo "# http: copas is left out at 5000 connections, where LuaSocket's select cannot go (1,024 descriptors)"
echo "# http: lsocket loop runs on its poller, lsocket loop, ring on io_uring"
echo "# http: lsocket loop is samples/httpd.lua, which limits everything; minimal does no more than copas' server does"
for lua in $LUAS; do
    bench/engines $lua | grep -q ring || echo "# http: the loop has no ring with $lua, so 4 rows are left out"
done
lua5.4 -e 'require "http.server"' 2> /dev/null || echo "# http: Debian has lua-http for Lua 5.1 and LuaJIT alone"
SEED=${SEED:-$(date +%s)}
seconds=1
for lua in $LUAS; do measure $lua 100 $rounds; done
seconds=$with_connecting # the first of which wrk needs to connect
for lua in $LUAS; do measure $lua 5000 $(((rounds * 2 + 2) / 3)); done
exit $failed
