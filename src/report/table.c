/* SPDX-License-Identifier: MIT
 * A column is as wide as its widest text. Columns are counted in UTF-8 code points. */
#include "report/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

struct mpno_table {
    mpno_ctx *ctx;
    size_t n_columns, n_cells, capacity;
    struct column {
        char *heading; /* owned */
        mpno_align align;
    } * columns; /* owned */
    struct cell {
        char *text; /* owned; NULL: empty */
        bool rule;  /* first cell of a row: a rule stands before it */
    } * cells;      /* owned */
    bool rule_next;
};

mpno_status mpno_table_create(mpno_ctx *ctx, mpno_table **out) {
    *out = NULL;
    mpno_table *table;
    MPNO_TRY(mpno_alloc(ctx, sizeof *table, &table));
    table->ctx = ctx;
    *out = table;
    return MPNO_OK;
}

void mpno_table_destroy(mpno_table **in_out) {
    if (!in_out || !*in_out) return;
    mpno_table *table = *in_out;
    mpno_ctx *ctx = table->ctx;
    for (size_t i = 0; i < table->n_columns; i++) mpno_free(ctx, table->columns[i].heading);
    for (size_t i = 0; i < table->n_cells; i++) mpno_free(ctx, table->cells[i].text);
    mpno_free(ctx, table->columns);
    mpno_free(ctx, table->cells);
    mpno_free(ctx, table);
    *in_out = NULL;
}

static void break_no_lines(char *text) {
    for (; *text; text++)
        if (*text == '\n' || *text == '\r') *text = ' ';
}

mpno_status mpno_table_column(mpno_table *table, const char *heading, mpno_align align) {
    mpno_ctx *ctx = table->ctx;
    MPNO_CHECK(ctx, table->n_cells == 0, MPNO_E_ARGUMENT,
               "column '%s' comes after the first cell; describe all columns before filling rows",
               heading);
    char *copy;
    MPNO_TRY(mpno_strdup(ctx, heading, &copy));
    size_t n = table->n_columns;
    mpno_status status = mpno_realloc_array(ctx, &table->columns, n, n + 1, sizeof *table->columns);
    if (status != MPNO_OK) {
        mpno_free(ctx, copy);
        return status;
    }
    break_no_lines(copy);
    table->columns[n] = (struct column){copy, align};
    table->n_columns = n + 1;
    return MPNO_OK;
}

/* takes `text`, even on error */
static mpno_status add_cell(mpno_table *table, char *text) {
    mpno_status status = MPNO_OK;
    if (table->n_columns == 0)
        status = mpno_fail(table->ctx, MPNO_E_ARGUMENT,
                           "a table without columns has no cells; call mpno_table_column first");
    else if (table->n_cells == table->capacity) {
        size_t capacity = 2 * table->capacity + 16;
        status = mpno_realloc_array(table->ctx, &table->cells, table->capacity, capacity,
                                    sizeof *table->cells);
        if (status == MPNO_OK) table->capacity = capacity;
    }
    if (status != MPNO_OK) {
        mpno_free(table->ctx, text);
        return status;
    }
    if (text) break_no_lines(text);
    bool rule = table->rule_next && table->n_cells % table->n_columns == 0;
    if (rule) table->rule_next = false;
    table->cells[table->n_cells++] = (struct cell){text, rule};
    return MPNO_OK;
}

mpno_status mpno_table_cell(mpno_table *table, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = NULL;
    mpno_status status =
        n < 0 ? mpno_fail(table->ctx, MPNO_E_ARGUMENT, "cell format '%s' cannot be printed", format)
              : mpno_alloc(table->ctx, (size_t)n + 1, &text);
    if (status == MPNO_OK) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return status == MPNO_OK ? add_cell(table, text) : status;
}

mpno_status mpno_table_end_row(mpno_table *table) {
    while (table->n_columns && table->n_cells % table->n_columns != 0)
        MPNO_TRY(add_cell(table, NULL));
    return MPNO_OK;
}

mpno_status mpno_table_rule(mpno_table *table) {
    MPNO_TRY(mpno_table_end_row(table));
    table->rule_next = true;
    return MPNO_OK;
}

/* What a rule and a row are made of. */
struct strokes {
    const char *across, *bar;
    const char *left[3], *cross[3], *right[3]; /* of the top, middle and bottom rule */
};

static const struct strokes ascii_strokes = {
    "-", "|", {"+", "+", "+"}, {"+", "+", "+"}, {"+", "+", "+"}};
static const struct strokes box_strokes = {"\u2500",
                                           "\u2502",
                                           {"\u250c", "\u251c", "\u2514"},
                                           {"\u252c", "\u253c", "\u2534"},
                                           {"\u2510", "\u2524", "\u2518"}};

struct drawing {
    const mpno_table *table;
    mpno_text *out;
    mpno_table_style style;
    const size_t *widths;
};

/* Code points; in Markdown a bar is written as two characters. */
static size_t width_of(const char *text, mpno_table_style style) {
    size_t n = 0;
    for (; text && *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
        n += style == MPNO_TABLE_MARKDOWN && *text == '|';
    }
    return n;
}

static mpno_status draw_rule(const struct drawing *drawing, int place) {
    const struct strokes *strokes =
        drawing->style == MPNO_TABLE_BOX ? &box_strokes : &ascii_strokes;
    mpno_text *out = drawing->out;
    for (size_t c = 0; c < drawing->table->n_columns; c++) {
        MPNO_TRY(mpno_text_add(out, "%s", c ? strokes->cross[place] : strokes->left[place]));
        for (size_t i = 0; i < drawing->widths[c] + 2; i++)
            MPNO_TRY(mpno_text_add(out, "%s", strokes->across));
    }
    return mpno_text_add(out, "%s\n", strokes->right[place]);
}

