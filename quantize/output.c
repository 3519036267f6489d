/* output.c: see output.h. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "error.h"

static bool failed(GemmaError *err, const char *path) {
    error_set(err, GEMMA_BAD_FILE, "%s can't be written: %s.", path, strerror(errno));
    return false;
}

/* Where the file system can't reserve, the size is set, and a full disk shows later. */
static bool reserve(const Output *o, uint64_t size, GemmaError *err) {
#ifdef __linux__
    struct statvfs about;
    if (size == 0 || fallocate(o->fd, 0, 0, (off_t)size) == 0) return true;
    if (errno == ENOSPC && fstatvfs(o->fd, &about) == 0) {
        error_set(err, GEMMA_BAD_FILE, "%s needs %" PRIu64 " bytes, but the disk has %" PRIu64 " left.",
            o->path, size,
                  (uint64_t)about.f_bavail * about.f_frsize);
        return false;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) return failed(err, o->path);
#endif
    return ftruncate(o->fd, (off_t)size) == 0 || failed(err, o->path);
}

bool output_check_room(const Output *o, uint64_t size, const char *what, GemmaError *err) {
    struct statvfs about;
    if (fstatvfs(o->fd, &about) != 0) return true;
    uint64_t left = (uint64_t)about.f_bavail * about.f_frsize;
    if (size <= left) return true;
    error_set(err, GEMMA_BAD_FILE, "%s of %s need another %" PRIu64 " bytes, but the disk has %" PRIu64 " left.",
        what, o->path, size, left);
    return false;
}

static void forget(Output *o) {
    free(o->path);
    free(o->temporary);
    *o = (Output){.fd = -1};
}

bool output_create(Output *o, const char *path, uint64_t size, GemmaError *err) {
    struct stat about;
    size_t n = strlen(path) + 32;
    *o = (Output){.path = strdup(path), .temporary = malloc(n), .fd = -1};
    if (!o->path || !o->temporary) {
        error_set(err, GEMMA_NO_MEMORY, "Not enough memory for the name of the output.");
        forget(o);
        return false;
    }
    snprintf(o->temporary, n, "%s.%ld.partial", path, (long)getpid());
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        error_set(err, GEMMA_BAD_FILE, "%s is there and is not a file.", path);
    else if ((o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0)
        failed(err, path);
    if (o->fd < 0) {
        forget(o);
        return false;
    }
    if (reserve(o, size, err)) return true;
    output_discard(o);
    return false;
}

bool output_write(const Output *o, uint64_t offset, const void *p, size_t n, GemmaError *err) {
    for (size_t done = 0; done < n;) {
        ssize_t put = pwrite(o->fd, (const char *)p + done, n - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return failed(err, o->path);
        done += (size_t)put;
    }
    return true;
}

/* Not every file system can sync a file or a folder; one that can't says EINVAL. */
static bool sync_fd(int fd) {
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOSYS;
}

bool output_close(Output *o, GemmaError *err) {
    int fd = o->fd;
    o->fd = -1;
    if (fd < 0) return true;
    bool synced = sync_fd(fd) || failed(err, o->path);
    return (close(fd) == 0 || failed(err, o->path)) && synced;
}

/* The name is on the disk only when its folder is. */
static void sync_folder(char *path) {
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    sync_fd(fd);
    close(fd);
}

bool output_commit(Output *o, GemmaError *err) {
    if (!output_close(o, err)) return false;
    if (rename(o->temporary, o->path) != 0) return failed(err, o->path);
    sync_folder(o->path);
    forget(o);
    return true;
}

void output_discard(Output *o) {
    if (o->fd >= 0) close(o->fd);
    if (o->temporary) unlink(o->temporary);
    forget(o);
}
