/* Curl-P, the trinary sponge of MAM and of the Tangle's proof of work, and Keccak-384, the hash within Kerl, at the end. Plain C99: no
   dependencies, no global state, no allocation.

   A round of Curl-P is new[k] = F(old[p(k)], old[p(k + 1)]) with p(k) = 364 k mod 729. Because -2 * 364 = 1 mod 729, a state whose
   trits are renumbered anew after every round needs no such scatter: with Y(t)[i] = state(t)[(-2)^t i mod 729], the round is

       Y(t+1)[i] = F(Y(t)[i], Y(t)[i - r(t)]),   r(0) = 365, r(t+1) = 364 r(t) mod 729,

   a plain rotation. After R rounds, state[k] = Y[k (-2)^-R mod 729], which is k + 81 (k mod 9) after 27 and k + 243 (k mod 3) after 81.

   A trit is two bits: p says that it is 1, n that it is -1. There are two layouts. Packed: one state in 2 x 12 words, bit i is trit i.
   Sliced: 64 states in 2 x 729 words, word i holds trit i of all, bit l is the lane. Both give the same trits. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#elif defined(__GNUC__)
#define PUBLIC __attribute__((visibility("default")))
#else
#define PUBLIC
#endif

#ifndef LEARNAE_SOURCE
#define LEARNAE_SOURCE ""
#endif

enum { STATE = 729, HASH = 243, THIRD = 81, WORDS = 12, HASH_WORDS = 4, LANES = 64, FIRST_ROTATION = 365, NEXT_ROTATION = 364 };

#define TOP_WORD ((UINT64_C(1) << (STATE % 64)) - 1)

typedef struct {
    uint64_t p[WORDS], n[WORDS];
} packed;

typedef struct {
    uint64_t p[STATE], n[STATE];
} sliced;

typedef struct {
    int rounds, stages, step;
    uint64_t masks[4][WORDS]; /* of stage b: the trits k where bit b of k mod 9 (or 3) is set */
} sponge_plan;

/* The digest of this file when it was built, so that a stale build is noticed. */
PUBLIC const char *learnae_curl_source(void) { return LEARNAE_SOURCE; }

/* ---- packed: one state ---- */

static void make_plan(sponge_plan *plan, int rounds) {
    int classes = rounds == 27 ? 9 : 3;
    plan->rounds = rounds;
    plan->stages = rounds == 27 ? 4 : 2;
    plan->step = STATE / classes;
    memset(plan->masks, 0, sizeof plan->masks);
    for (int k = 0, rest = 0; k < STATE; k++, rest = rest + 1 == classes ? 0 : rest + 1)
        for (int b = 0; b < plan->stages; b++) plan->masks[b][k / 64] |= (uint64_t)(rest >> b & 1) << k % 64;
}

/* out[i] = x[i + by mod 729], 0 <= by < 729 */
static void turn(const uint64_t x[WORDS], int by, uint64_t out[WORDS]) {
    uint64_t twice[2 * WORDS];
    int word = by / 64, bit = by % 64;
    memcpy(twice, x, WORDS * sizeof *x);
    twice[WORDS - 1] |= x[0] << STATE % 64;
    for (int w = 1; w < WORDS; w++) twice[WORDS - 1 + w] = x[w - 1] >> (64 - STATE % 64) | x[w] << STATE % 64;
    twice[2 * WORDS - 1] = x[WORDS - 1] >> (64 - STATE % 64);
    for (int w = 0; w < WORDS; w++) out[w] = twice[word + w] >> bit | twice[word + w + 1] << 1 << (63 - bit);
    out[WORDS - 1] &= TOP_WORD;
}

static void permute(packed *s, const sponge_plan *plan) {
    uint64_t p[WORDS], n[WORDS];
    int rotation = FIRST_ROTATION;
    for (int t = 0; t < plan->rounds; t++, rotation = rotation * NEXT_ROTATION % STATE) {
        turn(s->p, STATE - rotation, p);
        turn(s->n, STATE - rotation, n);
        for (int w = 0; w < WORDS; w++) {
            uint64_t x = s->p[w] ^ n[w], d = p[w] ^ s->n[w], q = d & ~(s->p[w] & x);
            s->p[w] = q;
            s->n[w] = ~(x | q);
        }
        s->n[WORDS - 1] &= TOP_WORD;
    }
    for (int b = 0; b < plan->stages; b++) {
        turn(s->p, plan->step << b, p);
        turn(s->n, plan->step << b, n);
        for (int w = 0; w < WORDS; w++) {
            s->p[w] ^= (s->p[w] ^ p[w]) & plan->masks[b][w];
            s->n[w] ^= (s->n[w] ^ n[w]) & plan->masks[b][w];
        }
    }
}