/* "| :--- | ---: | :---: |" */
static mpno_status draw_markdown_rule(const struct drawing *drawing) {
    mpno_text *out = drawing->out;
    for (size_t c = 0; c < drawing->table->n_columns; c++) {
        mpno_align align = drawing->table->columns[c].align;
        MPNO_TRY(mpno_text_add(out, "| %c", align == MPNO_RIGHT ? '-' : ':'));
        for (size_t i = 2; i < drawing->widths[c]; i++) MPNO_TRY(mpno_text_add(out, "-"));
        MPNO_TRY(mpno_text_add(out, "%c ", align == MPNO_LEFT ? '-' : ':'));
    }
    return mpno_text_add(out, "|\n");
}

static mpno_status draw_cell(const struct drawing *drawing, size_t column, const char *text) {
    mpno_text *out = drawing->out;
    mpno_align align = drawing->table->columns[column].align;
    size_t space = drawing->widths[column] - width_of(text, drawing->style);
    size_t before = align == MPNO_LEFT ? 0 : align == MPNO_RIGHT ? space : space / 2;
    MPNO_TRY(mpno_text_add_spaces(out, before));
    for (const char *p = text; p && *p; p++) {
        if (drawing->style == MPNO_TABLE_MARKDOWN && *p == '|')
            MPNO_TRY(mpno_text_add_bytes(out, "\\", 1));
        MPNO_TRY(mpno_text_add_bytes(out, p, 1));
    }
    return mpno_text_add_spaces(out, space - before);
}

/* cells NULL: the headings */
static mpno_status draw_row(const struct drawing *drawing, const struct cell *cells, size_t n) {
    const char *bar = drawing->style == MPNO_TABLE_BOX ? box_strokes.bar : ascii_strokes.bar;
    const mpno_table *table = drawing->table;
    for (size_t c = 0; c < table->n_columns; c++) {
        MPNO_TRY(mpno_text_add(drawing->out, "%s ", bar));
        MPNO_TRY(draw_cell(drawing, c,
                           !cells  ? table->columns[c].heading
                           : c < n ? cells[c].text
                                   : NULL));
        MPNO_TRY(mpno_text_add(drawing->out, " "));
    }
    return mpno_text_add(drawing->out, "%s\n", bar);
}

static mpno_status draw(const struct drawing *drawing) {
    const mpno_table *table = drawing->table;
    bool markdown = drawing->style == MPNO_TABLE_MARKDOWN;
    if (!markdown) MPNO_TRY(draw_rule(drawing, 0));
    MPNO_TRY(draw_row(drawing, NULL, 0));
    MPNO_TRY(markdown ? draw_markdown_rule(drawing) : draw_rule(drawing, 1));
    for (size_t i = 0; i < table->n_cells; i += table->n_columns) {
        if (!markdown && i > 0 && table->cells[i].rule) MPNO_TRY(draw_rule(drawing, 1));
        MPNO_TRY(draw_row(drawing, table->cells + i, table->n_cells - i));
    }
    return markdown ? MPNO_OK : draw_rule(drawing, 2);
}

static mpno_status html_row(const mpno_table *table, const char *tag, const struct cell *cells,
                            size_t n, mpno_text *out) {
    MPNO_TRY(mpno_text_add(out, "<tr>"));
    for (size_t c = 0; c < table->n_columns; c++) {
        const char *text = !cells ? table->columns[c].heading : c < n ? cells[c].text : NULL;
        MPNO_TRY(mpno_text_add(out, "<%s class=\"%c\">", tag, "lrc"[table->columns[c].align]));
        MPNO_TRY(mpno_text_add_html(out, text ? text : ""));
        MPNO_TRY(mpno_text_add(out, "</%s>", tag));
    }
    return mpno_text_add(out, "</tr>\n");
}

static mpno_status html(const mpno_table *table, mpno_text *out) {
    MPNO_TRY(mpno_text_add(out, "<div class=\"scroll\"><table>\n<thead>"));
    MPNO_TRY(html_row(table, "th", NULL, 0, out));
    MPNO_TRY(mpno_text_add(out, "</thead>\n<tbody>"));
    for (size_t i = 0; i < table->n_cells; i += table->n_columns)
        MPNO_TRY(html_row(table, "td", table->cells + i, table->n_cells - i, out));
    return mpno_text_add(out, "</tbody>\n</table></div>\n");
}

mpno_status mpno_table_text(const mpno_table *table, mpno_table_style style, mpno_text *out) {
    mpno_ctx *ctx = table->ctx;
    MPNO_CHECK(ctx, table->n_columns > 0, MPNO_E_ARGUMENT,
               "a table without columns cannot be drawn; call mpno_table_column first");
    if (style == MPNO_TABLE_HTML) return html(table, out);
    size_t *widths = NULL;
    MPNO_TRY(mpno_alloc_array(ctx, table->n_columns, sizeof *widths, &widths));
    for (size_t c = 0; c < table->n_columns; c++) {
        widths[c] = width_of(table->columns[c].heading, style);
        if (style == MPNO_TABLE_MARKDOWN && widths[c] < 3) widths[c] = 3;
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t width = width_of(table->cells[i].text, style), c = i % table->n_columns;
        if (width > widths[c]) widths[c] = width;
    }
    struct drawing drawing = {table, out, style, widths};
    mpno_status status = draw(&drawing);
    mpno_free(ctx, widths);
    return status;
}
