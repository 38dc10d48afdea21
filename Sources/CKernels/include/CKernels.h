#ifndef CKERNELS_H
#define CKERNELS_H
#include <stdint.h>
int ck_placeholder(void);
#endif
