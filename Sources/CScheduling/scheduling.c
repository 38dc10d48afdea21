#define _GNU_SOURCE
#include "CScheduling.h"
#include <errno.h>
#include <sched.h>

int cs_keep_on(const int *numbers, int count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < count; i++)
        if (numbers[i] >= 0 && numbers[i] < CPU_SETSIZE) CPU_SET(numbers[i], &set);
    return sched_setaffinity(0, sizeof set, &set) ? errno : 0;
}
