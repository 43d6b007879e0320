/* Lets the Nth write to the database's files fail, as a full or a failing disk would.
 *
 * Loaded before the C library (LD_PRELOAD). FAULT_AT is the write that fails, counted from 1 over
 * everything that writes to files whose path holds FAULT_PATH; 0 only counts. FAULT_ERRNO is the error
 * (28 no space, 5 input/output); with FAULT_STICKY=1 all later writes fail too, as on a disk that stays
 * full. The number of writes is left in the file FAULT_COUNT at the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long writes;
static long fault_at;
static int fault_errno, sticky;
static const char *fault_path, *count_file;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("FAULT_AT"), *error = getenv("FAULT_ERRNO"), *stay = getenv("FAULT_STICKY");
    fault_path = getenv("FAULT_PATH");
    count_file = getenv("FAULT_COUNT");
    fault_at = at ? atol(at) : 0;
    fault_errno = error ? atoi(error) : ENOSPC;
    sticky = stay && *stay == '1';
}

__attribute__((destructor)) static void end(void) {
    if (!count_file) return;
    FILE *out = fopen(count_file, "w");
    if (!out) return;
    fprintf(out, "%ld\n", atomic_load(&writes));
    fclose(out);
}

static int fails(int fd) {
    char link[64], path[4096];
    if (!fault_path) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    /* Memory shared between processes (-shm) is no disk. */
    if (!strstr(path, fault_path) || strstr(path, "-shm")) return 0;
    long n = atomic_fetch_add(&writes, 1) + 1;
    if (fault_at == 0 || n < fault_at || (n > fault_at && !sticky)) return 0;
    errno = fault_errno;
    return 1;
}

#define REAL(name) \
    static typeof(&name) real; \
    if (!real) real = (typeof(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(write);
    return fails(fd) ? -1 : real(fd, bytes, size);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    REAL(pwrite);
    return fails(fd) ? -1 : real(fd, bytes, size, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    REAL(pwrite64);
    return fails(fd) ? -1 : real(fd, bytes, size, at);
}
int fsync(int fd) {
    REAL(fsync);
    return fails(fd) ? -1 : real(fd);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return fails(fd) ? -1 : real(fd);
}
int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    return fails(fd) ? -1 : real(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return fails(fd) ? -1 : real(fd, size);
}
