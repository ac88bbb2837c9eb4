/* Part of what <arpa/inet.h> has on other systems; the file above has it. */
#include "../../posix.h"
