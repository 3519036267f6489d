/* shard_set.h: which shards lie in a folder without an index: the files PREFIX-00001-of-00003.safetensors and
 * so on. Reads names, not files. */
#ifndef SHARD_SET_H
#define SHARD_SET_H

#include "gemma.h"

typedef struct {
    char *prefix;
    int count;              /* 0: there are none */
} ShardSet;

/* False with *err: the folder can't be read, or has shards of several sets. Whether all of the set are there,
 * opening them tells. */
bool shard_set_find(ShardSet *set, const char *dir, GemmaError *err);
void shard_set_free(ShardSet *set);

/* The path of shard i, from 0 on, to be freed; NULL when memory is short. */
char *shard_set_path(const ShardSet *set, const char *dir, int i);

#endif
