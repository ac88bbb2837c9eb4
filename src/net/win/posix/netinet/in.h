/* Part of what <netinet/in.h> has on other systems; the file above has it. */
#include "../../posix.h"
