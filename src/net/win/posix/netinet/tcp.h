/* Part of what <netinet/tcp.h> has on other systems; the file above has it. */
#include "../../posix.h"
