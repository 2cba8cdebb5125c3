# make               ./supervise, ./supervisectl
# make demo          build it and watch it work
# make check         build everything, install what the tests need, run every test
# make musl          build/musl/supervise, build/musl/supervisectl: with musl in the place of glibc
# make check-portable, check-musl
#                    the process tests on build/portable/supervise, which uses POSIX alone, and on build/musl/supervise
# make SYSTEM=portable ./supervise and ./supervisectl are such programs
# make check-san     the unit and fault tests and the inputs for fuzzing under the address and undefined behaviour sanitizers;
#                    with SUITE=all the whole suite
# make lint          clang-tidy over src/ and tests/: what has changed since it was last without a finding
# make coverage      which lines the unit and fault tests reach; fails below 95 % of src/core; SUITE=all: the process tests as well
# make fuzz          looks for inputs that break something, 10 seconds a target; SECONDS=, MINUTES= in all, TARGETS=
# make fuzz-corpus   takes the inputs that make fuzz has found, and that reach new code, into the corpus
# make fuzz-coverage what the corpus reaches
# make faults        the matrix of faults, build/faults.md: what supervise and its peers make of each, about ten minutes
# make bench         everything of which a figure is told, beside the peers and the floor, measured in one run: build/bench.md
# make soak          services of all kinds under everything at random: MINUTES=10 SERVICES=200 SEED=
# make debug, san    build/debug/supervise, build/san/supervise
# make generated     completions and the manual's list of supervisectl's commands
# make install       DESTDIR= PREFIX=/usr/local
# make clean

CXX ?= g++
# linux, or portable: src/sys/platform.h
SYSTEM ?= linux
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CXXFLAGS ?= -Os -g
WERROR ?=
SUITE ?= quick

STANDARD := -std=c++20 -Isrc -D_GNU_SOURCE
WARNINGS := -Wall -Wextra -Wshadow -Wconversion $(if $(WERROR),-Werror)
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong
SMALL := -ffunction-sections -fdata-sections -fno-pie $(if $(findstring clang,$(CXX)),,-flto=auto)
COMPILE = $(CXX) $(STANDARD) $(WARNINGS) $(CXXFLAGS) -MMD -MP

# The layers, from the bottom up: what stands further down uses what stands above it, never the other way round.
CORE := accounts command conf environment heartbeat liveness log_file machine notification outcome policy settings state status text words
SYS := client entry error_text event_log faults process published_file real_system resources runtime spawn status_dir
SUPERVISE := alarm daemon daemon_report daemon_service handover helpers log_processor log_writer logger options output service signs tree wrapper

CTL := act commands judge launch metrics output render request services view

BASE := $(CORE:%=core/%.o) $(SYS:%=sys/%.o)
LIBRARY := $(BASE) sys/linux.o $(SUPERVISE:%=supervise/%.o) $(CTL:%=ctl/%.o)
# The programs, and what each is made of, beside the platform: sys/linux.o or sys/portable.o.
supervise_OBJECTS := $(BASE) $(SUPERVISE:%=supervise/%.o) sys/scanf.o supervise/main.o
supervisectl_OBJECTS := $(BASE) $(CTL:%=ctl/%.o) sys/scanf.o ctl/main.o
PROGRAMS := supervise supervisectl
TESTS := unit fault fuzz proc faults
# Catch2 3 is a library; version 2 is a header that tests/main.cc compiles.
CATCH2 := $(if $(wildcard /usr/include/catch2/catch_all.hpp),-lCatch2Main -lCatch2)

all: $(PROGRAMS)

$(PROGRAMS): %: $(BUILD)$(if $(filter portable,$(SYSTEM)),/portable)/% always
	@cmp -s $< $@ || install -m 755 $< $@
LINK = $(CXX) $(CXXFLAGS) $(SMALL) -static -no-pie -Wl,--gc-sections -Wl,--sort-section=alignment -Wl,-z,noexecstack -Wl,-z,relro,-z,now
define program
# The linked program with its symbols is what tests/check/hardening.sh looks at.
$(BUILD)/$(1).symbols: $($(1)_OBJECTS:%=$(BUILD)/release/%) $(BUILD)/release/sys/linux.o
	$(LINK) -o $$@ $$^
