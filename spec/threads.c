/* Two Lua states in two threads use every function of the library at the same time, and ThreadSanitizer finds nothing.
   "threads [SECONDS]" prints the rounds of each thread; it fails where a state raised an error or left a descriptor
   open. That each function does the right thing is left to the specs in Lua. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_lsocket(lua_State *L);

/* ---- what the states run ---- */

/* Once, before the threads start. me, other: 1 or 2; directory: for unix sockets. */
static const char prelude[] =
    "me, other, directory = ...\n"
    "lsocket = require 'lsocket'\n"
    "function wait_for(read, write)\n"
    "  local r, w, name\n"
    "  repeat r, w, name = lsocket.select(read, write, 20) until name ~= 'EINTR'\n"
    "  assert(r, w)\n"
    "  return r, w\n"
    "end\n"
    "function readable(sock) assert(wait_for({ sock })[1] == sock) return sock end\n"
    "function writable(sock) assert(select(2, wait_for(nil, { sock }))[1] == sock) return sock end\n"
    "function fails(name, value, message, got)\n"
    "  assert(value == nil and type(message) == 'string' and #message > 3, tostring(value))\n"
    "  assert(got == name, tostring(got) .. ' instead of ' .. name)\n"
    "end\n"
    "function port_of(sock) return assert(sock:info('socket')).port end\n"
    "mailbox = assert(lsocket.bind('udp', directory .. '/mailbox' .. me))\n"
    "got, sent = 0, 0\n";

static const char tcp[] =
    "for _, host in ipairs { '127.0.0.1', '::1' } do\n"
    "  local listener = lsocket.bind(host, 0)\n"
    "  if not listener then assert(host == '::1') break end\n"
    "  assert(listener:accept() == false)\n"
    "  local near = assert(lsocket.connect(host, port_of(listener)))\n"
    "  local far, ip, port = assert(readable(listener):accept())\n"
    "  assert(ip == host and port == port_of(near))\n"
    "  assert(writable(near):status() and near:info('peer').addr == host)\n"
    "  assert(near:info().type == 'tcp' and listener:info().listening and near:getfd() ~= far:getfd())\n"
    "  assert(tostring(near):find('socket: ', 1, true) == 1)\n"
    "  assert(far:recv() == false and far:recv(7) == false)\n"
    "  assert(near:send('hello') == 5 and near:send('') == 0)\n"
    "  assert(readable(far):recv(2) == 'he' and far:recvfrom() == 'llo')\n"
    "  assert(near:sendto('x', host, 9) == 1 and readable(far):recv(1) == 'x')\n"
    "  assert(near:close() and near:close())\n"
    "  local data, message = readable(far):recv()\n"
    "  assert(data == nil and message == nil)\n"
    "  assert(far:close() and listener:close())\n"
    "end\n";

/* Pieces of more than 64 KiB, which are received into the block that the state lends. */
static const char large[] =
    "local path = directory .. '/large' .. me\n"
    "local listener = assert(lsocket.bind { address = path, backlog = 1 })\n"
    "local near = assert(lsocket.connect { address = path })\n"
    "local far = assert(readable(listener):accept())\n"
    "local data = ('piece of ' .. me):rep(12000)\n"
    "for _, method in ipairs { 'recv', 'recvfrom' } do\n"
    "  assert(near:send(data) == #data)\n"
    "  local piece = readable(far)[method](far, 1000000)\n"
    "  assert(piece == data and #piece > 65536)\n"
    "end\n"
    "assert(far:recv(1000000) == false)\n"
    "near:close()\n"
    "assert(readable(far):recv(1000000) == nil)\n"
    "far:close()\n"
    "listener:close()\n"
    "remove(path)\n"
    "listener = assert(lsocket.bind('127.0.0.1', 0))\n"
    "near = assert(lsocket.connect('127.0.0.1', port_of(listener)))\n"
    "far = assert(readable(listener):accept())\n"
    "local waiting, got = 0, 0\n"
    "for i = 1, 8 do waiting = waiting + (writable(near):send(data) or 0) end\n"
    "while got < waiting do got = got + #assert(readable(far):recv(4000000)) end\n"
    "assert(got == waiting)\n"
    "near:close() far:close() listener:close()\n";

