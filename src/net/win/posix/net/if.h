/* Part of what <net/if.h> has on other systems; the file above has it. */
#include "../../posix.h"
