/* SPDX-License-Identifier: MIT
 * State dicts in other namings than today's: the scripts of Li et al. (2020), NVIDIA's PhysicsNeMo,
 * and the library neuraloperator up to release 0.3.0. Their blocks are gelu(K x + W x + b), with
 * one activation where ours have two and an MLP; see foreign.c for how ours computes the same. */
#ifndef MPNO_TRAIN_FOREIGN_H
#define MPNO_TRAIN_FOREIGN_H

#include "core/context.h"
#include "data/tensors.h"
#include "train/config.h"

bool mpno_foreign_naming(const mpno_tensor_file *file);
/* Replaces the tensors (*file, of such a naming) by those of a model of ours that computes the
 * same, and fills settings->model. overrides (may be NULL) must say what the file does not: with
 * coordinates that end at 1 model.grid_boundaries, and model.non_linearity. E_UNSUPPORTED with the
 * reason for what ours cannot compute, E_FORMAT for tensors that do not fit together. */
MPNO_WARN_UNUSED mpno_status mpno_foreign_convert(mpno_ctx *ctx, const mpno_config *overrides,
                                                  mpno_settings *settings, mpno_tensor_file **file);

#endif
