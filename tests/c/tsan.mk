# The C tests of what runs on several threads, under TSan, with the plain kernels:
#
#   make -f tests/c/tsan.mk [ROUNDS=100]        of test_threads; minutes
CC      ?= gcc
TESTS   := test_pool test_threads
SOURCES := $(wildcard src/*.c) src/kernels/panel.c src/kernels/kv8.c src/kernels/scalar.c
FLAGS   := -std=gnu11 -g -O2 -Wall -Wextra -Wno-stringop-overflow -march=native -pthread -Isrc -Isrc/kernels -Itests/c -ffp-contract=off -fsanitize=thread

.PHONY: run
run: $(TESTS:%=build/tsan/%)
	@for test in $^; do $(if $(ROUNDS),ROUNDS=$(ROUNDS)) $$test || exit 1; done

build/tsan/%: tests/c/%.c $(SOURCES) $(wildcard src/*.h src/kernels/*.h tests/c/*.h)
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(filter %.c,$^) -o $@ -lm
