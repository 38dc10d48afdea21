// usage: kernel_checks [--list] [--rounds PERCENT] [--only WORD] [NAME ...]
//
// Compares the kernels of each named instruction set (without names: of each that this machine can run) with the scalar ones, bit for
// bit. One line per kernel function. "scalar" itself is only watched for accesses outside its buffers; the digest of its results, at the
// end of each line, must be the same on every processor. Exit code 1 if a check failed.
#define _GNU_SOURCE
#include "case.h"
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One row per kernel function: its place in ck_kernels, what calls it, the storage type or cache element that this takes, rounds.
#define ROW(field, run, type, rounds) {#field, offsetof(ck_kernels, field), run, type, rounds}
#define ROW_OF(field, what, run, type, rounds) {#field " " what, offsetof(ck_kernels, field), run, type, rounds}
const kernel_check kernel_checks[] = {
    ROW(widen, check_widen, 0, 120),
    ROW(measure, check_measure, 0, 60),
    ROW(encode[CK_F32], check_encode, CK_F32, 20),
    ROW(encode[CK_F16], check_encode, CK_F16, 60),
    ROW(encode[CK_Q8], check_encode, CK_Q8, 45),
    ROW(encode[CK_Q4], check_encode, CK_Q4, 30),
    ROW(encode[CK_Q4S], check_encode, CK_Q4S, 30),
    ROW(encode[CK_Q6], check_encode, CK_Q6, 30),
    ROW(encode[CK_Q5], check_encode, CK_Q5, 30),
    ROW(encode[CK_Q3], check_encode, CK_Q3, 30),
    ROW(encode_feedback[CK_Q8], check_encode_feedback, CK_Q8, 24),
    ROW(encode_feedback[CK_Q4], check_encode_feedback, CK_Q4, 24),
    ROW(encode_feedback[CK_Q4S], check_encode_feedback, CK_Q4S, 24),
    ROW(encode_feedback[CK_Q6], check_encode_feedback, CK_Q6, 24),
    ROW(encode_feedback[CK_Q5], check_encode_feedback, CK_Q5, 24),
    ROW(encode_feedback[CK_Q3], check_encode_feedback, CK_Q3, 24),
    ROW(decode[CK_F32], check_decode, CK_F32, 20),
    ROW(decode[CK_F16], check_decode, CK_F16, 60),
    ROW(decode[CK_Q8], check_decode, CK_Q8, 60),
    ROW(decode[CK_Q4], check_decode, CK_Q4, 60),
    ROW(decode[CK_Q4S], check_decode, CK_Q4S, 60),
    ROW(decode[CK_Q6], check_decode, CK_Q6, 60),
    ROW(decode[CK_Q5], check_decode, CK_Q5, 60),
    ROW(decode[CK_Q3], check_decode, CK_Q3, 60),
    ROW(decode_row[CK_F32], check_decode_row, CK_F32, 32),
    ROW(decode_row[CK_F16], check_decode_row, CK_F16, 32),
    ROW(decode_row[CK_Q8], check_decode_row, CK_Q8, 64),
    ROW(decode_row[CK_Q4], check_decode_row, CK_Q4, 64),
    ROW(decode_row[CK_Q4S], check_decode_row, CK_Q4S, 64),
    ROW(decode_row[CK_Q6], check_decode_row, CK_Q6, 64),
    ROW(decode_row[CK_Q5], check_decode_row, CK_Q5, 64),
    ROW(decode_row[CK_Q3], check_decode_row, CK_Q3, 64),
    ROW(matmul[CK_F32], check_matmul, CK_F32, 120),
    ROW(matmul[CK_F16], check_matmul, CK_F16, 120),
    ROW(matmul[CK_Q8], check_matmul, CK_Q8, 240),
    ROW(matmul[CK_Q4], check_matmul, CK_Q4, 240),
    ROW(matmul[CK_Q4S], check_matmul, CK_Q4S, 240),
    ROW(matmul[CK_Q6], check_matmul, CK_Q6, 240),
    ROW(matmul[CK_Q5], check_matmul, CK_Q5, 240),
    ROW(matmul[CK_Q3], check_matmul, CK_Q3, 240),
    ROW(tiles[CK_Q8], check_tiles, CK_Q8, 60),
    ROW(tiles[CK_Q4], check_tiles, CK_Q4, 60),
    ROW(tiles[CK_Q4S], check_tiles, CK_Q4S, 60),
    ROW(tiles[CK_Q6], check_tiles, CK_Q6, 60),
    ROW(tiles[CK_Q5], check_tiles, CK_Q5, 60),
    ROW(tiles[CK_Q3], check_tiles, CK_Q3, 60),
    ROW(requantized_tiles[CK_Q4], check_requantized_tiles, CK_Q4, 60),
    ROW(float_product, check_float_product, 0, 116),
    ROW(quantize_activations, check_quantize_activations, 0, 120),
    ROW(arrange, check_arrange, 0, 90),
    ROW(rms_norm, check_rms_norm, 0, 120),
    ROW(add, check_add, 0, 120),
    ROW(swiglu, check_swiglu, 0, 120),
    ROW(rotate, check_rotate, 0, 210),
    ROW(narrow_f16, check_narrow_f16, 0, 120),
    ROW_OF(store_position, "f16", check_store_position, CK_CACHE_F16, 160),
    ROW_OF(store_position, "f32", check_store_position, CK_CACHE_F32, 40),
    ROW_OF(store_position, "q8", check_store_position, CK_CACHE_Q8, 160),
    ROW_OF(attend, "f16", check_attend, CK_CACHE_F16, 80),
    ROW_OF(attend, "f32", check_attend, CK_CACHE_F32, 40),
    ROW_OF(attend, "q8", check_attend, CK_CACHE_Q8, 80),
    ROW(attend_merge, check_attend_merge, 0, 60),
    ROW(attend_finish, check_attend_finish, 0, 40),
    ROW(largest, check_largest, 0, 60),
    ROW(exponentials, check_exponentials, 0, 60),
    ROW(log_sum_exp, check_log_sum_exp, 0, 60),
    ROW(kl_divergence, check_kl_divergence, 0, 60),
    ROW(dot_peak, check_dot_peak, 0, 5),
};
const int kernel_check_count = sizeof kernel_checks / sizeof *kernel_checks;

