// The inner loops of Quern. Single-threaded, stateless, no allocation, no input or output. They check nothing: the Swift
// wrapper in target Kernels has checked every shape.
//
// Layouts are those of Formats/StorageTypes.md. "padded" is a column count rounded up to the type's column multiple.
// Every function gives the same bits on every instruction set.
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>

// Storage type ids and source type ids, as in the file.
enum { CK_F32 = 1, CK_F16 = 2, CK_Q8 = 3, CK_Q4 = 4, CK_Q4S = 5, CK_Q6 = 6, CK_Q5 = 7, CK_Q3 = 8, CK_TYPE_LIMIT = 9 };
enum { CK_SOURCE_F32 = 1, CK_SOURCE_F16 = 2, CK_SOURCE_BF16 = 3 };

// What the encoders of types with grids look up, made from the 64 grid bytes by ck_prepare_grids. Index i stands for the integer
// i - 64. The grid of q6 is symmetric: there i stands for the magnitude i, and a code is that of a magnitude, 0...31.
typedef struct {
    uint8_t residual[16][128];  // [grid, then grid mirrored][i]: i - nearest grid value, biased by 64
    uint8_t residual_down[16][128], residual_up[16][128];  // the same; of two values as near the lower one, the upper one
    uint8_t code[8][128];       // [grid][i]: the nearest code, of two that are as near the lower one
    uint8_t code_up[8][128];    // the same, but the upper one
    uint8_t grids[64];          // as in the directory record
} ck_grid_tables;
void ck_prepare_grids(int type, const uint8_t grids[64], ck_grid_tables *tables);

// Sums over a panel, rows kept apart. See ErrorSums.
typedef struct {
    double signal[16], noise[16], row_product[16], stored, product, largest;
} ck_panel_errors;

// Up to CK_FEW_TOKENS tokens ck_matmul is faster than ck_tiles, for quantized types; CK_LANE_BYTES: of 32 columns in `lanes`.
enum { CK_FEW_TOKENS = 5, CK_LANE_BYTES = 48 };
// Activations of `tokens` tokens, each row `padded` values. q, scale and sum are used by quantized types, x by float types.
typedef struct {
    const float *x;        // [token][padded]
    const int8_t *q;       // [token][stride], 64-byte aligned rows
    const float *scale;    // [token][padded / 32]
    const int32_t *sum;    // [token][padded / 16], sum of q over 16 columns
    const uint8_t *u;      // [token][stride], q + 128; used for many tokens
    const uint8_t *lanes;  // [token][padded / 32][CK_LANE_BYTES], what `arrange` made of q; used by ck_matmul only
    int64_t padded;        // columns, multiple of 128
    int64_t stride;        // bytes between rows of q and of u, multiple of 64; not near a multiple of 2048, see ActivationRows
} ck_activations;

// out[token][row] for the rows of `panels` panels; out has token_stride floats between tokens and room for whole panels.
typedef void (*ck_matmul)(const uint8_t *panel, int64_t panels, int64_t panel_bytes, int64_t columns, const uint8_t *grids,
                          const ck_activations *x, int64_t tokens, float *out, int64_t token_stride);
// The same for many tokens; scratch: CK_TILE_SCRATCH bytes, 64-byte aligned. tiles give the same bits as matmul. requantized_tiles, which
// only some sets have for some types (else NULL), give 128 columns a common scale first, see templates/tile_requantize.h.
enum { CK_TILE_SCRATCH = 38 * 1024 };
typedef void (*ck_tiles)(const uint8_t *panel, int64_t panels, int64_t panel_bytes, const uint8_t *grids, const ck_activations *x, int64_t tokens,
                         void *scratch, float *out, int64_t token_stride);

// Floats of CK_GROUP_TOKENS tokens side by side: [token / CK_GROUP_TOKENS][column][CK_GROUP_TOKENS]; the last group is filled up with numbers.
enum { CK_GROUP_TOKENS = 12 };
// out[token][16 x panel + row], added to what is there when `accumulate` is not 0. panels: [panel_stride apart][columns][16]; x as above.
typedef void (*ck_float_product)(const float *panels, int64_t count, int64_t panel_stride, int64_t columns, const float *x, int64_t tokens,
                                 int accumulate, float *out, int64_t token_stride);

// The key-value cache of one head of one layer; layout in templates/attend.h.
enum { CK_CACHE_F16 = 0, CK_CACHE_F32 = 1, CK_CACHE_Q8 = 2 };
enum { CK_ATTEND_CHUNK = 256, CK_ATTEND_SCRATCH_ROWS = 8 };
typedef struct {
    void *keys;            // [position / 16][width][16]
    void *values;          // [position][width]
    float *key_scales;     // q8: [position / 16][width / 32][16]
    float *value_scales;   // q8: likewise
    int64_t size, width;   // the head's size, and rounded up to a multiple of 32
    int element;           // CK_CACHE_
} ck_cache_head;

// xt [padded][16] to panel; scratch: padded bytes at least, 64-byte aligned.
typedef void (*ck_encode)(const float *xt, int64_t padded, const ck_grid_tables *tables, uint8_t *panel);
// As ck_encode for several panels, xt [panels][padded][16], with errors that count by column and are fed back; see templates/feedback.h.
// Columns are fed back within spans of `span` columns, a multiple of 256 (or all of padded). shares: for each span, for each 128 of its columns in
// turn, [columns of the span up to the end of these 128][128]: what a column takes of the error of an earlier one, 0 for itself and later
// ones; NULL without feedback. weights[padded], positive. scratch: CK_FEEDBACK_SCRATCH(panels, padded) floats, 64-byte aligned.
typedef void (*ck_encode_feedback)(const float *xt, int64_t panels, int64_t padded, const float *shares, int64_t span, const float *weights,
                                   const ck_grid_tables *tables, float *scratch, uint8_t *out, int64_t panel_bytes);
