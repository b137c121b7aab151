/* SPDX-License-Identifier: MIT
 * The restricted reader of pickles, on pickles written by hand and by Python's pickle module. */
#include "support.h"

#include "core/memory.h"
#include "core/value.h"
#include "data/pickle.h"
#include "data/pickle_tree.h"

/* Pickle to the JSON text of its tree (owned by the caller, mpno_free). */
static mpno_status to_json(mpno_ctx *ctx, const void *data, size_t size, char **out) {
    mpno_pickle *pickle;
    mpno_pickle_leaves leaves;
    mpno_value *object = NULL;
    *out = NULL;
    MPNO_TRY(mpno_pickle_parse(ctx, data, size, &pickle));
    mpno_status status = mpno_pickle_tree(ctx, mpno_pickle_top(pickle), size, &object, &leaves);
    if (status == MPNO_OK) status = mpno_json_text(ctx, object, false, out);
    mpno_value_destroy(ctx, &object);
    mpno_pickle_leaves_destroy(ctx, &leaves);
    mpno_pickle_destroy(ctx, &pickle);
    return status;
}

/* The same from an exact copy on the heap, so that a sanitizer sees reads past the end. */
static mpno_status copy_to_json(mpno_ctx *ctx, const void *data, size_t size, char **out) {
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    mpno_status status = to_json(ctx, copy, size, out);
    free(copy);
    return status;
}

typedef struct example {
    const char *data;
    size_t size;
    const char *expected; /* JSON, or a part of the sentence */
} example;
#define EXAMPLE(text, expected) \
    { text, sizeof text - 1, expected }

#define STORAGE(class, count) \
    "(X\7\0\0\0storagectorch\n" class "\nX\1\0\0\0000X\3\0\0\0cpuK" count "tQ"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"

static const example GOOD[] = {
    /* pickle.dumps([1, -2, 300, 70000, 2**40, -2**40, 0.5, True, None, "\u00e9", (), (1, 2, 3, 4),
       {"a": 1, 2: 3}], 2) */
    EXAMPLE(
        "\x80\2]q\0(K\1J\xfe\xff\xff\xffM,\1Jp\21\1\0\x8a\6\0\0\0\0\0\1\x8a\6\0\0\0\0\0\xff"
        "G?\xe0\0\0\0\0\0\0\x88NX\2\0\0\0\xc3\xa9q\1)(K\1K\2K\3K\4tq\2}q\3(X\1\0\0\0aK\1K\2K\3ue.",
        "[1, -2, 300, 70000, 1099511627776, -1099511627776, 0.5, true, null, \"\xc3\xa9\", [], "
        "[1, 2, 3, 4], {\"a\": 1, \"2\": 3}]"),
    /* pickle.dumps([b"ab", {4}, frozenset([5]), "s"], 4) */
    EXAMPLE("\x80\4\x95\33\0\0\0\0\0\0\0]\x94(C\2ab\x94\x8f\x94(K\4\x90(K\5\x91\x94\x8c\1s\x94"
            "e.      ",
            "[\"<bytes 2>\", [4], [5], \"s\"]"),
    EXAMPLE("\x80\5\x96\3\0\0\0\0\0\0\0xyz\x94.", "\"<bytes 3>\""), /* bytearray(b"xyz") */
    EXAMPLE("\x80\2\x8a\t\0\0\0\0\0\0\0\0\1.", "\"<bytes 9>\""),    /* 2**64 */
    EXAMPLE("\x80\2\x8a\0.", "0"),
    EXAMPLE("\x80\2\x8a\1\xff.", "-1"),
    EXAMPLE("\x80\2(K\1K\2l.", "[1, 2]"),
    EXAMPLE("\x80\2(X\1\0\0\0aK\1d.", "{\"a\": 1}"),
    EXAMPLE("\x80\2K\1K\0020K\3\x86.", "[1, 3]"),   /* POP */
    EXAMPLE("\x80\2K\1(K\2K\00312\x86.", "[1, 1]"), /* POP_MARK, DUP */
    EXAMPLE("\x80\2K\1(0\x85.", "[1]"),             /* POP of a mark */
    EXAMPLE("\x80\2X\1\0\0\0aq\7h\7\x86.", "[\"a\", \"a\"]"),
    EXAMPLE("\x80\2U\3abcr\5\0\0\0j\5\0\0\0\x86.", "[\"abc\", \"abc\"]"),
    /* the later value of a key wins, as in Python */
    EXAMPLE("\x80\2}X\1\0\0\0aK\1sX\1\0\0\0aK\2s.", "{\"a\": 2}"),
    EXAMPLE("\x80\2}(NK\1\x88K\2)K\3u.", "{\"None\": 1, \"True\": 2, \"<key 2>\": 3}"),
    EXAMPLE("\x80\2X\2\0\0\0\xff\xfe.", "\"<bytes 2>\""), /* not UTF-8 */
    EXAMPLE("\x80\2ctorch._C._nn\ngelu\n.", "\"<global torch._C._nn.gelu>\""),
    EXAMPLE("\x80\4\x8c\3abc\x8c\1f\x93.", "\"<global abc.f>\""),
    EXAMPLE("\x80\2ccollections\nOrderedDict\n)RX\1\0\0\0aK\1s}X\1\0\0\0mK\2sb.", "{\"a\": 1}"),
    EXAMPLE("\x80\2ccollections\nOrderedDict\n]]X\1\0\0\0aaK\1aa\x85R.", "{\"a\": 1}"),
    EXAMPLE("\x80\2ccollections\ndefaultdict\nc__builtin__\ndict\n\x85R(K\1K\2u.", "{\"1\": 2}"),
    EXAMPLE("\x80\2ctorch\nSize\nK\2K\3\x86\x85R.", "[2, 3]"),
    EXAMPLE("\x80\2cm\nC\n)\x81}X\1\0\0\0aK\1sb.", "\"<object m.C>\""),
    EXAMPLE("\x80\4cm\nC\n)}\x92(K\1K\2u]a(e.",
            "\"<object m.C>\""), /* items of an opaque object are dropped */
    EXAMPLE("\x80\2cm\nf\n)R)R.", "\"<object m.f>\""),
    /* tensors: a view that uses the last element, an empty one, a parameter, an unknown storage
       class */
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\6") "K\1K\2K\2\x86K\2K\2\x86\x89)tR.",
            "\"<tensor 0>\""),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\0") "K\0K\0\x85K\1\x85\x89)tR.",
            "\"<tensor 0>\""),
    EXAMPLE("\x80\2ctorch._utils\n_rebuild_parameter\n" REBUILD
            "(" STORAGE("HalfStorage", "\1") "K\0))\x89)tR\x88)\x87R.",
            "\"<tensor 0>\""),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("QInt8Storage", "\6") "K\0K\6\x85K\1\x85\x89)tR.",
            "\"<object torch.QInt8Storage>\""),
    /* what would run code is only a name */
    EXAMPLE("\x80\2cposix\nsystem\nX\4\0\0\0date\x85R.", "\"<object posix.system>\""),
    EXAMPLE("\x80\4\x8c\010builtins\x8c\4eval\x93X\1\0\0\0001\x85R.", "\"<object builtins.eval>\""),
    EXAMPLE("\x80\2" REBUILD "(cposix\nsystem\nX\4\0\0\0date\x85RK\0))\x89)tR.",
            "\"<object posix.system>\""),
};