static sigjmp_buf after_fault;
static void on_fault(int number) { siglongjmp(after_fault, number); }

static int is_present(const ck_kernels *kernels, size_t offset) {
    void *function;
    memcpy(&function, (const char *)kernels + offset, sizeof function);
    return function != NULL;
}

// Every function of the table must have a row above.
static int functions_without_check(const ck_kernels *kernels) {
    int count = 0;
    for (size_t offset = sizeof kernels->name; offset < sizeof *kernels; offset += sizeof(void (*)(void))) {
        int found = !is_present(kernels, offset);
        for (int i = 0; i < kernel_check_count && !found; i++) found = kernel_checks[i].offset == offset;
        if (found) continue;
        printf("%s: no check for the function at byte %zu of ck_kernels; add a row to kernel_checks\n", kernels->name, offset);
        count++;
    }
    return count;
}

// The outputs of a case, one after the other. Returns their length.
static int64_t collect(const check_case *c, uint8_t *out, int64_t room) {
    int64_t used = 0;
    for (int i = 0; i < c->buffer_count; i++) {
        const case_buffer *b = &c->buffers[i];
        if (!b->is_output) continue;
        if (used + b->count > room) { fprintf(stderr, "outputs of more than %lld bytes\n", (long long)room); exit(2); }
        memcpy(out + used, b->bytes, (size_t)b->count);
        used += b->count;
    }
    return used;
}
static void digest(const check_case *c, uint64_t *hash) {
    for (int i = 0; i < c->buffer_count; i++)
        if (c->buffers[i].is_output && c->buffers[i].is_digested)
            for (int64_t j = 0; j < c->buffers[i].count; j++) *hash = (*hash ^ c->buffers[i].bytes[j]) * 0x100000001B3;
}