static const char udp[] =
    "local far = assert(lsocket.bind('udp', '127.0.0.1', 0))\n"
    "local near = assert(lsocket.connect('udp', '127.0.0.1', port_of(far)))\n"
    "assert(far:recvfrom() == false and near:info().type == 'udp')\n"
    "assert(near:send('one') == 3 and near:send('') == 0 and near:send('three') == 5)\n"
    "local data, ip, port = readable(far):recvfrom()\n"
    "assert(data == 'one' and ip == '127.0.0.1' and port == port_of(near))\n"
    "assert(far:sendto('back', 'localhost', port) == 4 and readable(near):recv() == 'back')\n"
    "assert(readable(far):recvfrom() == '')\n"
    "assert(readable(far):recvfrom(2) == 'th')\n"
    "assert(near:send(('d'):rep(60000)) == 60000 and #readable(far):recv(100000) == 60000)\n"
    "near:close() far:close()\n";

static const char unix_names[] =
    "local path, named = directory .. '/far' .. me, '@threads ' .. directory .. me .. '\\0'\n"
    "for _, name in ipairs { path, named } do\n"
    "  local far = lsocket.bind('udp', name)\n"
    "  if far then\n"
    "    local near = assert(lsocket.connect('udp', name))\n"
    "    assert(near:send('letter') == 6)\n"
    "    local data, from = readable(far):recvfrom()\n"
    "    assert(data == 'letter' and from == nil and far:info('socket').addr == name)\n"
    "    near:close() far:close()\n"
    "  else\n"
    "    assert(name == named)\n"
    "  end\n"
    "end\n"
    "remove(path)\n";

/* More than the few that select has room for on the C stack. */
static const char many[] =
    "local socks, hidden = {}, {}\n"
    "for i = 1, 100 do socks[i] = assert(lsocket.bind('udp', '127.0.0.1', 0)) end\n"
    "for i = 1, 50 do hidden[i] = { getfd = function() return socks[i]:getfd() end } end\n"
    "assert(lsocket.select(socks, 0) == false and lsocket.select(0.0001) == false)\n"
    "local r, w = assert(lsocket.select(socks, socks))\n"
    "assert(#r == 0 and #w == 100)\n"
    "for i = 10, 100, 10 do assert(socks[1]:sendto('x', '127.0.0.1', port_of(socks[i])) == 1) end\n"
    "for i = 10, 100, 10 do readable(socks[i]) end\n"
    "r, w = assert(lsocket.select(socks, hidden, 1))\n"
    "assert(#r == 10 and #w == 50 and r[10] == socks[100])\n"
    "r = assert(lsocket.select { socks[10]:getfd(), socks[20], hidden[30] })\n"
    "assert(#r == 3)\n"
    "assert(not pcall(lsocket.select, { socks[1], 'no socket' }, 0))\n"
    "for i = 1, 50 do socks[i]:close() end\n"
    "r = assert(lsocket.select(socks, 1))\n"
    "assert(#r == 5)\n"
    "fails('EINVAL', lsocket.select {})\n"
    "for i = 51, 100 do socks[i]:close() end\n";

static const char pollers[] =
    "for _, backend in ipairs { 'epoll', 'kqueue', 'poll' } do\n"
    "  local poller, r, w = lsocket.poller(backend), {}, {}\n"
    "  for i = 1, poller and 100 or 0 do\n"
    "    local sock = assert(lsocket.bind('udp', '127.0.0.1', 0))\n"
    "    assert(poller:add(sock, 'rw', sock))\n"
    "    assert(poller:wait(0, r, w) == r and #r == 0 and #w == #poller)\n"
    "    if i % 3 == 0 then assert(poller:modify(sock, 'w')) end\n"
    "    if i % 5 == 0 then assert(poller:remove(sock)) end\n"
    "    if i % 7 == 0 then sock:close() end\n"
    "  end\n"
    "  if poller then assert(poller:getfd() or backend == 'poll') poller:close() end\n"
    "end\n";