$(BUILD)/portable/$(1).symbols: $($(1)_OBJECTS:%=$(BUILD)/release/%) $(BUILD)/release/sys/portable.o
	@mkdir -p $$(@D)
	$(LINK) -o $$@ $$^
$(BUILD)/$(1) $(BUILD)/portable/$(1): %: %.symbols
	strip -s -o $$@ $$<
$(BUILD)/musl/$(1): $($(1)_OBJECTS:%=$(BUILD)/musl/obj/%)
$(BUILD)/debug/$(1): $($(1)_OBJECTS:%=$(BUILD)/debug/obj/%) $(BUILD)/debug/obj/sys/linux.o
	$(CXX) -g -o $$@ $$^
$(BUILD)/san/$(1): $($(1)_OBJECTS:%=$(BUILD)/san/obj/%) $(BUILD)/san/obj/sys/linux.o
	$(CXX) -g $(SANITIZE) -o $$@ $$^
endef
$(BUILD)/release/%.o: src/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) $(HARDENING) $(SMALL) -c -o $@ $<

# musl in the place of glibc: smaller in memory and on disk. Debian has libstdc++ for glibc alone; the little that our programs
# use of it works with musl as well (src/README.md, Portability).
TRIPLET = $(shell $(CXX) -dumpmachine)
MUSL = $(TRIPLET:gnu=musl)
GCC_DIR = $(dir $(shell $(CXX) -print-libgcc-file-name))
CXX_VERSION = $(notdir $(patsubst %/,%,$(GCC_DIR)))
MUSL_HEADERS = -nostdinc -nostdinc++ -isystem /usr/include/c++/$(CXX_VERSION) -isystem /usr/include/$(TRIPLET)/c++/$(CXX_VERSION) \
    -isystem /usr/include/$(MUSL) -isystem $(GCC_DIR)include -include contrib/musl/glibc.h
MUSL_SMALL = -ffunction-sections -fdata-sections -fno-pie -fstack-protector-strong -Wno-maybe-uninitialized
MUSL_COMPILE = @mkdir -p $(@D) && $(COMPILE) $(MUSL_HEADERS) $(MUSL_SMALL) -c -o $@ $<
musl:
	@tests/install-packages musl
	@$(MAKE) --no-print-directory $(PROGRAMS:%=$(BUILD)/musl/%)
$(BUILD)/musl/obj/%.o: src/%.cc contrib/musl/glibc.h Makefile
	$(MUSL_COMPILE)
$(BUILD)/musl/obj/glibc.o: contrib/musl/glibc.cc contrib/musl/glibc.h Makefile
	$(MUSL_COMPILE)
$(PROGRAMS:%=$(BUILD)/musl/%): $(BUILD)/musl/%: $(BUILD)/musl/obj/glibc.o $(BUILD)/musl/obj/sys/linux.o
	$(CXX) -nostdlib -static -no-pie -s -Wl,--gc-sections -Wl,--sort-section=alignment -Wl,-z,noexecstack -Wl,-z,relro,-z,now -o $@ \
	    /usr/lib/$(MUSL)/crt1.o /usr/lib/$(MUSL)/crti.o $(GCC_DIR)crtbeginT.o $^ -Wl,--start-group -l:libstdc++.a -l:libgcc.a -l:libgcc_eh.a \
	    /usr/lib/$(MUSL)/libc.a -Wl,--end-group $(GCC_DIR)crtend.o /usr/lib/$(MUSL)/crtn.o

debug: $(PROGRAMS:%=$(BUILD)/debug/%)
$(BUILD)/debug/obj/%.o: src/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) -O0 -D_GLIBCXX_ASSERTIONS -c -o $@ $<

# The sanitizers make g++ 12 warn of uninitialized variables within its own <regex>.
SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wno-maybe-uninitialized
san: $(PROGRAMS:%=$(BUILD)/san/%)
$(foreach name,$(PROGRAMS),$(eval $(call program,$(name))))
$(BUILD)/san/obj/%.o: src/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) $(SANITIZE) -c -o $@ $<

