/* Lua states are closed while their lookups run, which unloads the library; the threads go on and end later, and
   nothing crashes. "unload CPATH", under spec/silent/run: this program is the name server, and answers only when all is
   closed. It must not be linked with the library. */
#define _GNU_SOURCE
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { STATES = 20 };
enum { STEP = 100, QUIET = 500, PATIENCE = 20000 }; /* milliseconds */

static const char program[] =
    "package.cpath = ...\n"
    "local lsocket = require 'lsocket'\n"
    "lookups = {}\n"
    "for i = 1, 5 do lookups[i] = assert(lsocket.lookup('name' .. i .. '.example')) end\n"
    "assert(lsocket.select({ lookups[1] }, 0.01) == false and lookups[1]:result() == false)\n";

static int run(const char *cpath) {
    lua_State *L = luaL_newstate();
    int failed;
    luaL_openlibs(L);
    failed = luaL_loadstring(L, program);
    lua_pushstring(L, cpath);
    failed = failed || lua_pcall(L, 1, 0, 0);
    if (failed) fprintf(stderr, "unload: %s\n", lua_tostring(L, -1));
    lua_close(L);
    return failed;
}

static int count_entries(const char *path) {
    DIR *directory = opendir(path);
    int count = 0;
    while (directory && readdir(directory)) count++;
    if (directory) closedir(directory);
    return count - 2;
}

static int count_descriptors(void) { return count_entries("/proc/self/fd"); }

/* Answers every question with "no such name" until no look-up has asked for a while, and none has anything open that
   was not before. Answers how many there were. */
static int serve(int server, int before) {
    struct pollfd entry = { server, POLLIN, 0 };
    int count = 0, silent = 0;
    while (silent < PATIENCE && (count == 0 || silent < QUIET || count_descriptors() != before)) {
        unsigned char question[512];
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        ssize_t size;
        silent += STEP;
        if (poll(&entry, 1, STEP) <= 0) continue;
        silent = 0;
        size = recvfrom(server, question, sizeof question, 0, (struct sockaddr *)&peer, &len);
        if (size < 12) continue;
        question[2] |= 0x80;
        question[3] = 3;
        sendto(server, question, (size_t)size, 0, (struct sockaddr *)&peer, len);
        count++;
    }
    return count;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(53) };
    int server = socket(AF_INET, SOCK_DGRAM, 0), before, asked, i, failed = argc != 2;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (struct sockaddr *)&address, sizeof address) < 0) return perror("unload"), 1;
    before = count_descriptors();
    for (i = 0; i < STATES && !failed; i++) failed = run(argv[1]);
    asked = serve(server, before);
    printf("%d states closed, %d questions answered later, %d threads, %d descriptors more\n", i, asked,
           count_entries("/proc/self/task"), count_descriptors() - before);
    return failed || asked == 0 || count_descriptors() != before;
}