static const char batches[] =
    "local far = assert(lsocket.bind('udp', '127.0.0.1', 0))\n"
    "local near = assert(lsocket.connect('udp', '127.0.0.1', port_of(far)))\n"
    "local out, back = lsocket.batch(40, 100), lsocket.batch(40)\n"
    "for round = 1, 2 do\n"
    "  for i = 1, 40 do assert(out:add(me .. ' sends ' .. i, '127.0.0.1', 9)) end\n"
    "  assert(out:add('one more') == false)\n"
    "  local count = 0\n"
    "  while #out > 0 do assert(near:sendmany(out)) end\n"
    "  while count < 40 do\n"
    "    local n = assert(readable(far):recvmany(back))\n"
    "    local data, ip, port = back:get(n)\n"
    "    count = count + n\n"
    "    assert(data == me .. ' sends ' .. count and ip == '127.0.0.1' and port == port_of(near))\n"
    "  end\n"
    "  assert(far:recvmany(back) == false and #back == 0)\n"
    "  near:setopt('segment', 1000) far:setopt('gro', true)\n"
    "end\n"
    "assert(far:getopt('rcvbuf') > 0 and out:rewind() and #out == 40 and out:clear() and #out == 0)\n"
    "near:close() far:close()\n";

static const char lookups[] =
    "local list = assert(lsocket.resolve('localhost'))\n"
    "assert(#list > 0 and list[1].family and list[1].addr)\n"
    "assert(lsocket.resolve('127.1')[1].addr == '127.0.0.1')\n"
    "fails('EAI_NONAME', lsocket.resolve('1.2.3.4.5'))\n"
    "fails('ENAMETOOLONG', lsocket.resolve(('a'):rep(5000)))\n"
    "local queries = {}\n"
    "for i = 1, 20 do queries[i] = assert(lsocket.lookup(i % 5 == 0 and '::1' or 'localhost')) end\n"
    "for i = 1, 20, 2 do readable(queries[i]) end\n"
    "for i = 1, 20, 4 do assert(queries[i]:cancel() and queries[i]:getfd() == -1) end\n"
    "for i = 3, 20, 4 do assert(#queries[i]:result() > 0) end\n"
    "local sock = assert(lsocket.bind('udp', 'localhost', 0))\n"
    "sock:close()\n"
    "list = assert(lsocket.getinterfaces())\n"
    "assert(#list > 0)\n"
    "for _, record in ipairs(list) do assert(record.name and record.addr and record.flags and record.index) end\n";

/* On the loopback interface, where it takes groups; the choice of an interface for a group without a zone. */
static const char groups[] =
    "local far = lsocket.bind('mcast', '239.7.7.' .. me .. '%lo', 0)\n"
    "if far then\n"
    "  local near = assert(lsocket.connect('mcast', '239.7.7.' .. me .. '%lo', port_of(far), 1))\n"
    "  assert(near:info().multicast and near:send('all') == 3)\n"
    "  assert(readable(far):recv() == 'all')\n"
    "  near:close() far:close()\n"
    "end\n"
    "far = lsocket.bind('mcast', 'ff02::7:7', 0)\n"
    "if far then far:close() end\n"
    "far = assert(lsocket.bind('mcast', '127.255.255.255', 0))\n"
    "far:close()\n";