# What valgrind can follow: under it a child shares no memory with its parent, so these are built without vfork.
$(foreach name,$(PROGRAMS),$(eval $(BUILD)/valgrind/$(name): $($(name)_OBJECTS:%=$(BUILD)/debug/obj/%) $(BUILD)/debug/obj/sys/linux.o))
$(PROGRAMS:%=$(BUILD)/valgrind/%): $(BUILD)/valgrind/obj/sys/spawn.o
	$(CXX) -g -o $@ $(filter-out $(BUILD)/debug/obj/sys/spawn.o,$^)
$(BUILD)/valgrind/obj/%.o: src/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) -O0 -D_GLIBCXX_ASSERTIONS -DSUPERVISE_PLAIN_FORK -c -o $@ $<

# The lines that were executed are counted, and the counts written at the end of a process, however it ends by itself. g++ would
# have them written before exec as well, which in a child of vfork takes them from its parent. What is counted comes first at the
# link, as of an inline function the first copy is taken.
COVERAGE := --coverage -fno-builtin-execvp
COVERED = $(CXX) -g --coverage -Wl,--wrap=_exit -o $@ $^
$(PROGRAMS:%=$(BUILD)/coverage/%): $(BUILD)/coverage/%: $(BUILD)/tests/obj/coverage/exit.o
	$(COVERED)
$(foreach name,$(PROGRAMS),$(eval $(BUILD)/coverage/$(name): $($(name)_OBJECTS:%=$(BUILD)/coverage/obj/%) $(BUILD)/coverage/obj/sys/linux.o))
$(BUILD)/coverage/obj/%.o: src/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) -O0 $(COVERAGE) -c -o $@ $<

