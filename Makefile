# Builds the engine: WebAssembly modules for browser and Node, and native programs for tests and fuzzing.
# `make help` lists the targets. Emscripten is found or brought by wasm/toolchain.

CC     ?= gcc
BUILD  := build

ENGINE := $(wildcard src/*.c)
KERNEL_COMMON := src/kernels/panel.c src/kernels/scalar.c
KERNELS_SIMD  := src/kernels/wasm_simd128.c
KERNELS_RELAXED := src/kernels/wasm_relaxed.c
HEADERS := $(wildcard src/*.h src/kernels/*.h src/kernels/*.inc tests/c/*.h tests/simde/*.h wasm/*.h)

.PHONY: help wasm test-c-native test-c-wasm fuzz clean
help:
	@echo "make wasm           the four engine modules, in $(BUILD)/wasm"
	@echo "make test-c-native  the C tests as native programs under ASan and UBSan, in $(BUILD)/native"
	@echo "make test-c-wasm    the C tests as wasm programs for Node, in $(BUILD)/wasm-tests"
	@echo "make fuzz           the fuzzers, in $(BUILD)/fuzz"
	@echo "make clean          removes $(BUILD)"

include wasm/build.mk

# ------------------------------------------------------------------------------------------ native tests
# All kernel variants are linked: wasm intrinsics run through SIMDe (tests/simde), so that sanitizers see them.
NATIVE_FLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Wno-psabi -march=native -pthread -Isrc -Isrc/kernels -Itests/c -Itests/simde \
                -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -ffp-contract=off
NATIVE_SOURCES := $(ENGINE) $(KERNEL_COMMON) $(KERNELS_SIMD) $(KERNELS_RELAXED)
NATIVE_OBJECTS := $(NATIVE_SOURCES:%.c=$(BUILD)/native/%.o)
C_TESTS := $(patsubst tests/c/%.c,%,$(wildcard tests/c/test_*.c))

$(BUILD)/native/%.o: %.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(NATIVE_FLAGS) -c $< -o $@
$(BUILD)/native/libgemma.a: $(NATIVE_OBJECTS)
	rm -f $@ && ar rcs $@ $^
$(BUILD)/native/test_%: $(BUILD)/native/tests/c/test_%.o $(BUILD)/native/libgemma.a
	$(CC) $(NATIVE_FLAGS) $^ -o $@ -lm
test-c-native: $(C_TESTS:%=$(BUILD)/native/%)

# ------------------------------------------------------------------------------------------ fuzzing
$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/native/libgemma.a $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(NATIVE_FLAGS) $< $(BUILD)/native/libgemma.a -o $@ -lm
fuzz: $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

clean:
	rm -rf $(BUILD)
.SECONDARY:
