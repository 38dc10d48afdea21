// 4-bit codes to grid bytes, eight rows of a panel at a time, for instruction sets with 32-byte registers and a 16-entry lookup.
//
// A row has one grid per block, so the codes are first gathered by rows: after the interleaving a 16-byte lane holds codes of one row
// only, and one lookup in that row's grid does for the lane. Choosing among the results of four lookups instead costs more than twice
// the instructions, all on the shuffle and blend ports. The two lanes of a register are rows i and i + 4 of the eight; the sixteen
// possible pairs of grids lie ready in a table.
#ifndef CK_ROW_LOOKUP_H
#define CK_ROW_LOOKUP_H
#include "../lanes/lanes.h"

// Sixteen pairs of grids: pair[4 a + b] is grid a and grid b. 512 bytes, made once per call.
typedef struct { _Alignas(64) uint8_t pair[16][32]; } grid_pairs;
CK_INLINE void grid_pairs_prepare(grid_pairs *table, const uint8_t *grids) {
    for (int i = 0; i < 16; i++) {
        memcpy(table->pair[i], grids + 16 * (i >> 2), 16);
        memcpy(table->pair[i] + 16, grids + 16 * (i & 3), 16);
    }
}

CK_INLINE __m256i eight_rows(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

// Header bytes of a superblock to keys: byte 16 b + 8 half + i (i = 0 ... 3) tells the pair of rows i and i + 4 of a half in block b,
// as 16 times the index in grid_pairs.
CK_INLINE void pair_keys(const uint8_t *header, const int bytes, uint8_t *keys) {
    for (int i = 0; i < bytes; i += 32) {
        __m256i grid = _mm256_and_si256(eight_rows(header + i), _mm256_set1_epi8((char)0xC0));
        _mm256_store_si256((__m256i *)(keys + i), _mm256_or_si256(grid, _mm256_srli_epi64(grid, 34)));
    }
}
CK_INLINE __m256i pair_lookup(const grid_pairs *table, uint8_t key, __m256i codes) {
    return _mm256_shuffle_epi8(eight_rows(table->pair[0] + 2 * (size_t)key), codes);
}

CK_INLINE __m256i low_codes(__m256i z) { return _mm256_and_si256(z, _mm256_set1_epi8(0x0f)); }
CK_INLINE __m256i high_codes(__m256i z) { return _mm256_and_si256(_mm256_srli_epi16(z, 4), _mm256_set1_epi8(0x0f)); }

// The same by a multiplication, where shifts would wait for the ports of the shuffles.
CK_INLINE __m256i high_codes_by_product(__m256i z) { return _mm256_and_si256(_mm256_mulhi_epu16(z, _mm256_set1_epi16(0x1000)), _mm256_set1_epi8(0x0f)); }

// Two blocks of 16 columns from `codes` (line 0 of four, at the half's rows) and the keys of the first block. grid[4 b + i] holds rows i
// and i + 4 in block b; the bytes of a lane are columns 0-3, 8-11, 4-7, 12-15 of the block.
CK_INLINE void lookup_q4(const uint8_t *codes, const grid_pairs *table, const uint8_t *keys, __m256i grid[8]) {
    for (int b = 0; b < 2; b++) {
        __m256i first = eight_rows(codes + 128 * b), second = eight_rows(codes + 128 * b + 64);
        __m256i rows[2] = {_mm256_unpacklo_epi32(first, second), _mm256_unpackhi_epi32(first, second)};
        for (int i = 0; i < 2; i++) {
            __m256i low = low_codes(rows[i]), high = high_codes(rows[i]);
            grid[4 * b + 2 * i] = pair_lookup(table, keys[16 * b + 2 * i], _mm256_unpacklo_epi64(low, high));
            grid[4 * b + 2 * i + 1] = pair_lookup(table, keys[16 * b + 2 * i + 1], _mm256_unpackhi_epi64(low, high));
        }
    }
}

// One block of 32 columns. grid[i] holds columns 0-3, 8-11, 16-19, 24-27 of rows i and i + 4, grid[4 + i] the other sixteen columns.
CK_INLINE void lookup_q4s(const uint8_t *codes, const grid_pairs *table, const uint8_t *keys, __m256i grid[8]) {
    __m256i a = eight_rows(codes), b = eight_rows(codes + 64), c = eight_rows(codes + 128), d = eight_rows(codes + 192);
    __m256i ab[2] = {_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)};
    __m256i cd[2] = {_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d)};
    for (int i = 0; i < 4; i++) {
        __m256i row = i & 1 ? _mm256_unpackhi_epi64(ab[i / 2], cd[i / 2]) : _mm256_unpacklo_epi64(ab[i / 2], cd[i / 2]);
        grid[i] = pair_lookup(table, keys[i], low_codes(row));
        grid[4 + i] = pair_lookup(table, keys[i], high_codes_by_product(row));
    }
}

// v[i]: four terms of row i in the lower lane, of row i + 4 in the upper one. Returns the sums of the rows in order.
CK_INLINE __m256i row_sums(const __m256i v[4]) {
    __m256i a = _mm256_add_epi32(_mm256_unpacklo_epi32(v[0], v[1]), _mm256_unpackhi_epi32(v[0], v[1]));
    __m256i b = _mm256_add_epi32(_mm256_unpacklo_epi32(v[2], v[3]), _mm256_unpackhi_epi32(v[2], v[3]));
    return _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}
#endif