# A test program is its folder's sources, main, and the library of the debug or the sanitizer build.
sources = $(filter-out tests/proc/service.cc tests/faults/matrix.cc,$(wildcard tests/$(1)/*.cc))
# The simulated system, which the fuzz targets use as well.
SIMULATION := bench log_world machine_life sim_system
also_fuzz := tests/fuzz/driver/replay.cc $(SIMULATION:%=tests/fault/%.cc)
also_faults := tests/proc/harness.cc tests/peers/peers.cc
objects = $(patsubst tests/%.cc,$(2)/tests/obj/%.o,$(call sources,$(1)) $(also_$(1))) $(2)/tests/obj/main.o
define test_program
$(BUILD)/tests/$(1): $(call objects,$(1),$(BUILD)) $(LIBRARY:%=$(BUILD)/debug/obj/%)
	$(CXX) -g -o $$@ $$^ $(CATCH2)
$(BUILD)/san/tests/$(1): $(call objects,$(1),$(BUILD)/san) $(LIBRARY:%=$(BUILD)/san/obj/%)
	$(CXX) -g $(SANITIZE) -o $$@ $$^ $(CATCH2)
$(BUILD)/coverage/tests/$(1): $(LIBRARY:%=$(BUILD)/coverage/obj/%) $(call objects,$(1),$(BUILD)) $(BUILD)/tests/obj/coverage/exit.o
	@mkdir -p $$(@D)
	$(value COVERED) $(CATCH2)
endef
$(foreach test,$(TESTS),$(eval $(call test_program,$(test))))
$(BUILD)/tests/service: tests/proc/service.cc
	@mkdir -p $(@D)
	$(COMPILE) -O1 -static -o $@ $<
$(BUILD)/tests/obj/%.o: tests/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) -Itests -O0 -c -o $@ $<
$(BUILD)/san/tests/obj/%.o: tests/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) -Itests $(SANITIZE) -c -o $@ $<

SCRIPTS := $(wildcard tests/check/*.sh tests/compat/*.sh)

packages:
	@tests/install-packages
# The packages bring Catch2, so what includes it is built by a make of its own that comes after.
check: packages
	@$(MAKE) --no-print-directory check-built
check-built: all debug $(BUILD)/portable/supervise $(PROGRAMS:%=$(BUILD)/valgrind/%) $(TESTS:%=$(BUILD)/tests/%) $(BUILD)/tests/service $(BUILD)/tests/soak $(BUILD)/tests/soak-worker
	@SUPERVISE=$(CURDIR)/supervise SUPERVISECTL=$(CURDIR)/supervisectl SUPERVISE_DYNAMIC=$(CURDIR)/$(BUILD)/debug/supervise \
	    SUPERVISE_PORTABLE=$(CURDIR)/$(BUILD)/portable/supervise SUPERVISE_VALGRIND=$(CURDIR)/$(BUILD)/valgrind/supervise \
	    SYMBOLS=$(CURDIR)/$(BUILD) SOAK=$(CURDIR)/$(BUILD)/tests/soak SERVICE=$(CURDIR)/$(BUILD)/tests/service TOP=$(CURDIR) \
	    tests/run $(TESTS:%=$(BUILD)/tests/%) $(SCRIPTS)

check-musl: musl
check-portable check-musl: check-%: packages
	@$(MAKE) --no-print-directory check-other OTHER=$*
check-other: $(PROGRAMS:%=$(BUILD)/$(OTHER)/%) $(BUILD)/tests/proc $(BUILD)/tests/service
	@SUPERVISE=$(CURDIR)/$(BUILD)/$(OTHER)/supervise SUPERVISECTL=$(CURDIR)/$(BUILD)/$(OTHER)/supervisectl \
	    SERVICE=$(CURDIR)/$(BUILD)/tests/service TOP=$(CURDIR) tests/run $(BUILD)/tests/proc

check-san: packages
	@$(MAKE) --no-print-directory check-san-built
SAN_TESTS := unit fault fuzz $(if $(filter all,$(SUITE)),proc)
check-san-built: san $(SAN_TESTS:%=$(BUILD)/san/tests/%) $(BUILD)/tests/service
	@SUPERVISE=$(CURDIR)/$(BUILD)/san/supervise SUPERVISECTL=$(CURDIR)/$(BUILD)/san/supervisectl SERVICE=$(CURDIR)/$(BUILD)/tests/service TOP=$(CURDIR) SANITIZED=1 \
	    tests/run $(SAN_TESTS:%=$(BUILD)/san/tests/%)

coverage: packages
	@$(MAKE) --no-print-directory coverage-built
COVERAGE_TESTS := unit fault $(if $(filter all,$(SUITE)),proc)
coverage-built: $(PROGRAMS:%=$(BUILD)/coverage/%) $(COVERAGE_TESTS:%=$(BUILD)/coverage/tests/%) $(BUILD)/tests/service
	@find $(BUILD)/coverage -name '*.gcda' -delete
	@SUPERVISE=$(CURDIR)/$(BUILD)/coverage/supervise SUPERVISECTL=$(CURDIR)/$(BUILD)/coverage/supervisectl SERVICE=$(CURDIR)/$(BUILD)/tests/service TOP=$(CURDIR) SANITIZED=1 \
	    tests/run -t 600 $(COVERAGE_TESTS:%=$(BUILD)/coverage/tests/%)
	@tests/coverage/report $(BUILD)/coverage/obj 95 >$(BUILD)/coverage.txt; status=$$?; cat $(BUILD)/coverage.txt; exit $$status

# A stamp a source that had no finding. What it includes is told by the compiler, as clang-tidy writes no list.
LINT := $(wildcard src/*/*.cc tests/*.cc tests/*/*.cc)
lint: $(LINT:%=$(BUILD)/lint/%)
$(BUILD)/lint/%.cc: %.cc .clang-tidy tests/.clang-tidy
	@mkdir -p $(@D)
	@$(CXX) $(STANDARD) -Itests -MM -MP -MT $@ -MF $@.d $<
	clang-tidy --quiet $< -- $(STANDARD) -Itests
	@touch $@

# libFuzzer comes with clang alone.
FUZZ_CXX ?= clang++
FUZZ_DIR := $(BUILD)/fuzz
FUZZ_TARGETS := $(patsubst tests/fuzz/%.cc,%,$(wildcard tests/fuzz/*.cc))
FUZZ_FLAGS := -O1 -DFUZZ_WITH_LIBFUZZER -D_GLIBCXX_ASSERTIONS -fno-omit-frame-pointer -fno-sanitize-recover=all
FUZZ_ARGS = $(if $(SECONDS),-s $(SECONDS)) $(if $(filter file undefined,$(origin MINUTES)),,-m $(MINUTES))
TARGETS ?= $(FUZZ_TARGETS)
fuzz fuzz-corpus fuzz-coverage:
	@tests/install-packages fuzz
	@$(MAKE) --no-print-directory $@-built
fuzz-built: $(FUZZ_TARGETS:%=$(FUZZ_DIR)/%)
	@tests/fuzz/run $(FUZZ_ARGS) $(FUZZ_DIR) $(TARGETS)
fuzz-corpus-built: $(FUZZ_TARGETS:%=$(FUZZ_DIR)/%)
	@tests/fuzz/run -c $(FUZZ_DIR) $(TARGETS)
$(FUZZ_TARGETS:%=$(FUZZ_DIR)/%): $(FUZZ_DIR)/%: $(FUZZ_DIR)/obj/tests/fuzz/%.o $(FUZZ_DIR)/obj/tests/fuzz/driver/libfuzzer.o $(FUZZ_DIR)/library.a
	$(FUZZ_CXX) -g -fsanitize=fuzzer,address,undefined -o $@ $^
$(FUZZ_DIR)/library.a: $(LIBRARY:%=$(FUZZ_DIR)/obj/src/%) $(SIMULATION:%=$(FUZZ_DIR)/obj/tests/fault/%.o)
	rm -f $@
	ar rcs $@ $^
$(FUZZ_DIR)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(FUZZ_COMPILE) -Itests $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
FUZZ_COMPILE = $(FUZZ_CXX) $(STANDARD) $(WARNINGS) $(CXXFLAGS) -MMD -MP
# The corpus alone, by the coverage of source code that clang measures.
fuzz-coverage-built:
	@$(MAKE) --no-print-directory CXX=$(FUZZ_CXX) BUILD=$(BUILD)/fuzz-coverage CXXFLAGS='-g -fprofile-instr-generate -fcoverage-mapping' \
	    CATCH2='$(CATCH2) -fprofile-instr-generate' $(BUILD)/fuzz-coverage/tests/fuzz
	@TOP=$(CURDIR) LLVM_PROFILE_FILE=$(BUILD)/fuzz-coverage/fuzz.profraw $(BUILD)/fuzz-coverage/tests/fuzz >/dev/null
	@llvm-profdata merge -o $(BUILD)/fuzz-coverage/fuzz.profdata $(BUILD)/fuzz-coverage/fuzz.profraw
	@llvm-cov report $(BUILD)/fuzz-coverage/tests/fuzz -instr-profile=$(BUILD)/fuzz-coverage/fuzz.profdata $(wildcard src/core/*.cc) $(wildcard src/supervise/*.cc) $(wildcard src/ctl/*.cc)

# BENCH_MEMORY and BENCH_DISK: where the services are, on a file system in memory and on a disk; BENCH: some measurements of
# tests/bench/main.cc alone.
BENCH_MEMORY ?= $(firstword $(wildcard /dev/shm) /tmp)
BENCH_DISK ?= $(CURDIR)/$(BUILD)/bench
BENCH ?=
BENCH_OBJECTS := $(patsubst tests/%.cc,$(BUILD)/bench/obj/%.o,$(filter-out tests/bench/service.cc,$(wildcard tests/bench/*.cc)) tests/peers/peers.cc)
bench: all $(BUILD)/bench/bench $(BUILD)/bench/service
	@tests/install-packages bench
	@[ ! -e /usr/include/$(MUSL)/stdlib.h ] || $(MAKE) --no-print-directory musl
	@SUPERVISE_MUSL=$$(ls $(CURDIR)/$(BUILD)/musl/supervise 2>/dev/null) SUPERVISE=$(CURDIR)/supervise SUPERVISECTL=$(CURDIR)/supervisectl $(BUILD)/bench/bench $(BUILD) $(BENCH_MEMORY) $(BENCH_DISK) $(BENCH)
$(BUILD)/bench/bench: $(BENCH_OBJECTS)
	$(CXX) -static -s -o $@ $^
$(BUILD)/bench/service: $(BUILD)/bench/obj/bench/service.o
	$(CXX) -static -s -o $@ $^
$(BUILD)/bench/obj/%.o: tests/%.cc Makefile
	@mkdir -p $(@D)
	$(COMPILE) -Itests -O2 -c -o $@ $<

# A service that fails in every way, and the program that starts many of them and does everything to them at random.
$(BUILD)/tests/soak: $(patsubst tests/%.cc,$(BUILD)/tests/obj/%.o,$(filter-out %/worker.cc,$(wildcard tests/soak/*.cc)) tests/proc/harness.cc)
	$(CXX) -g -pthread -o $@ $^
$(BUILD)/tests/soak-worker: tests/soak/worker.cc
	@mkdir -p $(@D)
	$(COMPILE) -O1 -static -o $@ $<
MINUTES ?= 10
SERVICES ?= 200
SEED ?=
ONLY ?=
soak: packages
	@$(MAKE) --no-print-directory soak-built
soak-built: all $(BUILD)/tests/soak $(BUILD)/tests/soak-worker
	@SUPERVISE=$(CURDIR)/supervise SUPERVISECTL=$(CURDIR)/supervisectl \
	    $(BUILD)/tests/soak --services $(SERVICES) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

# FAULTS: a regular expression of the faults wanted. Each cell of the matrix is one run of the program of test cases.
FAULTS ?= .
faults:
	@tests/install-packages faults
	@$(MAKE) --no-print-directory faults-built
faults-built: all debug $(BUILD)/tests/faults $(BUILD)/tests/service $(BUILD)/faults
	@SUPERVISE=$(CURDIR)/supervise SUPERVISECTL=$(CURDIR)/supervisectl SUPERVISE_DYNAMIC=$(CURDIR)/$(BUILD)/debug/supervise \
	    SERVICE=$(CURDIR)/$(BUILD)/tests/service $(BUILD)/faults $(BUILD)/tests/faults $(BUILD)/faults.md $(BUILD)/faults.json '$(FAULTS)'
$(BUILD)/faults: tests/faults/matrix.cc tests/peers/peers.cc
	@mkdir -p $(@D)
	$(COMPILE) -Itests -O1 -o $@ $(filter %.cc,$^)

demo: all
	@SUPERVISE=$(CURDIR)/supervise contrib/demo

# What derives from the table of supervisectl's commands, and stands in files all the same.
generated: supervisectl
	./supervisectl help bash >contrib/completion/supervisectl.bash
	./supervisectl help zsh >contrib/completion/_supervisectl
	./supervisectl help mdoc >$(BUILD)/items
	sed -i -e '/^\.\\" begin/,/^\.\\" end/{/^\.\\" begin/!{/^\.\\" end/!d}}' -e '/^\.\\" begin/r $(BUILD)/items' man/supervisectl.1

MAN8 := man/supervise.8
MAN1 := man/supervisectl.1
MAN5 := man/supervise.conf.5 man/supervise-status.5
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/doc/supervise $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 755 $(PROGRAMS) contrib/boot/supervise-all $(DESTDIR)$(PREFIX)/bin/
	ln -sf supervise $(DESTDIR)$(PREFIX)/bin/supervisor
	install -m 644 $(MAN8) $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 README.md LICENSE supervise.conf.example $(DESTDIR)$(PREFIX)/share/doc/supervise/
	install -m 644 contrib/completion/supervise.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/supervise
	install -m 644 contrib/completion/supervisectl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/supervisectl
	ln -sf supervise $(DESTDIR)$(PREFIX)/share/bash-completion/completions/supervisor
	ln -sf supervise.8 $(DESTDIR)$(PREFIX)/share/man/man8/supervisor.8
	install -m 644 contrib/completion/_supervise contrib/completion/_supervisectl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/

clean:
	rm -rf $(BUILD) $(PROGRAMS)

.PHONY: all always bench check check-built check-musl check-other check-portable check-san check-san-built clean coverage coverage-built debug demo faults faults-built fuzz fuzz-built fuzz-corpus fuzz-corpus-built fuzz-coverage fuzz-coverage-built generated install lint musl packages san soak soak-built
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
