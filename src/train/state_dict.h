/* SPDX-License-Identifier: MIT
 * State dicts of the PyTorch library neuraloperator (torch.save of FNO.state_dict()): what their
 * `_metadata` entry says of the architecture. */
#ifndef MPNO_TRAIN_STATE_DICT_H
#define MPNO_TRAIN_STATE_DICT_H

#include "core/context.h"
#include "data/tensors.h"
#include "train/config.h"

/* Fills model.* and sets compat: neuralop. A dict without `_metadata` leaves model.* to be given by
 * hand. E_UNSUPPORTED for constructor arguments that this version has no counterpart for, named
 * with their values. */
MPNO_WARN_UNUSED mpno_status mpno_state_dict_settings(mpno_ctx *ctx, const mpno_tensor_file *file,
                                                      mpno_settings *settings);

#endif
