# The C tests of what runs on several threads, under TSan, with the plain kernels:
#
#   make -f tests/c/tsan.mk [ROUNDS=100]        of test_threads; minutes
CC      ?= gcc
TESTS   := test_pool test_threads
SOURCES := $(wildcard src/*.c) src/kernels/panel.c src/kernels/kv8.c src/kernels/scalar.c
OBJECTS := $(SOURCES:%.c=build/tsan/%.o)
FLAGS   := -std=gnu11 -g1 -O2 -Wall -Wextra -Wno-stringop-overflow -march=native -pthread -Isrc -Isrc/kernels -Itests/c -ffp-contract=off -fsanitize=thread

.PHONY: run
run: $(TESTS:%=build/tsan/%)
	@for test in $^; do $(if $(ROUNDS),ROUNDS=$(ROUNDS)) $$test || exit 1; done

$(TESTS:%=build/tsan/%): build/tsan/%: build/tsan/tests/c/%.o $(OBJECTS)
	$(CC) $(FLAGS) $^ -o $@ -lm
build/tsan/%.o: %.c tests/c/tsan.mk
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -MMD -MP -c $< -o $@
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find build/tsan -name '*.d' 2>/dev/null)
