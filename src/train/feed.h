/* SPDX-License-Identifier: MIT
 * A training set that stays in its files, which are one set: blocks of samples, each read at once
 * (whole chunks where the file has chunks, about 1 MiB), and windows of blocks. The order of an
 * epoch: the blocks in a permutation drawn for (seed, epoch); of them as many as fit make a window,
 * one after the other; the samples of a window in a permutation of their own. So any block may
 * stand anywhere in an epoch, and any sample of a window anywhere in it. Memory is that of the
 * windows.
 *
 * One thread at a time reads (the loader's, while a run trains); the rest is read-only. */
#ifndef MPNO_TRAIN_FEED_H
#define MPNO_TRAIN_FEED_H

#include "data/dataset.h"
#include "data/normalizer.h"
#include "train/config.h"

/* Samples `number` .. number + n - 1 of the set: entries (samples or trajectories) of one file. */
typedef struct mpno_feed_block {
    size_t file;
    int64_t first, entries;
    int64_t number, n;
} mpno_feed_block;

typedef struct mpno_feed {
    mpno_dataset_opts opts;
    int64_t factor;      /* every so-manieth node; 1: all */
    mpno_dataset *whole; /* owned: shapes in the files */
    mpno_dataset *shape; /* owned: shapes of the samples, n of all files; no values */
    mpno_tensor_reader *
        *readers; /* [n_files], owned, like the entries of each that are trained on */
    int64_t *entries;
    size_t n_files;
    int64_t chunk;           /* entries that files store as one piece, at most */
    mpno_feed_block *blocks; /* [n_blocks], owned: in the order of the files */
    int64_t n_blocks, most;  /* most: samples of the largest */
    int64_t window;          /* samples that a window has room for */
    mpno_dataset *read;      /* owned: a block at the file's resolution; NULL where factor is 1 */
} mpno_feed;

/* Decides data.streaming and, where it is streamed, data.window; *bytes: of all training samples in
 * memory. auto keeps in memory what cannot be streamed. */
MPNO_WARN_UNUSED mpno_status mpno_streaming_decide(mpno_ctx *ctx, mpno_settings *settings,
                                                   size_t *bytes);

/* For what looks at one batch alone: where the data would be streamed, keeps as much of each file
 * in memory as a batch takes. */
MPNO_WARN_UNUSED mpno_status mpno_streaming_shorten(mpno_ctx *ctx, mpno_settings *settings);

/* Opens all training files as feeds, one for each grid and each of data.train_subsampling; of
 * each file the last data.n_validation entries are left out. *out: [*n], owned, on failure too. */
MPNO_WARN_UNUSED mpno_status mpno_feeds_open(mpno_ctx *ctx, const mpno_settings *settings,
                                             mpno_feed ***out, size_t *n);
void mpno_feed_close(mpno_ctx *ctx, mpno_feed **feed); /* *feed may be NULL */
/* Block `block` into the samples from `at` on of `into`. */
MPNO_WARN_UNUSED mpno_status mpno_feed_load(mpno_ctx *ctx, mpno_feed *feed, int64_t block,
                                            mpno_dataset *into, int64_t at);
/* Reads all once in the order of the files: checks that values are finite, adds them to the moments
 * (NULL: not wanted) and gives a checksum. */
MPNO_WARN_UNUSED mpno_status mpno_feed_scan(mpno_ctx *ctx, mpno_feed *feed, mpno_moments *x,
                                            mpno_moments *y, uint64_t *checksum);

/* Of an epoch: order [n_blocks] of the blocks, and in starts where each window begins among them;
 * starts[*n_windows] = n_blocks, it has room for n_blocks + 1. `set` counts the training sets. */
void mpno_feed_order(const mpno_feed *feed, uint64_t seed, int64_t epoch, size_t set,
                     int64_t *order, int64_t *starts, int64_t *n_windows);

#endif