static void pickles_become_trees(void **state) {
    mpno_ctx *ctx = *state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        char *text;
        assert_ok(ctx, copy_to_json(ctx, GOOD[i].data, GOOD[i].size, &text));
        assert_string_equal(text, GOOD[i].expected);
        mpno_free(ctx, text);
    }
}

static const example BAD[] = {
    EXAMPLE("", "byte 0 of the pickle"),
    EXAMPLE("\x80\1N.", "protocol 1"),
    EXAMPLE("\x80\6N.", "protocol 6"),
    EXAMPLE("\x80\2.", "needs 1 objects"),
    EXAMPLE("\x80\2NN.", "2 objects are left"),
    EXAMPLE("\x80\2N(.", "needs 1 objects"),
    EXAMPLE("\x80\2N", "ends inside"),
    EXAMPLE("\x80\2I1\n.", "operation 0x49"),   /* protocol 0 */
    EXAMPLE("\x80\2\x82\1.", "operation 0x82"), /* EXT1 */
    EXAMPLE("\x80\2R.", "needs 2 objects"),
    EXAMPLE("\x80\2N(NR.", "needs 2 objects"), /* a mark fences the stack */
    EXAMPLE("\x80\2\x87.", "needs 3 objects"),
    EXAMPLE("\x80\2t.", "no mark"),
    EXAMPLE("\x80\2(e.", "needs 1 objects"),
    EXAMPLE("\x80\2NNa.", "not a list"),
    EXAMPLE("\x80\2NNNs.", "not a dict"),
    EXAMPLE("\x80\2}(Nu.", "has no value"),
    EXAMPLE("\x80\2h\0.", "memo number 0"),
    EXAMPLE("\x80\2Nr\xff\xff\xff\xff.", "out of range"),
    EXAMPLE("\x80\2X\xff\xff\xff\xffN.", "longer than"),
    EXAMPLE("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xffN.", "longer than"),
    EXAMPLE("\x80\2\x8b\xff\xff\xff\xffN.", "ends inside an argument"),
    EXAMPLE("\x80\4\x95\xff\0\0\0\0\0\0\0N.", "frame"),
    EXAMPLE("\x80\2cposix\nsystem", "inside a name"),
    EXAMPLE("\x80\4NN\x93.", "not texts"),
    EXAMPLE("\x80\2N)R.", "not a function"),
    EXAMPLE("\x80\2cm\nf\nNR.", "not a tuple"),
    EXAMPLE("\x80\2NQ.", "persistent identifier"),
    EXAMPLE("\x80\2ccollections\nOrderedDict\nK\1\x85R.", "list of pairs"),
    EXAMPLE("\x80\2" REBUILD ")R.", "0 arguments"),
    EXAMPLE("\x80\2" REBUILD "(NK\0))\x89)tR.", "not a storage"),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\6") "K\2K\2K\2\x86K\3K\2\x86\x89)tR.",
            "past the 6"),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\6") "K\7K\0\x85K\1\x85\x89)tR.",
            "past the 6"),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\0") "K\0))\x89)tR.", "past the 0"),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\6") "J\xff\xff\xff\xff))\x89)tR.",
            "non-negative"),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\6") "K\0K\1\x85)\x89)tR.", "strides"),
    EXAMPLE("\x80\2" REBUILD
            "(" STORAGE("FloatStorage", "\6") "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t)\x89)tR.",
            "strides"),
    /* (2^62 - 1) * 4 wraps to a small number */
    EXAMPLE("\x80\2" REBUILD
            "(" STORAGE("FloatStorage", "\6") "K\0K\5\x85\x8a\10\0\0\0\0\0\0\0\100\x85\x89)tR.",
            "past the 6"),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE(
                "FloatStorage", "\6") "K\0\x8a\10\0\0\0\0\0\0\0\100K\5\x86K\0K\2\x86\x89)tR.",
            "past the 6"),
    EXAMPLE("\x80\2" REBUILD "(" STORAGE("FloatStorage", "\6") "K\0))\x89)}X\4\0\0\0conj\x88stR.",
            "resolve_conj"),
    EXAMPLE("\x80\2]q\0h\0a.", "contain themselves"),
    EXAMPLE("\x80\2}(K\1NX\1\0\0\0001Nu.", "both called '1'"),
};

