// Activations in the orders of row_lookup.h, 48 bytes for 32 columns:
//   32 bytes: columns 0-3, 8-11, 4-7, 12-15, then 16-19, 24-27, 20-23, 28-31
//   8 words: 64 x the sums over columns 0, 1, 4, 5; 2, 3, 6, 7; 8, 9, 12, 13; 10, 11, 14, 15; then likewise of the other 16 columns
// Arranged once for all panels; done for every panel it took 8 % of the time of q4 (one token, Zen 3).
#ifndef CK_LANE_ACTIVATIONS_H
#define CK_LANE_ACTIVATIONS_H
#include "../include/CKernels.h"
#include "../lanes/lanes.h"

static void CK(arrange)(const int8_t *q, int64_t padded, uint8_t *lanes) {
    for (int64_t k = 0; k < padded; k += 32, lanes += CK_LANE_BYTES) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(q + k));
        _mm256_storeu_si256((__m256i *)lanes, _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 2, 1, 3, 4, 6, 5, 7)));
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(64), x), fours = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0xB1));
        const __m256i even = _mm256_permutevar8x32_epi32(fours, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
        _mm_storeu_si128((__m128i *)(lanes + 32), _mm256_castsi256_si128(even));
    }
}

CK_INLINE const uint8_t *lanes_of(const ck_activations *x, int64_t token, int64_t k) {
    return x->lanes + (uint64_t)(token * x->padded + k) / 32 * CK_LANE_BYTES;
}
CK_INLINE __m256i both_lanes(const uint8_t *p) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p)); }
CK_INLINE __m256i eight_repeated(const void *p) {
    int64_t eight;
    memcpy(&eight, p, 8);
    return _mm256_set1_epi64x(eight);
}

// Thirty-two activations in the orders of the two lookups, each order in both lanes.
typedef struct { __m256i first, second; } lane_activations;
CK_INLINE lane_activations activations_q4(const uint8_t *lanes) { return (lane_activations){both_lanes(lanes), both_lanes(lanes + 16)}; }
CK_INLINE lane_activations activations_q4s(const uint8_t *lanes) {
    const __m256i a = both_lanes(lanes), b = both_lanes(lanes + 16);
    return (lane_activations){_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)};
}
// What the grid's zero point, 64, adds to sums of four products: for four_sums of one block of q4, 0 or 1, and for q4s.
CK_INLINE __m256i zero_point_q4(const uint8_t *lanes, const int block) { return eight_repeated(lanes + 32 + 8 * block); }
CK_INLINE __m256i zero_point_q4s(const uint8_t *lanes) { return both_lanes(lanes + 32); }
#endif