/* Read up to 243 trits; those behind them are 0. */
static void pack(const int8_t *trits, size_t count, uint64_t p[HASH_WORDS], uint64_t n[HASH_WORDS]) {
    for (size_t w = 0; w < HASH_WORDS; w++) {
        uint64_t ones = 0, minuses = 0;
        for (size_t k = w * 64; k < count && k < w * 64 + 64; k++) {
            ones |= (uint64_t)(trits[k] > 0) << k % 64;
            minuses |= (uint64_t)(trits[k] < 0) << k % 64;
        }
        p[w] = ones;
        n[w] = minuses;
    }
}

static void unpack(const uint64_t *p, const uint64_t *n, int8_t *trits, size_t count) {
    for (size_t k = 0; k < count; k++) trits[k] = (int8_t)((int)(p[k / 64] >> k % 64 & 1) - (int)(n[k / 64] >> k % 64 & 1));
}

/* Overwrite the first count trits (at most 243) of a state. */
static void overwrite(packed *s, const uint64_t p[HASH_WORDS], const uint64_t n[HASH_WORDS], size_t count) {
    for (size_t w = 0; w < HASH_WORDS; w++) {
        uint64_t keep = count >= w * 64 + 64 ? 0 : count <= w * 64 ? ~UINT64_C(0) : ~UINT64_C(0) << (count - w * 64);
        s->p[w] = (s->p[w] & keep) | (p[w] & ~keep);
        s->n[w] = (s->n[w] & keep) | (n[w] & ~keep);
    }
}

static size_t chunk_at(size_t at, size_t count) { return count - at < HASH ? count - at : HASH; }

PUBLIC void learnae_curl_absorb(packed *state, const int8_t *trits, size_t count, int rounds) {
    sponge_plan plan;
    uint64_t p[HASH_WORDS], n[HASH_WORDS];
    make_plan(&plan, rounds);
    for (size_t at = 0; at < count; at += HASH) {
        pack(trits + at, chunk_at(at, count), p, n);
        overwrite(state, p, n, chunk_at(at, count));
        permute(state, &plan);
    }
}

PUBLIC void learnae_curl_squeeze(packed *state, int8_t *trits, size_t count, int rounds) {
    sponge_plan plan;
    make_plan(&plan, rounds);
    for (size_t at = 0; at < count; at += HASH) {
        unpack(state->p, state->n, trits + at, chunk_at(at, count));
        permute(state, &plan);
    }
}

PUBLIC void learnae_curl_state(const packed *state, int8_t *trits) { unpack(state->p, state->n, trits, STATE); }

/* Add (or, with take, subtract) the state to every chunk, trit by trit modulo 3, and absorb the plain chunk. */
PUBLIC void learnae_curl_mask(packed *state, const int8_t *in, int8_t *out, size_t count, int take, int rounds) {
    sponge_plan plan;
    uint64_t p[HASH_WORDS], n[HASH_WORDS], sum_p[HASH_WORDS], sum_n[HASH_WORDS];
    make_plan(&plan, rounds);
    for (size_t at = 0; at < count; at += HASH) {
        size_t chunk = chunk_at(at, count);
        pack(in + at, chunk, p, n);
        for (int w = 0; w < HASH_WORDS; w++) {
            uint64_t key_p = take ? state->n[w] : state->p[w], key_n = take ? state->p[w] : state->n[w];
            uint64_t zero = ~(p[w] | n[w]), key_zero = ~(key_p | key_n);
            sum_p[w] = (p[w] & key_zero) | (zero & key_p) | (n[w] & key_n);
            sum_n[w] = (n[w] & key_zero) | (zero & key_n) | (p[w] & key_p);
        }
        unpack(sum_p, sum_n, out + at, chunk);
        overwrite(state, take ? sum_p : p, take ? sum_n : n, chunk);
        permute(state, &plan);
    }
}

/* ---- sliced: 64 states ---- */

/* After it, trit k of the state lies at slot(k, rounds). */
static void permute_sliced(sliced *s, sliced *spare, int rounds) {
    sliced *from = s, *to = spare;
    int rotation = FIRST_ROTATION;
    for (int t = 0; t < rounds; t++, rotation = rotation * NEXT_ROTATION % STATE) {
        for (int part = 0; part < 2; part++) {
            int start = part ? rotation : 0, end = part ? STATE : rotation, back = part ? -rotation : STATE - rotation;
            const uint64_t *ap = from->p + start, *an = from->n + start, *bp = ap + back, *bn = an + back;
            uint64_t *restrict rp = to->p + start, *restrict rn = to->n + start;
            for (int i = 0; i < end - start; i++) {
                uint64_t x = ap[i] ^ bn[i], d = bp[i] ^ an[i], q = d & ~(ap[i] & x);
                rp[i] = q;
                rn[i] = ~(x | q);
            }
        }
        sliced *last = from;
        from = to;
        to = last;
    }
    if (from != s) memcpy(s, from, sizeof *s); /* both numbers of rounds are odd */
}

