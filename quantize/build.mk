# The native command build/quantize, which makes GGUF files of checkpoints; and what the tests need of it.
#
# -march=native: quantising is arithmetic on rows, and the program runs where it was built. Without
# contraction the bytes it writes are the same on every machine.

# The engine is linked, with its plain kernels, for its own check of what a model needs (gemma_check_header).
QUANTIZE_SOURCES := $(wildcard quantize/*.c) $(ENGINE) $(KERNEL_COMMON)
QUANTIZE_CFLAGS  := -std=gnu11 -D_GNU_SOURCE -O3 -march=native -ffp-contract=off -fno-math-errno -Wall -Wextra -pthread -Isrc -Iquantize
QUANTIZE_OBJECTS := $(QUANTIZE_SOURCES:%.c=$(BUILD)/quantize-objects/%.o)
# GCC can't know that the heads of a model have no negative size.
$(BUILD)/quantize-objects/src/%.o: QUANTIZE_CFLAGS += -Wno-stringop-overflow

.PHONY: quantize
quantize: $(BUILD)/quantize
$(BUILD)/quantize-objects/%.o: %.c Makefile quantize/build.mk
	@mkdir -p $(@D)
	$(CC) $(QUANTIZE_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/quantize: $(QUANTIZE_OBJECTS)
	$(CC) $(QUANTIZE_CFLAGS) $^ -o $@ -lm

# The fuzzer of the readers links them, under the sanitizers like the engine.
QUANTIZE_READERS := $(patsubst %,$(BUILD)/native/quantize/%.o,file gguf_write hf_config json model_name safetensors shard_set sp_model tokenizer_json vocabulary)
$(BUILD)/native/quantize/%.o $(BUILD)/native/tests/fuzz/fuzz_convert.o: NATIVE_FLAGS += -D_GNU_SOURCE -Iquantize
$(BUILD)/fuzz/fuzz_convert: $(QUANTIZE_READERS)

# Its C tests, as native programs under ASan and UBSan.
QUANTIZE_TESTS := $(patsubst tests/quantize/%.c,$(BUILD)/native/quantize-tests/%,$(wildcard tests/quantize/test_*.c))
.PHONY: test-quantize-native
test-quantize-native: $(QUANTIZE_TESTS)
$(BUILD)/native/tests/quantize/%.o: NATIVE_FLAGS += -D_GNU_SOURCE -Iquantize
$(BUILD)/native/quantize-tests/%: $(BUILD)/native/tests/quantize/%.o $(QUANTIZE_READERS) $(patsubst %,$(BUILD)/native/src/%.o,arch error gguf quant)
	@mkdir -p $(@D)
	$(CC) $(NATIVE_FLAGS) $^ -o $@ -lm
