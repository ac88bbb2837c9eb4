/* What a connection asks of the kernel beside bytes. */
#ifndef LT_KERNEL_H
#define LT_KERNEL_H

/* Room for so many bytes more than there is in the send buffer, as far as the kernel gives it. */
void lt_kernel_widen(int fd, int more);

/* Has the program set linger to 0, and wants what was sent to be thrown away? */
int lt_kernel_isaborted(int fd);

#endif
