/* describe.h: a model file's header as JSON, for people and programs that inspect it. Decides nothing. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "config.h"

/* One JSON object in valid UTF-8, for any bytes that the file holds:
 *
 *   {"architecture": "gemma3", "name": "...", "version": 3, "fileSize": bytes, "headerSize": bytes,
 *    "weightBytes": bytes as packed, "parameters": weights in all tensors,
 *    "sizes": {"n_layer": 18, ...} (null without c; n_head, n_head_kv, head_dim and n_ff are lists where
 *    layers differ, and kvLayers is how many layers have their own keys and values where not all have),
 *    "tensorCount": 236, "types": {"Q4_K": {"count": 72, "bytes": 1234}, ...},
 *    "metadata": {"general.name": "...",
 *                 "tokenizer.ggml.tokens": {"type": "array", "of": "string", "count": 262144,
 *                                           "first": ["<pad>", ...]}, ...},
 *    "metadataOmitted": entries left out since the object grew beyond 1 MiB}
 *
 * Arrays of up to 8 values are plain JSON arrays; strings are cut to about 2,000 bytes and end in an ellipsis
 * then; NaN and infinities are null. Returns its length (bounded: below 1.1 MiB); writes at most `cap` bytes,
 * and a 0 when there is room. c may be NULL. */
size_t describe_json(const Gguf *g, const Config *c, uint64_t weight_bytes, char *json, size_t cap);

/* {"shape": {"architecture": "gemma3", "layers": 18, "embd": 640, "heads": 4, "kv": 1, "dim": 256,
 *            "ff": 2048, "vocab": 262144, "ctx": 32768, "window": 512},
 *  "name": "...", "chat": false, "chatStyle": "", "chatStop": "", "chatLeads": false, "type": "Q4_K",
 *  "guessed": [any of "sizes", "vocabulary", "types"], "weightBytes": bytes as packed, "bytesPerToken": bytes}
 * Returns its length, and writes, as describe_json does. */
size_t describe_plan(const GemmaPlan *plan, char *json, size_t cap);

#endif