#define CK_FEEDBACK_SCRATCH(panels, padded) ((panels) * (16 * (padded) + 2048 + 16))
// panel to vt [padded][16].
typedef void (*ck_decode)(const uint8_t *panel, int64_t padded, const uint8_t *grids, float *vt);
// One row of a panel: out[columns].
typedef void (*ck_decode_row)(const uint8_t *panel, int64_t columns, const uint8_t *grids, int64_t row, float *out);

typedef struct {
    const char *name;
    // Rows of a source tensor to xt [padded][16], zeros outside rows and columns. Returns -1, or row * columns + column of
    // the first value that is not finite.
    int64_t (*widen)(const void *source, int type, int64_t row_bytes, int64_t rows, int64_t columns, int64_t padded, float *xt);
    void (*measure)(const float *xt, const float *vt, int64_t columns, ck_panel_errors *errors);
    ck_encode encode[CK_TYPE_LIMIT];
    ck_encode_feedback encode_feedback[CK_TYPE_LIMIT];
    ck_decode decode[CK_TYPE_LIMIT];
    ck_decode_row decode_row[CK_TYPE_LIMIT];
    ck_matmul matmul[CK_TYPE_LIMIT];
    ck_tiles tiles[CK_TYPE_LIMIT], requantized_tiles[CK_TYPE_LIMIT];
    ck_float_product float_product;
    // x[columns], zeros up to padded (a multiple of 32): q[padded], u[padded], scale[padded / 32], sum[padded / 16]. scale = largest |x| / 127.
    void (*quantize_activations)(const float *x, int64_t columns, int64_t padded, int8_t *q, uint8_t *u, float *scale, int32_t *sum);
    // q[padded], padded a multiple of 32, to lanes[padded / 32][CK_LANE_BYTES]: q in the order in which this set's products for few tokens
    // want it. NULL where they want q as it is.
    void (*arrange)(const int8_t *q, int64_t padded, uint8_t *lanes);
    // out = x / sqrt(mean(x^2) + epsilon) * weight
    void (*rms_norm)(const float *x, const float *weight, int64_t count, float epsilon, float *out);
    // x += y
    void (*add)(float *x, const float *y, int64_t count);
    // gate = gate / (1 + exp(-gate)) * up
    void (*swiglu)(float *gate, const float *up, int64_t count);
    // Pairs (i, i + half) of one head turned by the angles whose cosines and sines are given [half].
    void (*rotate)(float *head, const float *cosines, const float *sines, int64_t half);
    void (*narrow_f16)(const float *x, int64_t count, uint16_t *out);
    // Writes one position of a head: key[size], value[size].
    void (*store_position)(const ck_cache_head *cache, int64_t position, const float *key, const float *value);
    // Softmax attention of `count` queries [count][width] (zeros from size on) over positions first ..< min(end, visible[query]); first
    // is a multiple of CK_ATTEND_CHUNK, end is one too or past every visible[query]. Continues the state most[count], sum[count], mix[count][width], which begins as -infinity, 0, 0.
    // scratch: 64-byte aligned, CK_ATTEND_SCRATCH_ROWS x (2 x CK_ATTEND_CHUNK + width) floats.
    void (*attend)(const ck_cache_head *cache, const float *queries, const int32_t *visible, int64_t count, int64_t first, int64_t end, float scale,
                   float *scratch, float *most, float *sum, float *mix);
    // Joins the state of the next chunk to a state; the same operations as attend does between chunks.
    void (*attend_merge)(float *most, float *sum, float *mix, const float *most2, const float *sum2, const float *mix2, int64_t count, int64_t width);
    // mix / sum
    void (*attend_finish)(const float *sum, float *mix, int64_t count, int64_t width);
    // Largest of `count` >= 1 values, none of them NaN.
    float (*largest)(const float *x, int64_t count);
    // out = exp((x - largest) scale), where no x is above largest and scale is positive; returns the sum. out may be x.
    double (*exponentials)(const float *x, int64_t count, float largest, float scale, float *out);
    // Largest value and log of the sum of exp(x - largest).
    void (*log_sum_exp)(const float *x, int64_t count, float *largest, double *log_sum);
    // Sum over i of p_i (log p_i - log q_i), where log p = p_logits - p_log_sum and log q likewise.
    double (*kl_divergence)(const float *p_logits, float p_log_sum, const float *q_logits, float q_log_sum, int64_t count);
    // A yardstick: 48 x rounds dot products of 64 bytes, as the matrix products do them, on registers alone. Returns how many
    // operations that was, a multiplication with its addition counting as two.
    int64_t (*dot_peak)(int64_t rounds);
} ck_kernels;

// The kernels for a name ("scalar" exists always; the others are the folders of this target), or NULL when this build or this machine does not have it. NULL name: the best.
const ck_kernels *ck_find(const char *name);
// Names of what was compiled, in the order of preference; returns their count.
int ck_names(const char **names, int limit);

// Whether few tokens' products are faster with several panels read side by side than one after the other. Set when the program starts.
extern int ck_reads_side_by_side;

// A yardstick: reads the bytes once, 8-byte aligned, and returns the sum of their 64-bit words.
uint64_t ck_read_memory(const void *p, int64_t bytes);
// Tells the processor that this is a spin loop.
static inline void ck_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
#endif
