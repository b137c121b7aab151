/* SPDX-License-Identifier: MIT
 * One walk for one cut of the input, see walk.h. */
#include <math.h>
#include <string.h>

#include "certify/strip/walk.h"
#include "certify/upwards.h"

/* -------- one strip -------- */

static void lose(const mpno_strip_field *f) {
    for (int64_t i = 0; i < 2 * f->channels + 2; i++) f->size[i] = INFINITY;
}

/* Each of the numbers is a bound, and so is the least of those that bound the same; enlarged by
 * what the rule's roundings may have taken. Numbers that are not finite: the strip is lost. */
static void tidy(const mpno_strip_field *f) {
    bool finite = true;
    for (int64_t i = 0; i < 2 * f->channels + 2; i++) {
        f->size[i] *= MPNO_ENLARGED;
        finite = finite && isfinite(f->size[i]);
    }
    if (!finite) {
        lose(f);
        return;
    }
    for (int64_t c = 0; c < f->channels; c++) {
        f->size[c] = fmin(f->size[c], *f->all);
        f->imag[c] = fmin(f->imag[c], fmin(f->size[c], *f->all_imag));
    }
    *f->all = fmin(*f->all, MPNO_ENLARGED * mpno_strip_norm(f->size, f->channels));
    *f->all_imag =
        fmin(fmin(*f->all_imag, *f->all), MPNO_ENLARGED * mpno_strip_norm(f->imag, f->channels));
}

/* Statement D12: the field's coefficients in a ball are those that the run showed, off by what the
 * two networks differ and by aliases; those beyond it fall off as the wider strip says. */
static void anchor(const mpno_strip_walk *w, int edge) {
    const mpno_strip_sight *s = &w->sights[edge];
    const int64_t channels = w->graph->edges[edge].channels;
    const double off = s->off + w->off[edge];
    if (s->sums == NULL || !(off < INFINITY)) return;
    for (int b = 0; b < MPNO_BALLS; b++)
        for (int r = 0; r < MPNO_RADII - 1; r++) {
            const double *by = s->sums + (b * MPNO_RADII + r) * 2 * (channels + 1),
                         *bent = by + channels + 1;
            const mpno_strip_field f = mpno_strip_at(w, edge, r);
            double beyond = INFINITY;
            for (int from = r + 1; from < MPNO_RADII; from++) {
                const double size = *mpno_strip_at(w, edge, from).all;
                if (size < INFINITY) beyond = fmin(beyond, size * w->waves.beyond[b][from][r]);
            }
            const double more = MPNO_ENLARGED * (off * w->waves.noise[b][r] + beyond),
                         curved = MPNO_ENLARGED * (off * w->waves.noise_imag[b][r] + beyond / 2);
            if (!(more < INFINITY && by[channels] < INFINITY)) continue;
            for (int64_t c = 0; c < channels; c++) {
                f.size[c] = fmin(f.size[c], MPNO_ENLARGED * (by[c] + more));
                f.imag[c] = fmin(f.imag[c], MPNO_ENLARGED * (bent[c] + curved));
            }
            *f.all = fmin(*f.all, MPNO_ENLARGED * (by[channels] + more));
            *f.all_imag = fmin(*f.all_imag, MPNO_ENLARGED * (bent[channels] + curved));
        }
}

/* -------- nodes -------- */

static bool lost(const mpno_strip_walk *w, const mpno_node *node, int radius) {
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && w->graph->edges[node->in[i]].kind == MPNO_EDGE_FIELD &&
            !(*mpno_strip_at(w, node->in[i], radius).all < INFINITY))
            return true;
    return false;
}

/* No bound of a narrower strip is above that of a wider one: rules and sums grow with the radius,
 * and with bounds of operands. */
