#!/bin/sh
# bench/echo.sh [quick]: what an echo server costs, in processor time a request. The servers of bench/echo/ and the one
# in C run as processes on one processor, build/bench/echo_load on another: it gives each its turn in each round, and
# keeps one message in flight on each connection. Prints samples as bench/lib.lua describes them.
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-25}
if [ "$1" = quick ]; then rounds=${ROUNDS:-3}; fi
seconds=0.1
LUAS=${LUAS:-lua5.4 luajit}
case $(nproc) in
    1) on_one= on_other= && echo "# echo: one processor for the servers and their clients" ;;
    *) on_one="taskset -c 0" on_other="taskset -c 1" ;;
esac
fifo=$(mktemp -u) && mkfifo "$fifo" || exit 1
trap 'rm -f "$fifo"' EXIT

# The servers for an interpreter and a number of connections.
servers() { # LUA CONNECTIONS
    echo C lsocket
    if [ "$2" -le 1000 ]; then echo lsocket-select LuaSocket; fi
    if $1 -e 'require "posix.poll"' 2> /dev/null; then echo luaposix; fi
    if [ "$2" -le 1000 ] && $1 -e 'require "copas"' 2> /dev/null; then echo copas; fi
    echo lsocket-loop cqueues luv luv-coroutines
}

# Starts a server, and adds what echo_load is to know of it to $started, the process to $pids.
start() { # LUA SERVER
    command="$1 bench/echo/$2.lua"
    if [ "$2" = C ]; then command=build/bench/echo_server; fi
    LUA_PATH="lib/?.lua;;" LUA_CPATH="build/$1/?.so;;" $on_one $command > "$fifo" &
    pids="$pids $!"
    read -r port < "$fifo" && started="$started $2 $port $!" || failed=1
}

failed=0
measure() { # LUA CONNECTIONS
    started=
    pids=
    for server in $(servers "$1" "$2"); do start "$1" "$server"; done
    turns=$($on_other build/bench/echo_load "$2" "$rounds" $seconds $started) || failed=1
    echo "$turns" | awk -F '\t' -v OFS='\t' -v lua="$1" -v n="$2" '
        NF { sub(/-/, " ", $1); print "echo", n " connections", lua, $0 }'
    kill $pids
    wait 2> /dev/null
}

for lua in $LUAS; do
    $lua -e 'require "posix.poll"' 2> /dev/null || echo "# echo: no luaposix for $lua"
    $lua -e 'require "copas"' 2> /dev/null || echo "# echo: no copas for $lua"
done
echo "# echo: select is left out at 10000 connections, where LuaSocket's cannot go (1,024 descriptors)"
for connections in 1 10 100 1000 10000; do
    for lua in $LUAS; do measure "$lua" $connections; done
done
exit $failed
