// System calls about threads that the C library shows to C programs only that ask for GNU extensions.
#ifndef CSCHEDULING_H
#define CSCHEDULING_H
// Keeps the calling thread on the hardware threads of these numbers. Returns 0, or the errno of a refusal, after which it runs where it may.
int cs_keep_on(const int *numbers, int count);
#endif