static const char failures[] =
    "local sock = assert(lsocket.bind('udp', '127.0.0.1', 0))\n"
    "local port = port_of(sock)\n"
    "fails('EADDRINUSE', lsocket.bind('udp', '127.0.0.1', port))\n"
    "fails('EDESTADDRREQ', sock:send('x'))\n"
    "fails('EMSGSIZE', sock:sendto(('x'):rep(70000), '127.0.0.1', port))\n"
    "fails('EAFNOSUPPORT', sock:sendto('x', '::1', port))\n"
    "fails('EINVAL', sock:setfd(0))\n"
    "fails('ENOTCONN', sock:info('peer'))\n"
    "sock:close()\n"
    "fails('EBADF', sock:recv())\n"
    "fails('EBADF', sock:recvfrom())\n"
    "fails('EBADF', sock:send('x'))\n"
    "fails('EBADF', sock:sendto('x', '127.0.0.1', port))\n"
    "fails('EBADF', sock:accept())\n"
    "fails('EBADF', sock:status())\n"
    "fails('EBADF', sock:info('socket'))\n"
    "assert(sock:setfd(-1) and sock:getfd() == -1)\n"
    "fails('ENOENT', lsocket.connect(directory .. '/nobody'))\n"
    "fails('ENAMETOOLONG', lsocket.bind('/' .. ('x'):rep(200)))\n"
    "fails('ENODEV', lsocket.connect('fe80::1%nosuchif0', 9))\n"
    "fails('EAI_NONAME', lsocket.connect('1.2.3.4.5', 9))\n"
    "fails('EOPNOTSUPP', lsocket.bind('mcast', directory .. '/group'))\n"
    "assert(not pcall(lsocket.bind) and not pcall(lsocket.bind, 70000) and not pcall(sock.recv, sock, -1))\n"
    "assert(not pcall(sock.send, 'no socket', 'x') and not pcall(lsocket.bind, { address = 7 }))\n"
    "local listener = assert(lsocket.bind('127.0.0.1', 0))\n"
    "port = port_of(listener)\n"
    "fails('ENOTCONN', listener:recv())\n"
    "listener:close()\n"
    "local refused = lsocket.connect('127.0.0.1', port)\n"
    "if refused then\n"
    "  local ok, message, name = writable(refused):status()\n"
    "  assert(ok or name == 'ECONNREFUSED')\n"
    "  refused:close()\n"
    "end\n";

/* Signals to the process and to the thread, which both threads are told of; the other one may open or close meanwhile.
   They come to a thread here alone, as they would end the waits of pollers. */
static const char signals[] =
    "local signals, other = assert(lsocket.signals('USR1', 'USR2')), assert(lsocket.signals('USR1'))\n"
    "take(true)\n"
    "for round = 1, 20 do\n"
    "  send(round % 2 == 0)\n"
    "  local name = readable(signals):next()\n"
    "  assert(name == 'USR1' or name == false)\n"
    "end\n"
    "assert(readable(other):next() == 'USR1')\n"
    "take(false)\n"
    "if me == 1 then other:close() end\n"
    "signals:close()\n"
    "assert(signals:getfd() == -1)\n"
    "fails('EBADF', signals:next())\n"
    "assert(not pcall(lsocket.signals, 'KILL'))\n";

/* Sockets that nobody closes; the collector runs while others are made. */
static const char garbage[] =
    "for i = 1, 40 do\n"
    "  local sock = assert(lsocket.bind('udp', '127.0.0.1', 0))\n"
    "  if i % 2 == 0 then lsocket.connect('udp', '127.0.0.1', port_of(sock)) end\n"
    "  if i % 10 == 0 then collectgarbage('step', 100) end\n"
    "end\n"
    "collectgarbage()\n";

/* Between the threads: a full mailbox refuses, which is no error. */
static const char letters[] =
    "for i = 1, 20 do\n"
    "  local count, message = mailbox:sendto(me .. ' to ' .. other, directory .. '/mailbox' .. other, 0)\n"
    "  assert(count == 6 or count == false, message)\n"
    "  if count then sent = sent + 1 end\n"
    "end\n"
    "repeat\n"
    "  local data, from = mailbox:recvfrom()\n"
    "  assert(data ~= nil, from)\n"
    "  if data then\n"
    "    assert(data == other .. ' to ' .. me and from == directory .. '/mailbox' .. other)\n"
    "    got = got + 1\n"
    "  end\n"
    "until not data\n";

static const struct Step {
    const char *name, *text;
} steps[] = {
    { "=tcp", tcp },         { "=large", large },     { "=udp", udp },           { "=unix", unix_names },
    { "=many", many },       { "=pollers", pollers }, { "=batches", batches },   { "=groups", groups },
    { "=lookups", lookups }, { "=failures", failures }, { "=garbage", garbage }, { "=letters", letters },
    { "=signals", signals },
};

enum { STEPS = sizeof steps / sizeof steps[0] };

/* ---- the threads ---- */

typedef struct Thread {
    lua_State *L;
    pthread_t id;
    double until;
    long rounds;
    int failed;
} Thread;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int complain(Thread *thread) {
    fprintf(stderr, "threads: %s\n", lua_tostring(thread->L, -1));
    thread->failed = 1;
    return 0;
}

