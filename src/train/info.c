/* SPDX-License-Identifier: MIT
 * mpno_info: what a file holds, or what the machine runs. See mpno/run.h. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/files.h"
#include "core/memory.h"
#include "data/readers.h"
#include "mpno/run.h"
#include "report/human.h"
#include "report/table.h"
#include "train/info_machine.h"
#include "train/sink.h"

static mpno_status put_tensor(mpno_ctx *ctx, const mpno_named_tensor *tensor, mpno_value *map) {
    mpno_value *shape = NULL;
    MPNO_TRY(mpno_value_set_string(ctx, map, "name", tensor->name));
    MPNO_TRY(mpno_value_set_string(ctx, map, "type", mpno_element_name(tensor->element)));
    MPNO_TRY(mpno_value_set_list(ctx, map, "shape", &shape));
    for (int d = 0; d < tensor->ndim; d++)
        MPNO_TRY(mpno_value_append_int(ctx, shape, tensor->shape[d]));
    return MPNO_OK;
}

static mpno_status list_tensors(mpno_ctx *ctx, const mpno_tensor_file *file, mpno_table *table,
                                mpno_value *list) {
    MPNO_TRY(mpno_table_column(table, "tensor", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "type", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "shape", MPNO_LEFT));
    MPNO_TRY(mpno_table_column(table, "size", MPNO_RIGHT));
    for (size_t i = 0; i < file->n; i++) {
        const mpno_named_tensor *tensor = &file->tensors[i];
        mpno_value *entry = NULL;
        char shape[128], bytes[MPNO_HUMAN_CAPACITY];
        MPNO_TRY(mpno_value_map(ctx, &entry));
        mpno_status status = put_tensor(ctx, tensor, entry);
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &entry);
            return status;
        }
        MPNO_TRY(mpno_value_append(ctx, list, entry));
        MPNO_TRY(mpno_table_cell(table, "%s", tensor->name));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_element_name(tensor->element)));
        MPNO_TRY(mpno_table_cell(
            table, "%s", mpno_shape_text(tensor->ndim, tensor->shape, shape, sizeof shape)));
        MPNO_TRY(mpno_table_cell(table, "%s", mpno_human_bytes(tensor->bytes, bytes)));
    }
    return MPNO_OK;
}

/* Texts that a checkpoint carries, as trees where they are JSON. */
static mpno_status put_metadata(mpno_ctx *ctx, const mpno_value *metadata, const mpno_sink *sink,
                                mpno_value *map) {
    static const char *const names[] = {"config", "state"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const mpno_value *text = mpno_value_get(metadata, names[i]);
        mpno_value *tree = NULL;
        char *yaml = NULL;
        if (!text || text->kind != MPNO_VALUE_STRING) continue;
        MPNO_TRY(mpno_json_parse(ctx, names[i], text->string, strlen(text->string), &tree));
        mpno_status status = mpno_yaml_text(ctx, tree, &yaml);
        if (status == MPNO_OK && sink && sink->write) {
            mpno_say(sink, "%s:\n", names[i]);
            sink->write(sink->user, yaml);
        }
        mpno_free(ctx, yaml);
        if (status != MPNO_OK) {
            mpno_value_destroy(ctx, &tree);
            return status;
        }
        MPNO_TRY(mpno_value_set(ctx, map, names[i], tree));
    }
    return MPNO_OK;
}

static mpno_status describe_file(mpno_ctx *ctx, const char *path, const mpno_tensor_file *file,
                                 const mpno_sink *sink, mpno_value *map) {
    const bool ours = mpno_value_get(file->metadata, "state") != NULL;
    const bool weights = mpno_tensor_file_find(file, "lifting.fcs.0.weight") != NULL;
    const char *kind = ours ? "checkpoint" : weights ? "state dict" : "data";
    mpno_value *list = NULL;
    mpno_table *table = NULL;
    MPNO_TRY(mpno_value_set_string(ctx, map, "kind", kind));
    MPNO_TRY(mpno_value_set_string(ctx, map, "path", path));
    MPNO_TRY(mpno_value_set_list(ctx, map, "tensors", &list));
    mpno_say(sink, "%s: %s, %zu tensors\n", path, kind, file->n);
    MPNO_TRY(mpno_table_create(ctx, &table));
    mpno_status status = list_tensors(ctx, file, table, list);
    if (status == MPNO_OK) status = mpno_say_table(ctx, sink, table);
    mpno_table_destroy(&table);
    MPNO_TRY(status);
    return put_metadata(ctx, file->metadata, sink, map);
}

static mpno_status describe_path(mpno_ctx *ctx, const char *path, const mpno_sink *sink,
                                 mpno_value *map) {
    char inside[4096];
    struct stat info;
    mpno_tensor_file *file = NULL;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) { /* a run folder */
        MPNO_TRY(mpno_path_join(ctx, path, "last.safetensors", inside, sizeof inside));
        path = inside;
    }
    MPNO_TRY(mpno_tensor_file_list(ctx, path, NULL, &file));
    mpno_status status = describe_file(ctx, path, file, sink, map);
    mpno_tensor_file_destroy(ctx, &file);
    return status;
}

mpno_status mpno_info(mpno_ctx *ctx, const char *path, const mpno_sink *sink, char **json) {
    mpno_value *map = NULL;
    if (json) *json = NULL;
    MPNO_TRY(mpno_value_map(ctx, &map));
    mpno_status status =
        path ? describe_path(ctx, path, sink, map) : mpno_info_machine(ctx, sink, map);
    if (status == MPNO_OK && json) status = mpno_json_text(ctx, map, false, json);
    mpno_value_destroy(ctx, &map);
    return status;
}
