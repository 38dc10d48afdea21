// Counts the allocations of each thread of the test program: its own definitions of malloc and its relatives stand before the C library's.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H
// Calls so far on this thread that gave out memory. 0 where the C library has no other names for its own functions (musl).
long allocation_count(void);
#endif