static int slot(int k, int rounds) { return k * (rounds == 27 ? 82 : 244) % STATE; }

static void put(sliced *s, int i, int trit) {
    s->p[i] = trit > 0 ? ~UINT64_C(0) : 0;
    s->n[i] = trit < 0 ? ~UINT64_C(0) : 0;
}

static int lane_trit(const sliced *s, int i, int lane) { return (int)(s->p[i] >> lane & 1) - (int)(s->n[i] >> lane & 1); }

/* Hash every lane's 243 trits as often as its entry in times says, with 27 rounds. */
PUBLIC void learnae_curl_chains(const int8_t *in, const int32_t *times, int8_t *out, size_t lanes) {
    for (size_t first = 0; first < lanes; first += LANES) {
        int width = lanes - first < LANES ? (int)(lanes - first) : LANES;
        sliced hashes, state, spare;
        int32_t longest = 0;
        memset(&hashes, 0, sizeof hashes);
        for (int lane = 0; lane < width; lane++) {
            const int8_t *trits = in + (first + (size_t)lane) * HASH;
            for (int k = 0; k < HASH; k++) {
                hashes.p[k] |= (uint64_t)(trits[k] > 0) << lane;
                hashes.n[k] |= (uint64_t)(trits[k] < 0) << lane;
            }
            if (times[first + (size_t)lane] > longest) longest = times[first + (size_t)lane];
        }
        for (int32_t done = 0; done < longest; done++) {
            uint64_t going = 0;
            for (int lane = 0; lane < width; lane++) going |= (uint64_t)(times[first + (size_t)lane] > done) << lane;
            state = hashes; /* its trits from 243 on are 0 */
            permute_sliced(&state, &spare, 27);
            for (int k = 0; k < HASH; k++) {
                hashes.p[k] ^= (hashes.p[k] ^ state.p[slot(k, 27)]) & going;
                hashes.n[k] ^= (hashes.n[k] ^ state.n[slot(k, 27)]) & going;
            }
        }
        for (int lane = 0; lane < width; lane++)
            for (int k = 0; k < HASH; k++) out[(first + (size_t)lane) * HASH + (size_t)k] = (int8_t)lane_trit(&hashes, k, lane);
    }
}

/* The lanes where the first 81 * security trits of the hash sum to 0 and no shorter part that counts does. */
static uint64_t lanes_with_proof(const sliced *state, int security) {
    int16_t sums[LANES] = {0};
    uint64_t good = ~UINT64_C(0);
    for (int part = 1; part <= security; part++) {
        uint64_t zero = 0;
        for (int k = (part - 1) * THIRD; k < part * THIRD; k++) {
            uint64_t p = state->p[slot(k, 27)], n = state->n[slot(k, 27)];
            for (int lane = 0; lane < LANES; lane++) sums[lane] = (int16_t)(sums[lane] + (int)(p >> lane & 1) - (int)(n >> lane & 1));
        }
        for (int lane = 0; lane < LANES; lane++) zero |= (uint64_t)(sums[lane] == 0) << lane;
        good &= part == security ? zero : ~zero;
    }
    return good;
}

static int lowest(uint64_t lanes) {
    int lane = 0;
    while (!(lanes >> lane & 1)) lane++;
    return lane;
}

/* Search MAM's 81-trit nonce in the order of the deployed libraries; 1 if found, 0 if none was within that many batches of 64. */
PUBLIC int learnae_curl_find_nonce(const int8_t *trits, int security, int64_t batches, int8_t *nonce) {
    int8_t base[STATE];
    sliced state, spare;
    memcpy(base, trits, sizeof base);
    for (int64_t batch = 0; batch < batches; batch++) {
        for (int k = 54; k < THIRD; k++) {
            base[k] = (int8_t)(base[k] == 1 ? -1 : base[k] + 1);
            if (base[k] != -1) break;
        }
        for (int k = 0; k < STATE; k++) put(&state, k, base[k]);
        for (int k = 0, power = 1; k < 4; k++, power *= 3) {
            state.p[k] = state.n[k] = 0;
            for (int lane = 0; lane < LANES; lane++) {
                state.p[k] |= (uint64_t)(lane / power % 3 == 1) << lane;
                state.n[k] |= (uint64_t)(lane / power % 3 == 2) << lane;
            }
        }
        permute_sliced(&state, &spare, 27);
        uint64_t good = lanes_with_proof(&state, security);
        if (good == 0 || (good & 1)) continue; /* they pass over a batch whose lane 0 is good, and so vectors do */
        memcpy(nonce, base, THIRD);
        for (int k = 0, rest = lowest(good); k < 4; k++, rest /= 3) nonce[k] = (int8_t)(rest % 3 == 2 ? -1 : rest % 3);
        return 1;
    }
    return 0;
}

