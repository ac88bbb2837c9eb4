#!/bin/sh
# bench/echo.sh [quick]: what an echo server costs, in processor time a request. The servers of bench/echo/ and those in
# C run as processes on one processor, build/bench/echo_load on another: it gives each its turn in each round, and keeps
# one message in flight on each connection. Prints samples as bench/lib.lua describes them. CONNECTIONS: how many, such
# as "10 1000".
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-25}
if [ "$1" = quick ]; then rounds=${ROUNDS:-3}; fi
seconds=0.1
. bench/servers

# The servers for an interpreter and a number of connections.
servers() { # LUA CONNECTIONS
    echo C $c_ring lsocket
    if [ "$2" -le 1000 ]; then echo lsocket-select LuaSocket; fi
    if $1 -e 'require "posix.poll"' 2> /dev/null; then echo luaposix; fi
    if [ "$2" -le 1000 ]; then copases "$1"; fi
    loops "$1" lsocket-loop
    echo cqueues luv luv-coroutines
}

measure() { # LUA CONNECTIONS
    start_all "$1" echo $(servers "$1" "$2")
    turns=$($on_other build/bench/echo_load "$2" "$rounds" $seconds $started) || failed=1
    echo "$turns" | as_samples "$1" "$2 connections"
    stop_all
}

CONNECTIONS=${CONNECTIONS:-1 10 100 1000 10000}
cases=$(echo $CONNECTIONS | wc -w)
say_c_ring "$cases"
for lua in $LUAS; do
    $lua -e 'require "posix.poll"' 2> /dev/null || echo "# echo: no luaposix for $lua"
    [ "$(bench/copas $lua | wc -l)" = 2 ] || echo "# echo: not both versions of copas for $lua"
done
say_engines "$cases"
echo "# echo: select and copas are left out at 10000 connections, where LuaSocket's cannot go (1,024 descriptors)"
echo "# echo: LuaSocket, copas and cqueues ask for whole messages of 64 bytes, the others for what is there"
for connections in $CONNECTIONS; do
    for lua in $LUAS; do measure "$lua" "$connections"; done
done
exit $failed
