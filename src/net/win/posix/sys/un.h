/* Part of what <sys/un.h> has on other systems; the file above has it. */
#include "../../posix.h"
