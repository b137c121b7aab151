/* SPDX-License-Identifier: MIT
 * Mapped files, atomic writing (also on a disk that fills up), appending, folders and paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "core/memory.h"

static mpno_ctx *ctx;
static char folder[64];

static const char *in_folder(const char *name) {
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];
    assert_int_equal(mpno_path_join(ctx, folder, name, path, sizeof paths[0]), MPNO_OK);
    return path;
}

static int setup(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/mpno-test-files-XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    return mpno_ctx_create(NULL, &ctx);
}

static int entries(void) {
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) n += entry->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

/* Fails when a test left a byte allocated; removes the files it left. */
static int teardown(void **state) {
    (void)state;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)remove(in_folder(entry->d_name));
        }
    }
    (void)closedir(dir);
    int left = rmdir(folder);
    size_t held = mpno_ctx_bytes(ctx);
    mpno_ctx_destroy(&ctx);
    return left == 0 && held == 0 ? 0 : -1;
}

static void assert_content(const char *path, const void *data, size_t n) {
    mpno_mapping map;
    assert_int_equal(mpno_map_open(ctx, path, &map), MPNO_OK);
    assert_int_equal(map.size, n);
    assert_non_null(map.data);
    if (n > 0) assert_memory_equal(map.data, data, n);
    mpno_map_close(&map);
    assert_null(map.data);
}

static void assert_says(const char *first, const char *second) {
    const char *sentence = mpno_ctx_error(ctx);
    if (strstr(sentence, first) == NULL || strstr(sentence, second) == NULL) {
        fail_msg("'%s' does not say '%s' and '%s'", sentence, first, second);
    }
}

static void written_bytes_come_back(void **state) {
    (void)state;
    const char *path = in_folder("data");
    const size_t n = 300000;
    unsigned char *data;
    assert_int_equal(mpno_alloc(ctx, n, &data), MPNO_OK);
    for (size_t i = 0; i < n; i++) data[i] = (unsigned char)(i * 31 + i / 251);
    const size_t sizes[] = {0, 1, 65535, 65536, 65537, n};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(mpno_file_write_atomic(ctx, path, data, sizes[i]), MPNO_OK);
        assert_content(path, data, sizes[i]);
    }
    mpno_writer *writer; /* pieces of many lengths, around the size of the buffer */
    assert_int_equal(mpno_writer_open(ctx, path, &writer), MPNO_OK);
    for (size_t at = 0, piece = 1; at < n; at += piece, piece = piece * 3 + 1) {
        if (piece > n - at) piece = n - at;
        assert_int_equal(mpno_writer_write(writer, data + at, piece), MPNO_OK);
    }
    assert_int_equal(mpno_writer_commit(&writer), MPNO_OK);
    assert_null(writer);
    assert_content(path, data, n);
    assert_int_equal(entries(), 1);
    mpno_free(ctx, data);
}

static void old_file_stays_until_commit(void **state) {
    (void)state;
    const char *path = in_folder("model");
    mpno_writer *writer;
    assert_int_equal(mpno_file_write_atomic(ctx, path, "old", 3), MPNO_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(mpno_writer_open(ctx, path, &writer), MPNO_OK);
    assert_int_equal(mpno_writer_write(writer, "newer", 5), MPNO_OK);
    assert_content(path, "old", 3);
    mpno_writer_abandon(&writer);
    assert_null(writer);
    mpno_writer_abandon(&writer);
    mpno_writer_abandon(NULL);
    assert_content(path, "old", 3);
    assert_int_equal(entries(), 1);
    assert_int_equal(mpno_file_write_atomic(ctx, path, "newer", 5), MPNO_OK);
    assert_content(path, "newer", 5);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

static void stale_temporary_files_do_not_stop_a_writer(void **state) {
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof name, "log.tmp-%ld", (long)getpid());
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder(name), "stale", 5), MPNO_OK);
    mpno_writer *a,
        *b; /* nor do two writers of one name disturb each other: the later commit wins */
    assert_int_equal(mpno_writer_open(ctx, in_folder("log"), &a), MPNO_OK);
    assert_int_equal(mpno_writer_open(ctx, in_folder("log"), &b), MPNO_OK);
    assert_int_equal(mpno_writer_write(a, "aa", 2), MPNO_OK);
    assert_int_equal(mpno_writer_write(b, "b", 1), MPNO_OK);
    assert_int_equal(mpno_writer_commit(&b), MPNO_OK);
    assert_content(in_folder("log"), "b", 1);
    assert_int_equal(mpno_writer_commit(&a), MPNO_OK);
    assert_content(in_folder("log"), "aa", 2);
    assert_content(in_folder(name), "stale", 5);
    assert_int_equal(entries(), 2);
}