static void wrong_pickles_are_errors(void **state) {
    mpno_ctx *ctx = *state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char *text;
        assert_fails(ctx, copy_to_json(ctx, BAD[i].data, BAD[i].size, &text), MPNO_E_FORMAT,
                     BAD[i].expected);
    }
}

/* 40 lists, each twice in the next: 2^40 leaves from 200 bytes. */
static void shared_objects_cannot_explode(void **state) {
    mpno_ctx *ctx = *state;
    char data[300] = "\x80\2]q", *text;
    size_t n = 4;
    data[n++] = 0;
    for (char i = 1; i <= 40; i++) {
        const char step[] = {'2', '\x86', 'q', i}; /* DUP, TUPLE2, BINPUT: x -> (x, x) */
        memcpy(data + n, step, sizeof step);
        n += sizeof step;
    }
    data[n++] = '.';
    assert_fails(ctx, copy_to_json(ctx, data, n, &text), MPNO_E_FORMAT, "far more data");
    /* a long text, named again and again */
    size_t size = 200000, at = 0;
    char *big = calloc(1, size);
    assert_non_null(big);
    const char head[] = "\x80\2(X\0\x80\1\0";
    memcpy(big, head, sizeof head - 1);
    at = sizeof head - 1;
    memset(big + at, 'a', 0x18000);
    at += 0x18000;
    memcpy(big + at, "q\0", 2);
    for (at += 2; at < size - 4; at += 2) memcpy(big + at, "h\0", 2);
    memcpy(big + at, "t.", 2);
    assert_fails(ctx, to_json(ctx, big, at + 2, &text), MPNO_E_FORMAT, "far more data");
    free(big);
}

static void every_truncation_is_an_error(void **state) {
    mpno_ctx *ctx = *state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        const char *stop = GOOD[i].data + GOOD[i].size;
        while (stop[-1] == ' ') stop--; /* bytes after STOP are not read */
        for (size_t n = 0; n < (size_t)(stop - GOOD[i].data); n++) {
            char *text;
            assert_int_equal(copy_to_json(ctx, GOOD[i].data, n, &text), MPNO_E_FORMAT);
        }
    }
}

/* Every value of every byte: an error or a tree, never a crash. */
static void every_changed_byte_is_survived(void **state) {
    mpno_ctx *ctx = *state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        char *copy = malloc(GOOD[i].size), *text;
        assert_non_null(copy);
        memcpy(copy, GOOD[i].data, GOOD[i].size);
        for (size_t at = 0; at < GOOD[i].size; at++) {
            for (int value = 0; value < 256; value++) {
                copy[at] = (char)value;
                mpno_status status = to_json(ctx, copy, GOOD[i].size, &text);
                assert_true(status == MPNO_OK || status == MPNO_E_FORMAT);
                mpno_free(ctx, text);
            }
            copy[at] = GOOD[i].data[at];
        }
        free(copy);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_context, end_context)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(pickles_become_trees),           TEST(wrong_pickles_are_errors),
        TEST(shared_objects_cannot_explode),  TEST(every_truncation_is_an_error),
        TEST(every_changed_byte_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
