#!/bin/sh
# bench/echo.sh [quick]: what an echo server costs, in processor time a request. Each server of bench/echo/ and the one in
# C runs as a process of its own on one processor, build/bench/echo_load on another one: it keeps one message in flight
# on each connection. Prints samples as bench/lib.lua describes them.
cd "$(dirname "$0")/.." || exit 1
rounds=${ROUNDS:-7}
seconds=0.3
if [ "$1" = quick ]; then
    rounds=${ROUNDS:-2}
    seconds=0.1
fi
LUAS=${LUAS:-lua5.4 luajit}
case $(nproc) in
    1) on_one= on_other= && echo "# echo: one processor for the server and its clients" ;;
    *) on_one="taskset -c 0" on_other="taskset -c 1" ;;
esac
fifo=$(mktemp -u) && mkfifo "$fifo" || exit 1
trap 'rm -f "$fifo"' EXIT

title() { # SERVER: the library's name
    case $1 in
        lsocket-select) echo "lsocket select" ;;
        luasocket) echo LuaSocket ;;
        *) echo "$1" ;;
    esac
}

# The servers for an interpreter and a number of connections; select(2), that is LuaSocket, cannot do more than 1,024.
servers() { # LUA CONNECTIONS
    echo C lsocket luv cqueues
    if [ "$2" -le 1000 ]; then echo lsocket-select luasocket; fi
    if $1 -e 'require "posix.poll"' 2> /dev/null; then echo luaposix; fi
}

# In the order that is given, so that the report has it, but in another one in each further round.
ordered() { # ROUND ITEM...
    round=$1
    shift
    if [ "$round" = 1 ]; then echo "$@"; else shuf -e "$@"; fi
}

stolen() { awk '/^cpu / { print $9 }' /proc/stat; }

measure() { # LUA SERVER CONNECTIONS ROUND
    if [ "$2" = C ]; then command=build/bench/echo_server; else command="$1 bench/echo/$2.lua"; fi
    LUA_CPATH="build/$1/?.so;;" $on_one $command > "$fifo" &
    server=$!
    read -r port < "$fifo"
    before=$(stolen)
    result=$($on_other build/bench/echo_load "$port" "$3" $seconds $server)
    ok=$?
    ticks=$(($(stolen) - before))
    kill $server
    wait $server 2> /dev/null
    if [ $ok != 0 ]; then return 1; fi
    extra=
    if [ $ticks -gt 0 ]; then extra="stolen=$ticks"; fi
    printf 'echo\t%s\t%s\t%s\t%s\t%s\t%s\n' "$3 connections" "$1" "$(title "$2")" "$4" "$result" "$extra"
}

failed=0
for lua in $LUAS; do
    $lua -e 'require "posix.poll"' 2> /dev/null || echo "# echo: no luaposix for $lua"
done
echo "# echo: at 10000 connections no LuaSocket, as select(2) takes 1,024 descriptors"
for round in $(seq "$rounds"); do
    for connections in 1 10 100 1000 10000; do
        for lua in $LUAS; do
            for server in $(ordered "$round" $(servers "$lua" $connections)); do
                measure "$lua" "$server" $connections "$round" ||
                    { echo "# echo: $server failed at $connections connections on $lua" && failed=1; }
            done
        done
    done
done
exit $failed