static void links_are_followed_and_devices_refused(void **state) {
    (void)state;
    struct stat info;
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder("real"), "1", 1), MPNO_OK);
    assert_int_equal(symlink("real", in_folder("link")), 0);
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder("link"), "22", 2), MPNO_OK);
    assert_content(in_folder("real"), "22", 2);
    assert_int_equal(lstat(in_folder("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder("pipe"), "x", 1), MPNO_E_IO);
    assert_says("pipe'", "name a file");
    mpno_mapping map;
    assert_int_equal(mpno_map_open(ctx, in_folder("pipe"), &map), MPNO_E_IO);
    assert_says("pipe'", "not a regular file");
    assert_int_equal(mpno_map_open(ctx, folder, &map), MPNO_E_IO);
    assert_null(map.data);
    assert_int_equal(mpno_file_write_atomic(ctx, folder, "x", 1), MPNO_E_IO);
    assert_says(folder, "name a file, not a folder");
}

/* The tests may run as root, whom permissions do not stop: a missing folder and a path below a file
 * do. */
static void impossible_places_are_reported(void **state) {
    (void)state;
    mpno_mapping map;
    assert_int_equal(mpno_map_open(ctx, in_folder("none"), &map), MPNO_E_IO);
    assert_says("none'", "No such file");
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder("none/file"), "x", 1), MPNO_E_IO);
    assert_says("none/file'", "create the folder");
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder("plain"), "x", 1), MPNO_OK);
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder("plain/file"), "x", 1), MPNO_E_IO);
    assert_says("plain/file'", "is a file");
    assert_int_equal(mpno_folder_create(ctx, in_folder("plain")), MPNO_E_IO);
    assert_int_equal(mpno_folder_create(ctx, in_folder("plain/deep/er")), MPNO_E_IO);
    assert_says("plain/deep/er'", "is a file");
    assert_int_equal(mpno_file_append(ctx, in_folder("none/log"), "x"), MPNO_E_IO);
    assert_says("none/log'", "No such file");
    assert_int_equal(mpno_file_write_atomic(ctx, "", "x", 1), MPNO_E_IO);
    char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(mpno_file_write_atomic(ctx, longest, "x", 1), MPNO_E_IO);
    assert_int_equal(mpno_folder_create(ctx, longest), MPNO_E_IO);
    longest[250] = '\0'; /* fits, but not with the suffix of the temporary name */
    assert_int_equal(mpno_file_write_atomic(ctx, in_folder(longest), "x", 1), MPNO_E_IO);
    assert_says("xxx", "shorter");
}

/* A limit on the size of files stands in for a full disk: the same calls fail, after a part was
 * written. */
static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_leaves_the_old_file(void **state) {
    (void)state;
    const char *path = in_folder("checkpoint");
    const size_t n = 200000;
    char *data;
    mpno_writer *writer;
    assert_int_equal(mpno_alloc(ctx, n, &data), MPNO_OK);
    assert_int_equal(mpno_file_write_atomic(ctx, path, "old", 3), MPNO_OK);
    limit_file_size(100000);
    mpno_status at_once = mpno_file_write_atomic(ctx, path, data, n);
    mpno_status opened = mpno_writer_open(ctx, path, &writer);
    mpno_status first = mpno_writer_write(writer, data, 65536);
    mpno_status second = mpno_writer_write(writer, data, 65536); /* flushes the first, fits */
    mpno_status third = mpno_writer_write(writer, data, 65536);  /* flushes the second: too much */
    mpno_status after = mpno_writer_write(writer, data, 1);
    mpno_status commit = mpno_writer_commit(&writer);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(at_once, MPNO_E_IO);
    assert_int_equal(opened, MPNO_OK);
    assert_int_equal(first, MPNO_OK);
    assert_int_equal(second, MPNO_OK);
    assert_int_equal(third, MPNO_E_IO);
    assert_int_equal(after, MPNO_E_IO);
    assert_int_equal(commit, MPNO_E_IO);
    assert_null(writer);
    assert_content(path, "old", 3);
    assert_int_equal(entries(), 1);

    limit_file_size(1000); /* found out at commit only: all of it was in the buffer */
    opened = mpno_writer_open(ctx, path, &writer);
    first = mpno_writer_write(writer, data, 2000);
    commit = mpno_writer_commit(&writer);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(opened, MPNO_OK);
    assert_int_equal(first, MPNO_OK);
    assert_int_equal(commit, MPNO_E_IO);
    assert_says("checkpoint'", "free some space");
    assert_content(path, "old", 3);
    assert_int_equal(entries(), 1);
    mpno_free(ctx, data);
}