static void strips_of(mpno_strip_walk *w, int index) {
    const mpno_node *node = &w->graph->nodes[index];
    const int edge = node->out[0];
    mpno_strip_rule *rule = mpno_strip_rule_of(node->op);
    bool before = true, after = true;
    if (rule == NULL || w->graph->edges[edge].kind != MPNO_EDGE_FIELD) return;
    for (int r = 0; r < MPNO_RADII; r++) {
        const mpno_strip_field y = mpno_strip_at(w, edge, r);
        const bool gone = lost(w, node, r);
        if (r == 0) before = !gone;
        lose(&y);
        if (gone) continue;
        rule(w, node, r);
        tidy(&y);
    }
    anchor(w, edge);
    for (int r = 0; r < MPNO_RADII; r++) {
        const mpno_strip_field y = mpno_strip_at(w, edge, r);
        if (*y.all < INFINITY) tidy(&y);
    }
    after = *mpno_strip_at(w, edge, 0).all < INFINITY;
    if (before && !after && w->stuck < 0) w->stuck = index;
}

static mpno_strip_block *block_of(mpno_strip_walk *w, const mpno_node *node) {
    for (int l = 0; l < w->n_blocks; l++)
        if (w->blocks[l].forward == node) return &w->blocks[l];
    return NULL;
}

/* Statement D7, at the radius where it is least. */
static void find_delta(mpno_strip_walk *w, mpno_strip_block *b) {
    const int edge = b->forward->in[0];
    b->radius = -1, b->delta = INFINITY;
    for (int r = 0; r < MPNO_RADII; r++) {
        const mpno_strip_field t = mpno_strip_at(w, edge, r);
        if (!(*t.all < INFINITY)) continue;
        const double delta = MPNO_ENLARGED * *t.all * b->gain[r];
        if (!(delta < b->delta)) continue;
        b->radius = r, b->delta = delta, b->size = *t.all, b->imag = *t.all_imag;
    }
}

/* What errors of operands become, without roundings (D13). */
static double passed(const mpno_strip_walk *w, int index, const double *off) {
    const mpno_node *node = &w->graph->nodes[index];
    const mpno_saving *saving = &w->set.savings[index];
    const double all = MPNO_ENLARGED * mpno_set_pass(&w->set, node, off, MPNO_SET_SLOPE),
                 less = saving->edge >= 0 ? saving->less * off[saving->edge] : 0;
    return less < INFINITY ? all - (1 - 1e-9) * less : all;
}

void mpno_strip_walk_along(mpno_strip_walk *w, int cut, double rest) {
    const mpno_strip_sight *x = &w->sights[w->edges->input];
    const int64_t channels = w->graph->edges[w->edges->input].channels;
    w->stuck = -1;
    memset(w->off, 0, (size_t)w->graph->n_edges * sizeof *w->off);
    w->off[w->edges->input] = rest;
    for (int r = 0; r < MPNO_RADII; r++) {
        const mpno_strip_field f = mpno_strip_at(w, w->edges->input, r);
        mpno_strip_weigh(channels, x->shells, cut, w->waves.radius[r], f.size, f.imag);
        tidy(&f);
    }
    for (int n = 0; n < w->graph->n_nodes; n++) {
        const mpno_node *node = &w->graph->nodes[n];
        mpno_strip_block *b = block_of(w, node);
        if (w->graph->edges[node->out[0]].kind == MPNO_EDGE_BLOCKS) continue;
        w->off[node->out[0]] = passed(w, n, w->off);
        if (b != NULL) {
            find_delta(w, b);
            w->off[node->out[0]] += b->delta;
        }
        strips_of(w, n);
    }
}

double mpno_strip_share(mpno_strip_walk *w, int block, double rest) {
    memset(w->off, 0, (size_t)w->graph->n_edges * sizeof *w->off);
    w->off[w->edges->input] = rest;
    for (int n = 0; n < w->graph->n_nodes; n++) {
        const mpno_node *node = &w->graph->nodes[n];
        if (w->graph->edges[node->out[0]].kind == MPNO_EDGE_BLOCKS) continue;
        w->off[node->out[0]] = passed(w, n, w->off);
        if (block >= 0 && w->blocks[block].forward == node)
            w->off[node->out[0]] += w->blocks[block].delta;
    }
    return w->off[w->edges->output];
}