/* remove(path), as os.remove would do. */
static int remove_file(lua_State *L) {
    lua_pushboolean(L, unlink(luaL_checkstring(L, 1)) == 0);
    return 1;
}

/* take(on): signals come to this thread */
static int take_signals(lua_State *L) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(lua_toboolean(L, 1) ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
    return 0;
}

/* send(all): USR1, to the process or to this thread */
static int send_signal(lua_State *L) {
    if (lua_toboolean(L, 1)) kill(getpid(), SIGUSR1);
    else pthread_kill(pthread_self(), SIGUSR1);
    return 0;
}

/* A state with the library in it, and its steps as functions at 1 to STEPS of its stack. */
static int prepare(Thread *thread, int me, const char *directory) {
    lua_State *L = thread->L = luaL_newstate();
    int i;
    if (!L) return 0;
    luaL_openlibs(L);
    lua_register(L, "remove", remove_file);
    lua_register(L, "send", send_signal);
    lua_register(L, "take", take_signals);
    take_signals(L); /* the threads inherit it */
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_lsocket);
    lua_setfield(L, -2, "lsocket");
    lua_settop(L, 0);
    if (luaL_loadbuffer(L, prelude, strlen(prelude), "=prelude") != 0) return complain(thread);
    lua_pushinteger(L, me);
    lua_pushinteger(L, 3 - me);
    lua_pushstring(L, directory);
    if (lua_pcall(L, 3, 0, 0) != 0) return complain(thread);
    for (i = 0; i < STEPS; i++)
        if (luaL_loadbuffer(L, steps[i].text, strlen(steps[i].text), steps[i].name) != 0) return complain(thread);
    return 1;
}

static void *run(void *argument) {
    Thread *thread = argument;
    int i;
    while (now() < thread->until && !thread->failed) {
        for (i = 1; i <= STEPS && !thread->failed; i++) {
            lua_pushvalue(thread->L, i);
            if (lua_pcall(thread->L, 0, 0, 0) != 0) complain(thread);
        }
        thread->rounds++;
    }
    return NULL;
}

static long global(lua_State *L, const char *name) {
    long value;
    lua_getglobal(L, name);
    value = (long)lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

/* Prints and closes. */
static int finish(Thread *thread, int me, const char *directory) {
    char path[128];
    long sent, got;
    if (!thread->L) return 0;
    sent = global(thread->L, "sent");
    got = global(thread->L, "got");
    printf("thread %d: %ld rounds, %ld letters sent, %ld received\n", me, thread->rounds, sent, got);
    lua_close(thread->L);
    snprintf(path, sizeof path, "%s/mailbox%d", directory, me);
    unlink(path);
    return !thread->failed && thread->rounds > 0 && got > 0;
}

static int count_open(void) {
    int fd, count = 0;
    for (fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* How many are open: as many as before, once look-ups that were dropped have closed what they had open. */
static int settle(int before) {
    struct timespec moment = { 0, 10000000 };
    int i;
    for (i = 0; i < 2000 && count_open() > before; i++) nanosleep(&moment, NULL);
    return count_open();
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 10;
    char directory[] = "/tmp/threads.XXXXXX";
    Thread threads[2];
    int i, before = count_open(), fine = 1;
    memset(threads, 0, sizeof threads);
    if (!mkdtemp(directory)) return 1;
    for (i = 0; i < 2; i++) fine = fine && prepare(&threads[i], i + 1, directory);
    for (i = 0; i < 2 && fine; i++) {
        threads[i].until = now() + seconds;
        if (pthread_create(&threads[i].id, NULL, run, &threads[i]) != 0) abort();
    }
    for (i = 0; i < 2 && fine; i++) pthread_join(threads[i].id, NULL);
    for (i = 0; i < 2; i++) fine = finish(&threads[i], i + 1, directory) && fine;
    if (rmdir(directory) != 0) perror(directory);
    if (settle(before) != before) {
        fprintf(stderr, "threads: %d descriptors instead of %d\n", count_open(), before);
        fine = 0;
    }
    return fine ? 0 : 1;
}
