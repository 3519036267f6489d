# Builds the engine: WebAssembly modules for browser and Node, and native programs for tests and fuzzing.
# `make help` lists the targets. Emscripten is found or brought by wasm/toolchain.

CC     ?= gcc
BUILD  := build

ENGINE := $(wildcard src/*.c)
KERNEL_COMMON := src/kernels/panel.c src/kernels/kv8.c src/kernels/scalar.c
KERNELS_SIMD  := src/kernels/wasm_simd128.c
KERNELS_RELAXED := src/kernels/wasm_relaxed.c
KERNELS_RELAXED16 := src/kernels/wasm_relaxed16.c
C_TESTS := $(patsubst tests/c/%.c,%,$(wildcard tests/c/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
RULES := Makefile wasm/build.mk         # their flags go into every object

.PHONY: help wasm test-c-native test-c-wasm fuzz clean
help:
	@echo "make quantize       the native command that makes GGUF files of checkpoints: $(BUILD)/quantize"
	@echo "make wasm           the engine modules, in $(BUILD)/wasm"
	@echo "make test-c-native  the C tests as native programs under ASan and UBSan, in $(BUILD)/native"
	@echo "make test-c-wasm    the C tests as wasm programs for Node, in $(BUILD)/wasm-tests"
	@echo "make fuzz           the fuzzers, in $(BUILD)/fuzz"
	@echo "make clean          removes $(BUILD)"

include wasm/build.mk
include quantize/build.mk

# ------------------------------------------------------------------------------------------ native tests
# All kernel variants are linked, and models run the relaxed one: wasm intrinsics run through SIMDe
# (tests/simde), so that sanitizers see them.
NATIVE_FLAGS := -std=gnu11 -g1 -O1 -Wall -Wextra -Wno-psabi -march=native -pthread \
                -Isrc -Isrc/kernels -Itests/c -Itests/simde \
                -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
                -ffp-contract=off -DGEMMA_KERNELS=kernels_relaxed
NATIVE_SOURCES := $(ENGINE) $(KERNEL_COMMON) $(KERNELS_SIMD) $(KERNELS_RELAXED) $(KERNELS_RELAXED16)
NATIVE_OBJECTS := $(NATIVE_SOURCES:%.c=$(BUILD)/native/%.o)

$(BUILD)/native/%.o: %.c $(RULES)
	@mkdir -p $(@D)
	$(CC) $(NATIVE_FLAGS) -MMD -MP -c $< -o $@
# Thousands of inlined instructions: with -O2 and all lines a compiler takes a minute for each variant, and a
# fifth more where it allots registers loop by loop.
$(BUILD)/native/src/kernels/wasm_%.o: NATIVE_FLAGS += -fno-sanitize-address-use-after-scope -fira-region=one
$(BUILD)/native/test_%: $(BUILD)/native/tests/c/test_%.o $(NATIVE_OBJECTS)
	$(CC) $(NATIVE_FLAGS) $^ -o $@ -lm
$(BUILD)/native/test_search: $(patsubst %.c,$(BUILD)/native/%.o,$(wildcard quantize/search*.c))
test-c-native: $(C_TESTS:%=$(BUILD)/native/%)

# ------------------------------------------------------------------------------------------ fuzzing
$(BUILD)/fuzz/%: $(BUILD)/native/tests/fuzz/%.o $(NATIVE_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(NATIVE_FLAGS) $^ -o $@ -lm
fuzz: $(FUZZERS:%=$(BUILD)/fuzz/%)

clean:
	rm -rf $(BUILD)
.SECONDARY:
.DELETE_ON_ERROR:
# What each object includes, as the compilers wrote it down.
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