/* Search a transaction's nonce: its state before the last transform, without the nonce's 81 trits at 162. Candidate number
   64 * batch + lane has the lane's six bits as trits 0 or 1, then the batch's digits to base 3 (2 is -1), then 0.
   Returns the first batch with a good one, or -1 if none of these has. */
PUBLIC int64_t learnae_curl_find_work(const int8_t *trits, int weight, int64_t first, int64_t batches, int8_t *nonce) {
    sliced base, state, spare;
    for (int k = 0; k < STATE; k++) put(&base, k, k >= 2 * THIRD && k < HASH ? 0 : trits[k]);
    for (int bit = 0; bit < 6; bit++)
        for (int lane = 0; lane < LANES; lane++) base.p[2 * THIRD + bit] |= (uint64_t)(lane >> bit & 1) << lane;
    for (int64_t batch = first; batch < first + batches; batch++) {
        int64_t digits = batch;
        for (int k = 2 * THIRD + 6; k < HASH; k++, digits /= 3) put(&base, k, digits % 3 == 2 ? -1 : (int)(digits % 3));
        state = base;
        permute_sliced(&state, &spare, 81);
        uint64_t good = ~UINT64_C(0);
        for (int k = HASH - 1; k >= HASH - weight && good; k--) good &= ~(state.p[slot(k, 81)] | state.n[slot(k, 81)]);
        if (good == 0) continue;
        for (int k = 0; k < THIRD; k++) nonce[k] = (int8_t)lane_trit(&base, 2 * THIRD + k, lowest(good));
        return batch;
    }
    return -1;
}

/* ---- Keccak-384, with the padding from before SHA-3 ---- */

enum { KECCAK_RATE = 104, KECCAK_HASH = 48, KECCAK_LANES = 25 };

static uint64_t rotate(uint64_t x, int by) { return x << by | x >> 1 >> (63 - by); }

static void permute_keccak(uint64_t s[KECCAK_LANES]) {
    unsigned shift_register = 1;
    for (int round = 0; round < 24; round++) {
        uint64_t columns[5], moved[KECCAK_LANES];
        for (int x = 0; x < 5; x++) columns[x] = s[x] ^ s[x + 5] ^ s[x + 10] ^ s[x + 15] ^ s[x + 20];
        for (int i = 0; i < KECCAK_LANES; i++) s[i] ^= columns[(i + 4) % 5] ^ rotate(columns[(i + 1) % 5], 1);
        moved[0] = s[0];
        for (int step = 0, x = 1, y = 0; step < 24; step++) {
            int next = (2 * x + 3 * y) % 5;
            moved[y + 5 * next] = rotate(s[x + 5 * y], (step + 1) * (step + 2) / 2 % 64);
            x = y;
            y = next;
        }
        for (int i = 0; i < KECCAK_LANES; i++) s[i] = moved[i] ^ (~moved[i / 5 * 5 + (i + 1) % 5] & moved[i / 5 * 5 + (i + 2) % 5]);
        for (int bit = 0; bit < 7; bit++) {
            s[0] ^= (uint64_t)(shift_register & 1) << ((1 << bit) - 1);
            shift_register = shift_register << 1 ^ (shift_register >> 7 ? 0x171 : 0);
        }
    }
}

PUBLIC void learnae_keccak_384(const uint8_t *data, size_t count, uint8_t *digest) {
    uint64_t state[KECCAK_LANES] = {0};
    size_t place = 0;
    for (size_t i = 0; i < count; i++) {
        state[place / 8] ^= (uint64_t)data[i] << place % 8 * 8;
        if (++place == KECCAK_RATE) {
            permute_keccak(state);
            place = 0;
        }
    }
    state[place / 8] ^= UINT64_C(1) << place % 8 * 8;
    state[KECCAK_RATE / 8 - 1] ^= UINT64_C(1) << 63;
    permute_keccak(state);
    for (int i = 0; i < KECCAK_HASH; i++) digest[i] = (uint8_t)(state[i / 8] >> i % 8 * 8);
}