static void appended_lines_are_whole(void **state) {
    (void)state;
    const char *path = in_folder("log");
    assert_int_equal(mpno_file_append(ctx, path, "one"), MPNO_OK);
    assert_int_equal(mpno_file_append(ctx, path, "two\n"), MPNO_OK);
    assert_int_equal(mpno_file_append(ctx, path, ""), MPNO_OK);
    assert_content(path, "one\ntwo\n\n", 9);
    limit_file_size(12);
    mpno_status full = mpno_file_append(ctx, path, "three");
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(full, MPNO_E_IO);
    assert_says("log'", "free some space");
    assert_content(path, "one\ntwo\n\n", 9); /* not "thr" */
}

static void folders_and_paths(void **state) {
    (void)state;
    assert_int_equal(mpno_folder_create(ctx, in_folder("a/b//c/")), MPNO_OK);
    assert_int_equal(mpno_folder_create(ctx, in_folder("a/b/c")), MPNO_OK);
    assert_true(mpno_path_exists(in_folder("a/b/c")));
    assert_false(mpno_path_exists(in_folder("a/b/d")));
    char other[256];
    snprintf(other, sizeof other, "%s", in_folder("a/b/../b/c"));
    assert_true(mpno_path_same(in_folder("a/b/c"), other));
    assert_false(mpno_path_same(in_folder("a/b"), other));
    assert_false(mpno_path_same(in_folder("a/b/d"), other));
    assert_true(mpno_path_same("nowhere", "nowhere"));
    assert_int_equal(mpno_folder_create(ctx, "/"), MPNO_OK);
    assert_int_equal(mpno_folder_create(ctx, ""), MPNO_E_IO);
    assert_int_equal(rmdir(in_folder("a/b/c")) + rmdir(in_folder("a/b")), 0);

    char out[16];
    static const char *const joins[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"a", "/b", "/b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        assert_int_equal(mpno_path_join(ctx, joins[i][0], joins[i][1], out, sizeof out), MPNO_OK);
        assert_string_equal(out, joins[i][2]);
    }
    assert_int_equal(mpno_path_join(ctx, "1234567", "89012345", out, sizeof out), MPNO_E_ARGUMENT);
    assert_int_equal(mpno_path_join(ctx, "1234567", "8901234", out, sizeof out), MPNO_OK);
    static const char *const parents[][2] = {
        {"a/b", "a"}, {"b", "."}, {"/b", "/"}, {"a/b/c", "a/b"}, {"/a/b", "/a"}};
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++) {
        mpno_path_folder(parents[i][0], out, sizeof out);
        assert_string_equal(out, parents[i][1]);
    }
}

/* Every allocation fails once: a status, nothing left in memory or on the disk. */
static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    for (int64_t n = 0;; n++) {
        mpno_alloc_fail_after(ctx, n);
        mpno_status written = mpno_file_write_atomic(ctx, in_folder("file"), "x", 1);
        mpno_status appended =
            written == MPNO_OK ? mpno_file_append(ctx, in_folder("file"), "y") : written;
        mpno_alloc_fail_after(ctx, -1);
        assert_int_equal(mpno_ctx_bytes(ctx), 0);
        if (appended == MPNO_OK) break;
        assert_int_equal(appended, MPNO_E_MEMORY);
        assert_true(n < 10);
    }
    assert_content(in_folder("file"), "xy\n", 3);
    assert_int_equal(entries(), 1);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    (void)signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit shall fail, not kill */
    const struct CMUnitTest tests[] = {
        IN_FOLDER(written_bytes_come_back),
        IN_FOLDER(old_file_stays_until_commit),
        IN_FOLDER(stale_temporary_files_do_not_stop_a_writer),
        IN_FOLDER(links_are_followed_and_devices_refused),
        IN_FOLDER(impossible_places_are_reported),
        IN_FOLDER(full_disk_leaves_the_old_file),
        IN_FOLDER(appended_lines_are_whole),
        IN_FOLDER(folders_and_paths),
        IN_FOLDER(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
