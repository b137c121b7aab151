/* SPDX-License-Identifier: MIT
 * Whole files in, atomic files out, folders. A file appears under its name only when every byte of
 * it is on the disk: bytes go to a temporary file in the same folder (a rename does not cross file
 * systems), which is flushed with fsync, renamed over the name, and made permanent by fsync of the
 * folder. */
#include "core/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"

enum { PATH_CAPACITY = PATH_MAX, BUFFER_BYTES = 1 << 16 };

static const char *advice_for(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return "free some space or choose another disk";
        case EACCES:
        case EPERM:
            return "check the permissions of the file and its folder";
        case EROFS:
            return "choose a folder that can be written to";
        case ENOENT:
            return "check the spelling, and create the folder if it is missing";
        case ENOTDIR:
            return "a part of the path before the last is a file; check the path";
        case EISDIR:
            return "name a file, not a folder";
        case EMFILE:
        case ENFILE:
            return "close some files or raise the limit (ulimit -n)";
        case ENAMETOOLONG:
            return "choose a shorter name";
        default:
            return "check the disk and the path";
    }
}

/* "cannot VERB 'PATH': REASON; ADVICE" */
static mpno_status fail_errno(mpno_ctx *ctx, const char *verb, const char *path, int error) {
    char reason[128];
    if (strerror_r(error, reason, sizeof reason) != 0)
        (void)snprintf(reason, sizeof reason, "error %d", error);
    return mpno_fail(ctx, MPNO_E_IO, "cannot %s '%s': %s; %s", verb, path, reason,
                     advice_for(error));
}

mpno_status mpno_map_open(mpno_ctx *ctx, const char *path, mpno_mapping *out) {
    *out = (mpno_mapping){NULL, 0};
    /* Non-blocking: opening a pipe that nobody writes to would wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail_errno(ctx, "open", path, errno);
    struct stat info;
    if (fstat(fd, &info) != 0) {
        int error = errno;
        (void)close(fd);
        return fail_errno(ctx, "read", path, error);
    }
    if (!S_ISREG(info.st_mode)) {
        (void)close(fd);
        if (S_ISDIR(info.st_mode)) return fail_errno(ctx, "read", path, EISDIR);
        return mpno_fail(
            ctx, MPNO_E_IO,
            "cannot read '%s': it is not a regular file; copy its content to a file first", path);
    }
    static const unsigned char nothing[1] = {0}; /* an empty file cannot be mapped */
    if (info.st_size == 0) {
        (void)close(fd);
        *out = (mpno_mapping){nothing, 0};
        return MPNO_OK;
    }
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int error = errno;
    (void)close(fd); /* the mapping stays */
    if (data == MAP_FAILED) return fail_errno(ctx, "map", path, error);
    *out = (mpno_mapping){data, (size_t)info.st_size};
    return MPNO_OK;
}

void mpno_map_close(mpno_mapping *mapping) {
    /* munmap takes a pointer to non-const although it does not write. */
    if (mapping->size > 0) (void)munmap((void *)(uintptr_t)mapping->data, mapping->size);
    *mapping = (mpno_mapping){NULL, 0};
}

struct mpno_writer {
    mpno_ctx *ctx;
    int fd;
    bool failed; /* a write went wrong: commit must not rename */
    size_t filled;
    char path[PATH_CAPACITY];      /* where the file will stand, links resolved */
    char temporary[PATH_CAPACITY]; /* where it grows */
    char buffer[BUFFER_BYTES];
};

/* Writes all or gives the reason; 0 on success. */
static int write_all(int fd, const char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t written = write(fd, data, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        if (written == 0) return EIO;
        data += written;
        bytes -= (size_t)written;
    }
    return 0;
}

/* Opens a new file next to w->path. A name left behind by a process that was killed may carry our
 * process id (containers reuse small ones), hence the numbers. */
static mpno_status open_temporary(mpno_writer *w) {
    for (int attempt = 0; attempt < 1000; attempt++) {
        char suffix[48];
        if (attempt == 0) {
            (void)snprintf(suffix, sizeof suffix, ".tmp-%ld", (long)getpid());
        } else {
            (void)snprintf(suffix, sizeof suffix, ".tmp-%ld-%d", (long)getpid(), attempt);
        }
        size_t length = strlen(w->path), more = strlen(suffix) + 1;
        if (length + more > sizeof w->temporary)
            return fail_errno(w->ctx, "write", w->path, ENAMETOOLONG);
        memcpy(w->temporary, w->path, length);
        memcpy(w->temporary + length, suffix, more);
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0) return MPNO_OK;
        if (errno != EEXIST) break;
    }
    return fail_errno(w->ctx, "write", w->path, errno);
}

