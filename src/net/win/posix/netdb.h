/* Part of what <netdb.h> has on other systems; the file above has it. */
#include "../posix.h"
