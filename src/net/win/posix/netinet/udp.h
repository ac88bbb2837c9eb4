/* Part of what <netinet/udp.h> has on other systems; the file above has it. */
#include "../../posix.h"