/* Follows links, so that the file behind a link is replaced and not the link; refuses what is not a
 * regular file: a rename over /dev/null would delete the device. *mode is that of the file to be
 * replaced, or -1. */
static mpno_status resolve_target(mpno_ctx *ctx, const char *path, char *out, size_t capacity,
                                  int *mode) {
    struct stat info;
    *mode = -1;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return fail_errno(ctx, "write", path, EISDIR);
        MPNO_CHECK(ctx, S_ISREG(info.st_mode), MPNO_E_IO,
                   "cannot write '%s': it is a device or a pipe; name a file", path);
        *mode = (int)(info.st_mode & 0777);
        char real[PATH_MAX];
        if (realpath(path, real) == NULL) return fail_errno(ctx, "write", path, errno);
        (void)snprintf(out, capacity, "%s", real);
        return MPNO_OK;
    }
    if (errno != ENOENT) return fail_errno(ctx, "write", path, errno);
    size_t length = strlen(path);
    if (length == 0) return fail_errno(ctx, "write", path, ENOENT);
    if (length >= capacity) return fail_errno(ctx, "write", path, ENAMETOOLONG);
    memcpy(out, path, length + 1);
    return MPNO_OK;
}

mpno_status mpno_writer_open(mpno_ctx *ctx, const char *path, mpno_writer **out) {
    *out = NULL;
    mpno_writer *w;
    MPNO_TRY(mpno_alloc_raw(ctx, sizeof *w, &w));
    w->ctx = ctx;
    w->fd = -1;
    w->failed = false;
    w->filled = 0;
    int mode;
    mpno_status status = resolve_target(ctx, path, w->path, sizeof w->path, &mode);
    if (status == MPNO_OK) status = open_temporary(w);
    if (status != MPNO_OK) {
        mpno_free(ctx, w);
        return status;
    }
    if (mode >= 0)
        (void)fchmod(w->fd, (mode_t)mode); /* best effort: some file systems have no modes */
    *out = w;
    return MPNO_OK;
}

const char *mpno_writer_temporary(const mpno_writer *w) {
    return w->temporary;
}

static mpno_status flush(mpno_writer *w) {
    int error = write_all(w->fd, w->buffer, w->filled);
    w->filled = 0;
    if (error == 0) return MPNO_OK;
    w->failed = true;
    return fail_errno(w->ctx, "write", w->path, error);
}

mpno_status mpno_writer_write(mpno_writer *w, const void *data, size_t bytes) {
    MPNO_CHECK(w->ctx, !w->failed, MPNO_E_IO,
               "cannot write '%s': an earlier write failed; start the file again", w->path);
    if (bytes == 0) return MPNO_OK;
    if (bytes > sizeof w->buffer - w->filled) MPNO_TRY(flush(w));
    if (bytes <= sizeof w->buffer - w->filled) {
        memcpy(w->buffer + w->filled, data, bytes);
        w->filled += bytes;
        return MPNO_OK;
    }
    int error = write_all(w->fd, data, bytes);
    if (error == 0) return MPNO_OK;
    w->failed = true;
    return fail_errno(w->ctx, "write", w->path, error);
}

/* Makes the new name permanent. File systems that cannot flush a folder say EINVAL: nothing more
 * can be done there. */
static mpno_status sync_folder(mpno_ctx *ctx, const char *path) {
    char folder[PATH_CAPACITY];
    mpno_path_folder(path, folder, sizeof folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? MPNO_OK : fail_errno(ctx, "flush folder", folder, errno);
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    (void)close(fd);
    return error == 0 ? MPNO_OK : fail_errno(ctx, "flush folder", folder, error);
}

static mpno_status finish(mpno_writer *w) {
    MPNO_CHECK(w->ctx, !w->failed, MPNO_E_IO,
               "cannot write '%s': an earlier write failed; the old file is unchanged", w->path);
    MPNO_TRY(flush(w));
    if (fsync(w->fd) != 0) return fail_errno(w->ctx, "flush", w->path, errno);
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0) return fail_errno(w->ctx, "close", w->path, errno);
    if (rename(w->temporary, w->path) != 0) return fail_errno(w->ctx, "replace", w->path, errno);
    w->temporary[0] = '\0';
    return sync_folder(w->ctx, w->path);
}

mpno_status mpno_writer_commit(mpno_writer **writer) {
    mpno_status status = finish(*writer);
    mpno_writer_abandon(writer);
    return status;
}

