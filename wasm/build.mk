# The four engine modules from one rule: {wasm32, wasm64} x {simd128, relaxed}, and the C tests as wasm programs.
#
# Compile with -O3 but link with -O1: wasm-opt's stronger passes reorder the dot products of the kernels into serial
# chains. The memory is made by the page (its maximum is the model's need), so it is imported; the build's own maximum is the largest a page may give.

EMCC = $$(node wasm/toolchain/emscripten.js)

WASM_SOURCES := wasm/exports.c $(ENGINE) $(KERNEL_COMMON) $(KERNELS_SIMD)
WASM_CFLAGS  := -std=gnu11 -O3 -Wall -Wextra -pthread -Isrc -Isrc/kernels -msimd128 -ffp-contract=off -fno-math-errno -DNDEBUG
WASM_LDFLAGS := -O1 -pthread -nostdlib++ -sSTRICT -sFILESYSTEM=0 -sMALLOC=emmalloc -sEXPORT_ES6 -sMODULARIZE \
                -sENVIRONMENT=web,worker,node -sIMPORTED_MEMORY -sALLOW_MEMORY_GROWTH -sINITIAL_MEMORY=16MB -sSTACK_SIZE=512KB \
                -sDEFAULT_PTHREAD_STACK_SIZE=256KB -sPTHREAD_POOL_SIZE='Module["threads"]' -sPTHREAD_POOL_SIZE_STRICT=0 \
                -sINCOMING_MODULE_JS_API=wasmMemory,instantiateWasm -sEXPORTED_RUNTIME_METHODS=PThread --no-entry -sEXPORTED_FUNCTIONS=@wasm/exports.txt -Wno-pthreads-mem-growth

MODULES := gemma-simd128 gemma-relaxed gemma64-simd128 gemma64-relaxed
wasm: $(MODULES:%=$(BUILD)/wasm/%.js)

# $(1) module name, $(2) flags for the address size, $(3) variant, $(4) its own sources and flags, $(5) largest memory
define wasm_module
$(BUILD)/wasm/$(1).js: $$(WASM_SOURCES) $$(KERNELS_RELAXED) $$(HEADERS) wasm/exports.txt wasm/build.mk
	@mkdir -p $(BUILD)/wasm
	emcc=$$(EMCC) && $$$$emcc $$(WASM_CFLAGS) $(2) $(4) -DGEMMA_KERNELS=kernels_$(3) $$(WASM_SOURCES) $$(WASM_LDFLAGS) -sMAXIMUM_MEMORY=$(5) -o $$@
endef
RELAXED_FLAGS := $(KERNELS_RELAXED) -mrelaxed-simd
$(eval $(call wasm_module,gemma-simd128,,simd128,,4GB))
$(eval $(call wasm_module,gemma-relaxed,,relaxed,$(RELAXED_FLAGS),4GB))
$(eval $(call wasm_module,gemma64-simd128,-m64,simd128,,16GB))
$(eval $(call wasm_module,gemma64-relaxed,-m64,relaxed,$(RELAXED_FLAGS),16GB))
