/* sha256.c: SHA-256 as a separate module of a few kilobytes. It hashes whole files, which the browser's own
 * function can't take chunk by chunk (web/weights/file/sha256.js). One digest at a time. */
#include "../quantize/sha256.h"

#define EXPORT(name) __attribute__((export_name(#name)))

enum { ROOM = 1 << 18 };        /* fits the processor's caches */

static Sha256 s;
static uint8_t room[ROOM];      /* bytes to be added, at most ROOM; at the end, the digest */

EXPORT(room) uint8_t *sha256_room(void) { return room; }
EXPORT(room_bytes) int sha256_room_bytes(void) { return ROOM; }
EXPORT(begin) void sha256_begin_here(void) { sha256_begin(&s); }
EXPORT(add) void sha256_add_here(int n) { sha256_add(&s, room, (size_t)n); }
EXPORT(end) void sha256_end_here(void) { sha256_end(&s, room); }