void mpno_writer_abandon(mpno_writer **writer) {
    if (writer == NULL || *writer == NULL) return;
    mpno_writer *w = *writer;
    if (w->fd >= 0) (void)close(w->fd);
    if (w->temporary[0] != '\0') (void)unlink(w->temporary);
    mpno_free(w->ctx, w);
    *writer = NULL;
}

mpno_status mpno_file_write_atomic(mpno_ctx *ctx, const char *path, const void *data,
                                   size_t bytes) {
    mpno_writer *writer;
    MPNO_TRY(mpno_writer_open(ctx, path, &writer));
    mpno_status status = mpno_writer_write(writer, data, bytes);
    if (status == MPNO_OK) return mpno_writer_commit(&writer);
    mpno_writer_abandon(&writer);
    return status;
}

/* One write: lines of two processes do not mix. */
mpno_status mpno_file_append_bytes(mpno_ctx *ctx, const char *path, const void *data, size_t n) {
    int error = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        error = errno;
    } else {
        struct stat before;
        bool known = fstat(fd, &before) == 0 && S_ISREG(before.st_mode);
        error = write_all(fd, data, n);
        /* Takes back the part that a full disk let through. */
        if (error != 0 && known && ftruncate(fd, before.st_size) != 0) error = errno;
        if (close(fd) != 0 && error == 0) error = errno;
    }
    return error == 0 ? MPNO_OK : fail_errno(ctx, "append to", path, error);
}

mpno_status mpno_file_append(mpno_ctx *ctx, const char *path, const char *text) {
    size_t n = strlen(text);
    bool ended = n > 0 && text[n - 1] == '\n';
    char *line;
    MPNO_TRY(mpno_alloc_raw(ctx, n + 1, &line));
    memcpy(line, text, n);
    if (!ended) line[n++] = '\n';
    mpno_status status = mpno_file_append_bytes(ctx, path, line, n);
    mpno_free(ctx, line);
    return status;
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

mpno_status mpno_folder_create(mpno_ctx *ctx, const char *path) {
    char partial[PATH_CAPACITY];
    size_t length = strlen(path);
    if (length == 0) return fail_errno(ctx, "create folder", path, ENOENT);
    if (length >= sizeof partial) return fail_errno(ctx, "create folder", path, ENAMETOOLONG);
    memcpy(partial, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (partial[i] != '/' && partial[i] != '\0') continue;
        partial[i] = '\0';
        if (mkdir(partial, 0777) != 0) {
            int error = errno;
            if (!is_folder(partial)) {
                /* EEXIST here means that a file is in the way. */
                return fail_errno(ctx, "create folder", path, error == EEXIST ? ENOTDIR : error);
            }
        }
        if (i < length) partial[i] = '/';
    }
    return MPNO_OK;
}

bool mpno_path_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool mpno_path_same(const char *a, const char *b) {
    struct stat one, other;
    if (strcmp(a, b) == 0) return true;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

mpno_status mpno_path_join(mpno_ctx *ctx, const char *folder, const char *name, char *out,
                           size_t capacity) {
    size_t length = strlen(folder);
    bool alone = name[0] == '/' || length == 0;
    const char *slash = alone || folder[length - 1] == '/' ? "" : "/";
    int written = snprintf(out, capacity, "%s%s%s", alone ? "" : folder, slash, name);
    MPNO_CHECK(ctx, written >= 0 && (size_t)written < capacity, MPNO_E_ARGUMENT,
               "path '%s/%s' is longer than %zu bytes; choose shorter names", folder, name,
               capacity);
    return MPNO_OK;
}

mpno_status mpno_path_absolute(mpno_ctx *ctx, const char *folder, const char *name, char **out) {
    char here[PATH_CAPACITY], base[PATH_CAPACITY], joined[PATH_CAPACITY], real[PATH_CAPACITY];
    MPNO_CHECK(ctx, getcwd(here, sizeof here) != NULL, MPNO_E_IO,
               "the current folder has no path, run from one that exists");
    MPNO_TRY(mpno_path_join(ctx, here, folder ? folder : ".", base, sizeof base));
    MPNO_TRY(mpno_path_join(ctx, base, name, joined, sizeof joined));
    return mpno_strdup(ctx, realpath(joined, real) ? real : joined, out);
}

void mpno_path_folder(const char *path, char *out, size_t capacity) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        (void)snprintf(out, capacity, ".");
    } else if (slash == path) {
        (void)snprintf(out, capacity, "/");
    } else {
        (void)snprintf(out, capacity, "%.*s", (int)(slash - path), path);
    }
}
