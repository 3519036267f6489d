/* The test vectors of FIPS 180-4 and RFC 6234, whole and in pieces, on both of the ways that sha256.c has. */
#include "test.h"

#include "sha256.c"

static const struct {
    const char *text;
    int repeat;
    const char *hex;
} VECTORS[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"0123456701234567012345670123456701234567012345670123456701234567", 10,
        "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5"},
};
enum { N_VECTORS = sizeof VECTORS / sizeof *VECTORS };

TEST(vectors) {
    for (int i = 0; i < N_VECTORS; i++) {
        Sha256 s;
        uint8_t digest[32];
        char hex[65];
        sha256_begin(&s);
        for (int k = 0; k < VECTORS[i].repeat; k++) sha256_add(&s, VECTORS[i].text, strlen(VECTORS[i].text));
        sha256_end(&s, digest);
        sha256_hex(digest, hex);
        CHECK(strcmp(hex, VECTORS[i].hex) == 0);
    }
}

TEST(pieces_of_any_size_give_the_same) {
    uint8_t bytes[1000], whole[32], pieces[32];
    uint64_t state = 1;
    Sha256 s;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)test_random(&state);
    for (size_t n = 0; n < sizeof bytes; n += 7) {
        sha256_begin(&s);
        sha256_add(&s, bytes, n);
        sha256_end(&s, whole);
        sha256_begin(&s);
        for (size_t at = 0; at < n;) {
            size_t part = 1 + (size_t)(test_random(&state) % 150);
            if (part > n - at) part = n - at;
            sha256_add(&s, bytes + at, part);
            at += part;
        }
        sha256_end(&s, pieces);
        CHECK(memcmp(whole, pieces, 32) == 0);
    }
}

TEST(plain_and_own_instructions_agree) {
    uint8_t bytes[64 * 9];
    uint64_t random = 2;
    uint32_t plain[8], own[8];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)test_random(&random);
    for (int i = 0; i < 8; i++) plain[i] = own[i] = (uint32_t)test_random(&random);
    add_blocks_plain(plain, bytes, 9);
    add_blocks(own, bytes, 9);      /* the plain way once more where the processor has none */
    CHECK(memcmp(plain, own, sizeof plain) == 0);
}

int main(void) {
    RUN(vectors);
    RUN(pieces_of_any_size_give_the_same);
    RUN(plain_and_own_instructions_agree);
    return test_result();
}
