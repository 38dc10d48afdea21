// A yardstick for the matrix products: their dot product on registers alone, as fast as the processor issues it.

// The same value, of which the compiler no longer knows anything: what is computed from it cannot be computed ahead or shared.
CK_INLINE i32x16 peak_hidden(i32x16 v) {
#if (CK_ISA_AVX512 || CK_ISA_AVX512BW) && !CK_EMULATED
    __asm__ volatile("" : "+v"(v));
#elif CK_ISA_AVX2
    __m256i low = half_low(v), high = half_high(v);
    __asm__ volatile("" : "+x"(low), "+x"(high));
    v = half_join(low, high);
#elif CK_ISA_NEON
    quarters q = quarters_of(v);
    __asm__ volatile("" : "+w"(q.part[0]), "+w"(q.part[1]), "+w"(q.part[2]), "+w"(q.part[3]));
    v = quarters_join(q);
#else
    __asm__ volatile("" : "+m"(v));
#endif
    return v;
}

// Enough sums to hide the latency of vpdpbusd (5 cycles, two in each), few enough to stay in registers with the operands.
#if CK_ISA_AVX512 || CK_ISA_AVX512BW
enum { CK(peak_sums) = 16 };
#elif CK_ISA_AVXVNNI
enum { CK(peak_sums) = 6 };
#else
enum { CK(peak_sums) = 4 };
#endif

static int64_t CK(dot_peak)(int64_t rounds) {
    enum { sums = CK(peak_sums), steps = 48 / sums };
    i32x16 sum[sums], u = peak_hidden(bytes_set(3)), s = peak_hidden(bytes_set(5));
    for (int i = 0; i < sums; i++) sum[i] = lane_seti(i);
    for (int64_t round = 0; round < rounds; round++)
        for (int step = 0; step < steps; step++)
            for (int i = 0; i < sums; i++) {
                u = peak_hidden(u);
                sum[i] = bytes_dot(sum[i], u, s);
            }
    for (int i = 0; i < sums; i++) peak_hidden(sum[i]);
    return rounds * 48 * 64 * 2;
}