// Runs one case; false with a message when it touched what it must not.
static int run(const kernel_check *check, const ck_kernels *kernels, int64_t round, check_case *c) {
    case_begin(c, check, round);
    int fault = sigsetjmp(after_fault, 1);
    if (fault) {
        printf("%s %s: round %lld, %s: %s\n", kernels->name, check->name, (long long)round, c->shape,
               fault == SIGILL ? "an instruction that this processor does not have" : "read or wrote outside its buffers");
        return 0;
    }
    check->run(c, kernels);
    const char *overrun = case_overrun(c);
    if (overrun) printf("%s %s: round %lld, %s: wrote outside %s\n", kernels->name, check->name, (long long)round, c->shape, overrun);
    return !overrun;
}

// The first byte that differs, by buffer.
static void report(const check_case *c, const kernel_check *check, const ck_kernels *kernels, const uint8_t *expected) {
    for (int i = 0; i < c->buffer_count; i++) {
        const case_buffer *b = &c->buffers[i];
        if (!b->is_output) continue;
        for (int64_t j = 0; j < b->count; j++) {
            if (b->bytes[j] == expected[j]) continue;
            printf("%s %s: round %lld, %s: byte %lld of %lld of %s is %02x, expected %02x\n", kernels->name, check->name, (long long)c->round,
                   c->shape, (long long)j, (long long)b->count, b->name, b->bytes[j], expected[j]);
            return;
        }
        expected += b->count;
    }
}

static int passes(const kernel_check *check, const ck_kernels *kernels, int rounds) {
    enum { ROOM = 1 << 22 };
    static uint8_t expected[ROOM], found[ROOM];
    static check_case c;  // static: keeps its contents over a siglongjmp
    const ck_kernels *scalar = ck_find("scalar");
    uint64_t hash = 0xCBF29CE484222325;
    for (int64_t round = 0; round < rounds; round++) {
        if (!run(check, scalar, round, &c)) return 0;
        digest(&c, &hash);
        if (kernels == scalar) continue;
        int64_t bytes = collect(&c, expected, ROOM);
        if (!run(check, kernels, round, &c)) return 0;
        if (collect(&c, found, ROOM) != bytes || memcmp(expected, found, (size_t)bytes)) {
            report(&c, check, kernels, expected);
            return 0;
        }
    }
    printf("%-9s %-24s %4d cases  %016llx\n", kernels->name, check->name, rounds, (unsigned long long)hash);
    return 1;
}

int main(int count, char **arguments) {
    const char *names[32], *only = "";
    int name_count = 0, percent = 100, known = ck_names(names, 32), passed = 0, failed = 0;
    for (int i = 0; i < known; i++)
        if (ck_find(names[i])) names[name_count++] = names[i];
    for (int i = 1, given = 0; i < count; i++) {
        if (!strcmp(arguments[i], "--list")) {
            for (int j = 0; j < name_count; j++) printf("%s\n", names[j]);
            return 0;
        }
        if (!strcmp(arguments[i], "--rounds") && i + 1 < count) percent = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--only") && i + 1 < count) only = arguments[++i];
        else if (given < 32 && ck_find(arguments[i])) { names[given++] = arguments[i]; name_count = given; }
        else { fprintf(stderr, "%s: no such instruction set here, or no such option\n", arguments[i]); return 2; }
    }
    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    for (int i = 0; i < name_count; i++) {
        const ck_kernels *kernels = ck_find(names[i]);
        failed += functions_without_check(kernels);
        for (int j = 0; j < kernel_check_count; j++) {
            const kernel_check *check = &kernel_checks[j];
            if (!strstr(check->name, only) || !is_present(kernels, check->offset)) continue;
            int rounds = check->rounds * percent / 100;
            if (passes(check, kernels, rounds ? rounds : 1)) passed++;
            else { printf("%-9s %-24s FAILED\n", kernels->name, check->name); failed++; }
            fflush(stdout);
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
