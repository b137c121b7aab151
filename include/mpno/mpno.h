/* SPDX-License-Identifier: MIT
 * mpno: mixed-precision neural operators. Train one step of a Fourier neural operator:
 *
 *     mpno_ctx *ctx;            mpno_ctx_create(NULL, &ctx);
 *     mpno_fno_config config = MPNO_FNO_CONFIG_INIT;
 *     config.ndim = 2;          config.n_modes[0] = config.n_modes[1] = 8;
 *     config.in_channels = config.out_channels = 1;   config.hidden_channels = 24;
 *     mpno_model *model;        mpno_model_create(ctx, &config, MPNO_F32, 0, &model);
 *     mpno_network_opts opts = MPNO_NETWORK_OPTS_INIT;
 *     opts.grid[0] = opts.grid[1] = 16;  opts.capacity = 64;  opts.training = true;  opts.policy = "mixed";
 *     mpno_network *network;    mpno_network_create(model, &opts, &network);
 *     mpno_optimizer *optimizer;  mpno_optimizer_create(model, NULL, &optimizer);
 *     mpno_step_result result;  mpno_network_step(network, 64, x, y, 1024.0, &result);
 *     mpno_optimizer_step(optimizer, network, 1e-3, 1024.0);
 */
#ifndef MPNO_MPNO_H
#define MPNO_MPNO_H

#include "mpno/advise.h"
#include "mpno/certify.h"
#include "mpno/context.h"
#include "mpno/data.h"
#include "mpno/data_source.h"
#include "mpno/experiment.h"
#include "mpno/format.h"
#include "mpno/generate.h"
#include "mpno/model.h"
#include "mpno/network.h"
#include "mpno/optimizer.h"
#include "mpno/plot.h"
#include "mpno/run.h"
#include "mpno/status.h"
#include "mpno/trained.h"
#include "mpno/tune.h"

#endif
