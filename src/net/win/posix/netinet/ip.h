/* Part of what <netinet/ip.h> has on other systems; the file above has it. */
#include "../../posix.h"
