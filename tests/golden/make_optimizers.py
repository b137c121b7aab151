#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/data/optimizers.{txt,bin} and tests/data/lr_schedules.{txt,bin} with PyTorch (2.14.1) and, for the AdamW of
that name, neuraloperator. Usage: PYTHON-WITH-TORCH tests/golden/make_optimizers.py

A line `case NAME KEY=VALUE...` holds the configuration keys under which mpno must give the arrays of that name:
`real NAME` and `complex NAME` are the weights after each step, `average_real`, `average_complex` their averages where
opt.ema_decay asks for them; `rates NAME` are learning rates of epochs, `metrics NAME` what the plateau was fed with."""
import math
from pathlib import Path

import torch
from torch.optim import lr_scheduler as lr
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

OUT = Path(__file__).resolve().parent.parent / "data"
STEPS, REAL, COMPLEX, EPOCHS = 10, 24, 16, 100


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al., "Symbolic discovery of optimization algorithms" (2023), on real views."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for param in group["params"]:
                p, g = (torch.view_as_real(t) if t.is_complex() else t for t in (param, param.grad))
                m = self.state[param].setdefault("exp_avg", torch.zeros_like(p))
                update = torch.sign(beta1 * m + (1 - beta1) * g)
                p.sub_(group["lr"] * (update + group["weight_decay"] * p))
                m.copy_(beta2 * m + (1 - beta2) * g)


def neuralop_adamw(params):
    from neuralop.training import AdamW
    return AdamW(params, lr=1e-2, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.1)


RATE = "opt.learning_rate=0.01"
ADAM = {"lr": 1e-2, "betas": (0.9, 0.95), "eps": 1e-7}
ADAM_KEYS = f"{RATE} opt.beta2=0.95 opt.eps=1e-7"
# name: (keys, optimiser of parameters)
OPTIMIZERS = {
    "adamw": (f"opt.optimizer=adamw {ADAM_KEYS} opt.weight_decay=0.1",
              lambda p: torch.optim.AdamW(p, **ADAM, weight_decay=0.1)),
    "adamw_amsgrad": (f"opt.optimizer=adamw {ADAM_KEYS} opt.weight_decay=0.1 opt.amsgrad=true",
                      lambda p: torch.optim.AdamW(p, **ADAM, weight_decay=0.1, amsgrad=True)),
    "adamw_neuralop": (f"opt.optimizer=adamw opt.convention=neuralop {RATE} opt.beta2=0.95 opt.weight_decay=0.1",
                       neuralop_adamw),
    "adam": (f"opt.optimizer=adam {ADAM_KEYS} opt.weight_decay=0",
             lambda p: torch.optim.Adam(p, **ADAM)),
    "adam_decay": (f"opt.optimizer=adam {ADAM_KEYS} opt.weight_decay=0.1",
                   lambda p: torch.optim.Adam(p, **ADAM, weight_decay=0.1)),
    "adam_amsgrad": (f"opt.optimizer=adam {ADAM_KEYS} opt.weight_decay=0.1 opt.amsgrad=true",
                     lambda p: torch.optim.Adam(p, **ADAM, weight_decay=0.1, amsgrad=True)),
    "sgd": (f"opt.optimizer=sgd {RATE} opt.weight_decay=0.1",
            lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=0.1)),
    "sgd_momentum": (f"opt.optimizer=sgd {RATE} opt.momentum=0.9 opt.weight_decay=0.1",
                     lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, weight_decay=0.1)),
    "sgd_dampening": (f"opt.optimizer=sgd {RATE} opt.momentum=0.9 opt.dampening=0.4 opt.weight_decay=0",
                      lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, dampening=0.4)),
    "sgd_nesterov": (f"opt.optimizer=sgd {RATE} opt.momentum=0.9 opt.nesterov=true opt.weight_decay=0.1",
                     lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True, weight_decay=0.1)),
    "lion": (f"opt.optimizer=lion {RATE} opt.weight_decay=0.1",
             lambda p: Lion(p, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1)),
    "clip_norm": (f"opt.optimizer=sgd {RATE} opt.weight_decay=0.1 opt.grad_clip_norm=6",
                  lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=0.1)),
    "clip_value": (f"opt.optimizer=sgd {RATE} opt.weight_decay=0.1 opt.grad_clip_value=0.7",
                   lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=0.1)),
    "average": (f"opt.optimizer=sgd {RATE} opt.momentum=0.9 opt.weight_decay=0 opt.ema_decay=0.8",
                lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9)),
}

WARM = dict(start_factor=0.2, total_iters=7)
WARM_KEYS = "opt.warmup_start=0.2"
# name: (keys, schedule of an optimiser with the rate 0.01)
SCHEDULES = {
    "none": ("opt.scheduler=none", lambda o: lr.ConstantLR(o, factor=1)),
    "step": ("opt.scheduler=step opt.step_size=7 opt.gamma=0.8", lambda o: lr.StepLR(o, 7, 0.8)),
    "multistep": ("opt.scheduler=multistep opt.milestones=[3,40,41,77] opt.gamma=0.3",
                  lambda o: lr.MultiStepLR(o, [3, 40, 41, 77], 0.3)),
    "cosine": ("opt.scheduler=cosine opt.t_max=30 opt.eta_min=1e-4",
               lambda o: lr.CosineAnnealingLR(o, 30, 1e-4)),
    "cosine_whole": ("opt.scheduler=cosine", lambda o: lr.CosineAnnealingLR(o, EPOCHS)),
    "restarts": ("opt.scheduler=cosine_restarts opt.t_0=9 opt.eta_min=1e-4",
                 lambda o: lr.CosineAnnealingWarmRestarts(o, 9, 1, 1e-4)),
    "restarts_growing": ("opt.scheduler=cosine_restarts opt.t_0=5 opt.t_mult=2",
                         lambda o: lr.CosineAnnealingWarmRestarts(o, 5, 2)),
    "exponential": ("opt.scheduler=exponential opt.gamma=0.97", lambda o: lr.ExponentialLR(o, 0.97)),
    "plateau": ("opt.scheduler=plateau opt.gamma=0.5 opt.patience=2",
                lambda o: lr.ReduceLROnPlateau(o, factor=0.5, patience=2)),
    "plateau_cooldown": ("opt.scheduler=plateau opt.gamma=0.5 opt.patience=1 opt.cooldown=4 opt.min_lr=1e-3"
                         " opt.threshold=0.02 opt.threshold_mode=abs",
                         lambda o: lr.ReduceLROnPlateau(o, factor=0.5, patience=1, cooldown=4, min_lr=1e-3,
                                                        threshold=0.02, threshold_mode="abs")),
    "plateau_max": ("opt.scheduler=plateau opt.gamma=0.9 opt.patience=0 opt.plateau_mode=max opt.threshold=0.01",
                    lambda o: lr.ReduceLROnPlateau(o, mode="max", factor=0.9, patience=0, threshold=0.01)),
    "plateau_max_abs": ("opt.scheduler=plateau opt.gamma=0.9 opt.patience=5 opt.plateau_mode=max opt.threshold=0.01"
                        " opt.threshold_mode=abs",
                        lambda o: lr.ReduceLROnPlateau(o, mode="max", factor=0.9, patience=5, threshold=0.01,
                                                       threshold_mode="abs")),
    "warm_cosine": (f"opt.scheduler=cosine opt.warmup_epochs=7 {WARM_KEYS}",
                    lambda o: lr.SequentialLR(o, [lr.LinearLR(o, **WARM), lr.CosineAnnealingLR(o, EPOCHS - 7)], [7])),
    "warm_step": (f"opt.scheduler=step opt.step_size=10 opt.gamma=0.5 opt.warmup_epochs=7 {WARM_KEYS}",
                  lambda o: lr.SequentialLR(o, [lr.LinearLR(o, **WARM), lr.StepLR(o, 10, 0.5)], [7])),
    "warm_restarts": (f"opt.scheduler=cosine_restarts opt.t_0=11 opt.t_mult=2 opt.warmup_epochs=7 {WARM_KEYS}",
                      lambda o: lr.SequentialLR(o, [lr.LinearLR(o, **WARM),
                                                    lr.CosineAnnealingWarmRestarts(o, 11, 2)], [7])),
    "warm_by_steps": (f"opt.scheduler=step opt.step_size=3 opt.gamma=0.9 opt.warmup_steps=7 {WARM_KEYS}",
                      lambda o: lr.ChainedScheduler([lr.LinearLR(o, **WARM), lr.StepLR(o, 3, 0.9)], o)),
    "warm_third": ("opt.scheduler=none opt.warmup_epochs=5", lambda o: lr.LinearLR(o, total_iters=5)),
}


class Index:
    """A pair of files: lines of text over raw f64 numbers."""

    def __init__(self, name, title):
        self.path, self.lines, self.data = OUT / name, [f"# {title}"], b""

    def case(self, name, keys):
        self.lines.append(f"case {name} {keys}")

    def add(self, kind, name, tensor):
        raw = torch.view_as_real(tensor.contiguous()) if tensor.is_complex() else tensor.contiguous()
        content = raw.detach().numpy().astype("<f8").tobytes()
        kind_of = "c128" if tensor.is_complex() else "f64"
        self.lines.append(f"{kind} {name} {kind_of} {len(self.data)} {len(content)} {' '.join(map(str, tensor.shape))}")
        self.data += content

    def write(self):
        self.path.with_suffix(".txt").write_text("\n".join(self.lines) + "\n")
        self.path.with_suffix(".bin").write_bytes(self.data)


class Weights(torch.nn.Module):
    """One real and one complex parameter."""

    def __init__(self, real, cplx):
        super().__init__()
        self.real, self.cplx = torch.nn.Parameter(real.clone()), torch.nn.Parameter(cplx.clone())


def clip(name, model):
    if name == "clip_norm":
        torch.nn.utils.clip_grad_norm_(model.parameters(), 6)
    if name == "clip_value":  # PyTorch has none for complex numbers: their real view
        for p in model.parameters():
            (torch.view_as_real(p.grad) if p.is_complex() else p.grad).clamp_(-0.7, 0.7)


def trajectories():
    torch.manual_seed(0)
    index = Index("optimizers", f"{STEPS} steps of optimisers, by tests/golden/make_optimizers.py")
    start = torch.randn(REAL, dtype=torch.float64), torch.randn(COMPLEX, dtype=torch.complex128)
    gradients = torch.randn(STEPS, REAL, dtype=torch.float64), torch.randn(STEPS, COMPLEX, dtype=torch.complex128)
    index.add("input", "real", start[0])
    index.add("input", "complex", start[1])
    index.add("input", "gradients_real", gradients[0])
    index.add("input", "gradients_complex", gradients[1])
    for name, (keys, make) in OPTIMIZERS.items():
        model = Weights(*start)
        optimizer = make(list(model.parameters()))
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8))
        after = {"real": [], "complex": [], "average_real": [], "average_complex": []}
        for k in range(STEPS):
            model.real.grad, model.cplx.grad = gradients[0][k].clone(), gradients[1][k].clone()
            clip(name, model)
            optimizer.step()
            average.update_parameters(model)
            for kind, tensor in zip(after, (model.real, model.cplx, average.module.real, average.module.cplx)):
                after[kind].append(tensor.detach().clone())
        index.case(name, keys)
        for kind, steps in after.items():
            if "opt.ema_decay" in keys or not kind.startswith("average"):
                index.add(kind, name, torch.stack(steps))
    index.write()


def schedules():
    torch.manual_seed(1)
    index = Index("lr_schedules", f"learning rates of {EPOCHS} epochs, by tests/golden/make_optimizers.py")
    noise = torch.rand(EPOCHS, dtype=torch.float64)
    metrics = torch.tensor([math.exp(-e / 30) for e in range(EPOCHS)], dtype=torch.float64) * (0.9 + 0.2 * noise)
    for name, (keys, make) in SCHEDULES.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-2)
        schedule = make(optimizer)
        fed = 1.5 - metrics if "max" in name else metrics
        rates = []
        for epoch in range(EPOCHS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step(*([fed[epoch]] if name.startswith("plateau") else []))
        index.case(name, f"{keys} opt.n_epochs={EPOCHS} {RATE}")
        index.add("rates", name, torch.tensor(rates, dtype=torch.float64))
        if name.startswith("plateau"):
            index.add("metrics", name, fed)
    index.write()


if __name__ == "__main__":
    trajectories()
    schedules()
