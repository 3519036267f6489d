# The engine modules from one rule: {wasm32, wasm64} x {simd128, relaxed, relaxed16}; the JavaScript that
# starts them, which is the same for all modules of an address size; a module for SHA-256; and the C tests as
# wasm programs.
#
# Modules are compiled with -O3 but linked with -O1: wasm-opt's stronger passes reorder the dot products of
# the kernels into serial chains. (Two steps, because in one command the last -O counts for both.) Their
# JavaScript is linked with -O2, which makes it small.
# The page makes the memory, with the model's need as its maximum, so the module imports it. The build's own
# maximum is the largest that a page may give.

# Asked once, and only when something must be compiled.
EMCC = $(eval EMCC := $(or $(shell node wasm/toolchain/emscripten.js),$(error no Emscripten)))$(EMCC)

WASM_SOURCES := wasm/exports.c $(ENGINE) $(KERNEL_COMMON) $(KERNELS_SIMD)
WASM_CFLAGS  := -std=gnu11 -O3 -Wall -Wextra -pthread -Isrc -Isrc/kernels -msimd128 -ffp-contract=off -fno-math-errno -DNDEBUG
WASM_LDFLAGS := -pthread -nostdlib++ -sSTRICT -sFILESYSTEM=0 -sEXPORT_ES6 -sMODULARIZE \
                -sENVIRONMENT=web,worker,node -sIMPORTED_MEMORY -sALLOW_MEMORY_GROWTH -sMEMORY_GROWTH_LINEAR_STEP=4MB -sINITIAL_MEMORY=16MB -sSTACK_SIZE=512KB \
                -sDEFAULT_PTHREAD_STACK_SIZE=256KB -sPTHREAD_POOL_SIZE='Module["threads"]' -sPTHREAD_POOL_SIZE_STRICT=0 \
                -sINCOMING_MODULE_JS_API=wasmMemory,instantiateWasm,mainScriptUrlOrBlob -sEXPORTED_RUNTIME_METHODS=PThread --no-entry -sEXPORTED_FUNCTIONS=@wasm/exports.txt -Wno-pthreads-mem-growth

# The memory grows by what is needed and a little more. By default it grows by a fifth at once, of which it tries
# a quarter last: a large one never reached its declared maximum (web/engine/instance.js).
#
# By address size. The small allocator refuses blocks of 4 GiB and more, which the weights of a 7B are; the
# other one refuses blocks of 2 GiB and more where addresses have 32 bits. src/memory.c says what both hold.
MEMORY_32 := -sMAXIMUM_MEMORY=4GB -sMALLOC=emmalloc
MEMORY_64 := -sMAXIMUM_MEMORY=16GB -sMALLOC=dlmalloc

VARIANTS := simd128 relaxed relaxed16
wasm: $(foreach size,gemma gemma64,$(BUILD)/wasm/$(size).js $(VARIANTS:%=$(BUILD)/wasm/$(size)-%.wasm)) $(BUILD)/wasm/sha256.wasm

# What knows no variant is compiled once for an address size. The variant's kernels, and model.c, which names
# them, are compiled once for each module.
# $(1) address size, $(2) module, $(3) the variant's own sources
OF_VARIANT = src/model.c $(KERNELS_RELAXED) $(KERNELS_RELAXED16)
OBJECTS_OF = $(foreach source,$(WASM_SOURCES) $(3),$(BUILD)/wasm-objects/$(if $(filter $(source),$(OF_VARIANT)),$(2),$(1))/$(source:.c=.o))

# $(1) address size, $(2) its flags
define wasm_objects
$(BUILD)/wasm-objects/$(1)/%.o: %.c $$(RULES)
	@mkdir -p $$(@D)
	$$(EMCC) $$(WASM_CFLAGS) $(2) -MMD -MP -c $$< -o $$@
endef
$(eval $(call wasm_objects,wasm32,))
$(eval $(call wasm_objects,wasm64,-m64))

# $(1) module name, $(2) variant, $(3) address size, $(4) flags of both, $(5) the variant's own sources,
# $(6) how memory is had
define wasm_module
$(BUILD)/wasm-objects/$(1)/%.o: %.c $$(RULES)
	@mkdir -p $$(@D)
	$$(EMCC) $$(WASM_CFLAGS) $(4) -MMD -MP -DGEMMA_KERNELS=kernels_$(2) -c $$< -o $$@
$(BUILD)/wasm/$(1).wasm: $(call OBJECTS_OF,$(3),$(1),$(5)) wasm/exports.txt
	@mkdir -p $$(@D)
	$$(EMCC) $(4) $$(filter %.o,$$^) -O1 $$(WASM_LDFLAGS) $(6) -o $(BUILD)/wasm-objects/$(1)/$(1).js
	cp $(BUILD)/wasm-objects/$(1)/$(1).wasm $$@
