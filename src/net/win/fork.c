/* Windows has no fork: nothing is ever renewed. */
#include "../fork.h"

unsigned ls_fork_count, ls_fork_copies;

int ls_fork_notice(void) { return 0; }

int ls_fork_join(ls_Fork *self) { return (void)self, 0; }

void ls_fork_leave(ls_Fork *self) { (void)self; }

/* Any address in the module stands for it. */
void ls_fork_stay(void) {
    HMODULE self;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                       (const wchar_t *)(void *)&ls_fork_count, &self);
}
