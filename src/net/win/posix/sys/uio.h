/* Part of what <sys/uio.h> has on other systems; the file above has it. */
#include "../../posix.h"
