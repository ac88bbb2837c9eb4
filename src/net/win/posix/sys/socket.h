/* Part of what <sys/socket.h> has on other systems; the file above has it. */
#include "../../posix.h"
