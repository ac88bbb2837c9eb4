/* Part of what <poll.h> has on other systems; the file above has it. */
#include "../posix.h"