endef
$(eval $(call wasm_module,gemma-simd128,simd128,wasm32,,,$(MEMORY_32)))
$(eval $(call wasm_module,gemma-relaxed,relaxed,wasm32,-mrelaxed-simd,$(KERNELS_RELAXED),$(MEMORY_32)))
$(eval $(call wasm_module,gemma-relaxed16,relaxed16,wasm32,-mrelaxed-simd,$(KERNELS_RELAXED16),$(MEMORY_32)))
$(eval $(call wasm_module,gemma64-simd128,simd128,wasm64,-m64,,$(MEMORY_64)))
$(eval $(call wasm_module,gemma64-relaxed,relaxed,wasm64,-m64 -mrelaxed-simd,$(KERNELS_RELAXED),$(MEMORY_64)))
$(eval $(call wasm_module,gemma64-relaxed16,relaxed16,wasm64,-m64 -mrelaxed-simd,$(KERNELS_RELAXED16),$(MEMORY_64)))

# $(1) name, $(2) address size, $(3) its flags, $(4) how memory is had
define wasm_starter
$(BUILD)/wasm/$(1).js: $(call OBJECTS_OF,$(2),$(1)-simd128,) wasm/exports.txt
	@mkdir -p $$(@D)
	$$(EMCC) $(3) $$(filter %.o,$$^) -O2 $$(WASM_LDFLAGS) $(4) -o $(BUILD)/wasm-objects/$(1).js
	cp $(BUILD)/wasm-objects/$(1).js $$@
endef
$(eval $(call wasm_starter,gemma,wasm32,,$(MEMORY_32)))
$(eval $(call wasm_starter,gemma64,wasm64,-m64,$(MEMORY_64)))

# Without threads, memory from outside or JavaScript, for it is needed where the engine is not.
SHA256_OBJECTS := $(BUILD)/wasm-objects/sha256/wasm/sha256.o $(BUILD)/wasm-objects/sha256/quantize/sha256.o
$(BUILD)/wasm-objects/sha256/%.o: %.c $(RULES)
	@mkdir -p $(@D)
	$(EMCC) -std=gnu11 -O3 -Wall -Wextra -MMD -MP -c $< -o $@
$(BUILD)/wasm/sha256.wasm: $(SHA256_OBJECTS)
	@mkdir -p $(@D)
	$(EMCC) $^ -O1 --no-entry -sSTRICT -sFILESYSTEM=0 -sMALLOC=none -sINITIAL_MEMORY=512KB -sSTACK_SIZE=64KB -o $(BUILD)/wasm-objects/sha256/sha256.js
	cp $(BUILD)/wasm-objects/sha256/sha256.wasm $@

# ------------------------------------------------------------------------------------------ C tests
# For each variant one program for Node with all of them (tests/c/all.c), because linking takes long. They are
# compiled as the modules are, but with assertions. main runs in a worker, as the engine does.
WASM_TESTS        := $(BUILD)/wasm-tests
WASM_TEST_CFLAGS  := $(WASM_CFLAGS) -UNDEBUG -Itests/c -I$(WASM_TESTS) -MMD -MP
WASM_TEST_LDFLAGS := -O1 -pthread -sSTRICT -sFILESYSTEM=0 -sENVIRONMENT=node,worker -sPROXY_TO_PTHREAD -sEXIT_RUNTIME \
                     -sALLOW_MEMORY_GROWTH -sINITIAL_MEMORY=64MB -sMAXIMUM_MEMORY=4GB -sSTACK_SIZE=512KB \
                     -sDEFAULT_PTHREAD_STACK_SIZE=256KB -Wno-pthreads-mem-growth
WASM_TEST_SOURCES := tests/c/all.c $(C_TESTS:%=tests/c/%.c) $(wildcard quantize/search*.c) $(ENGINE) $(KERNEL_COMMON) $(KERNELS_SIMD)

test-c-wasm: $(VARIANTS:%=$(WASM_TESTS)/%.cjs)

$(WASM_TESTS)/all.inc: $(C_TESTS:%=tests/c/%.c) $(RULES)
	@mkdir -p $(@D)
	printf 'ONE(%s)\n' $(C_TESTS) > $@
$(WASM_TESTS)/common/tests/c/all.o: $(WASM_TESTS)/all.inc
TEST_NAME = $(if $(filter $(notdir $*),$(C_TESTS)),-Dmain=$(notdir $*)_main)
$(WASM_TESTS)/common/%.o: %.c $(RULES)
	@mkdir -p $(@D)
	$(EMCC) $(WASM_TEST_CFLAGS) $(TEST_NAME) -c $< -o $@

# $(1) variant, $(2) its own sources, $(3) its own flags
define wasm_tests
$(WASM_TESTS)/$(1)/%.o: %.c $(RULES)
	@mkdir -p $$(@D)
	$$(EMCC) $$(WASM_TEST_CFLAGS) $(3) $$(TEST_NAME) -DGEMMA_KERNELS=kernels_$(1) -c $$< -o $$@
$(WASM_TESTS)/$(1).cjs: $(foreach source,$(WASM_TEST_SOURCES) $(2),$(WASM_TESTS)/$(if $(filter $(source),$(OF_VARIANT) tests/c/test_kernels.c),$(1),common)/$(source:.c=.o))
	$$(EMCC) $$^ $$(WASM_TEST_LDFLAGS) -o $$@
endef
$(eval $(call wasm_tests,simd128))
$(eval $(call wasm_tests,relaxed,$(KERNELS_RELAXED),-mrelaxed-simd))
$(eval $(call wasm_tests,relaxed16,$(KERNELS_RELAXED16),-mrelaxed-simd))
