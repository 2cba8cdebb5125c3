# make               ./supervise, ./supervisectl
# make demo          build it and watch it work
# make check         build, install what the tests need, run the tests: a few minutes
# make check-all     these and all that is long or special, in one run; make check-long: the long ones alone:
#                    sanitizers, valgrind, the matrix of faults, the soak, clang, lint, the portable build, a build in another directory
# make lint          clang-tidy over src/ and tests/: what has changed since it was last without a finding
# make coverage      which lines the unit and fault tests reach; fails below 95 % of src/core; SUITE=all: the process tests as well
# make fuzz          looks for inputs that break something, 10 seconds a target; SECONDS=, MINUTES= in all, TARGETS=
# make fuzz-corpus   takes the inputs that make fuzz has found, and that reach new code, into the corpus
# make fuzz-coverage what the corpus reaches
# make faults        the matrix of faults, build/faults.md: what supervise and its peers make of each, about ten minutes
# make bench         everything of which a figure is told, beside the peers and the floor, measured in one run: build/bench.md
# make soak          services of all kinds under everything at random: MINUTES=10 SERVICES=200 SEED=
# make debug, san, valgrind
#                    build/debug/supervise, build/san/supervise, build/valgrind/supervise
# make portable      build/portable/supervise, with POSIX alone
# make generated     completions and the manual's list of supervisectl's commands
# make install       DESTDIR= PREFIX=/usr/local
# make clean

# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

CXX ?= g++
# linux, or portable: src/sys/platform.h
SYSTEM ?= linux
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CXXFLAGS ?= -Os -g1
WERROR ?=
SUITE ?= quick

# Which kind of build: release, debug, san, valgrind, coverage, portable, clang. Each but the first has its own directory.
KIND ?= release
OUT := $(BUILD)$(if $(filter-out release,$(KIND)),/$(KIND))

STANDARD := -std=c++20 -Isrc -D_GNU_SOURCE
WARNINGS := -Wall -Wextra -Wshadow -Wconversion $(if $(WERROR),-Werror)
# The delivered program: hardened, small, and the same bytes wherever it is built.
RELEASE = $(CXXFLAGS) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -ffunction-sections -fdata-sections -fno-pie
STATIC := -static -no-pie -Wl,--gc-sections -Wl,--sort-section=alignment -Wl,-z,noexecstack -Wl,-z,relro,-z,now
DEBUG := -O0 -g -D_GLIBCXX_ASSERTIONS
# The sanitizers make g++ 12 warn of uninitialized variables within its own <regex>.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_release = $(RELEASE)
LINK_release := $(STATIC)
FLAGS_portable = $(RELEASE)
LINK_portable := $(STATIC)
FLAGS_clang = $(RELEASE)
LINK_clang := $(STATIC)
FLAGS_debug := $(DEBUG)
FLAGS_san := -O1 -g -D_GLIBCXX_ASSERTIONS $(SANITIZE) -fno-omit-frame-pointer -Wno-maybe-uninitialized
LINK_san := -g $(SANITIZE)
# valgrind shares no memory between processes, so vfork is left out.
FLAGS_valgrind := $(DEBUG) -DSUPERVISE_PLAIN_FORK
# The counts are written at the end of a process, however it ends by itself. g++ would have them written before exec as well,
# which in a child of vfork takes them from its parent.
FLAGS_coverage := -O0 -g --coverage -fno-builtin-execvp
LINK_coverage = -g --coverage -Wl,--wrap=_exit $(OUT)/exit.o
FLAGS = $(FLAGS_$(KIND))
TEST_FLAGS = $(if $(filter san,$(KIND)),$(FLAGS),-O0 -g1)
# The simulated system runs millions of steps.
SIMULATION_FLAGS = $(if $(filter san,$(KIND)),$(FLAGS),-O1 -g1)
# ccache is used where it is installed; CCACHE= leaves it out.
CCACHE ?= $(shell command -v ccache || :)
export CCACHE_SLOPPINESS ?= pch_defines,time_macros
CLANG := $(findstring clang,$(CXX)$(KIND))
COMPILER = $(if $(filter clang,$(KIND)),clang++,$(CXX))
COMPILE = @mkdir -p $(@D) && echo '  $(COMPILER) -o $@' && $(CCACHE) $(COMPILER) $(STANDARD) $(WARNINGS) '-ffile-prefix-map=$(CURDIR)=.' -MMD -MP
LINK = @mkdir -p $(@D) && echo '  $(COMPILER) -o $@' && $(COMPILER) -o $@

# A header whose content is compiled once for all that is compiled with the same flags. Only g++ takes it this way.
precompiled = $(if $(CLANG),,$(OUT)/precompiled/$(1).h.gch)
with_precompiled = $(if $(CLANG),,-fpch-preprocess -include $(OUT)/precompiled/$(1).h)

# The layers, from the bottom up: what stands further down uses what stands above it, never the other way round.
CORE := accounts command conf environment heartbeat liveness log_file machine nearest notification outcome policy settings state status text utf8 words
SYS := client copying entry error_text event_log faults process published_file real_system resources runtime spawn status_dir terminal trusted
SUPERVISE := alarm check daemon daemon_report daemon_service handover helpers log_processor log_writer logger options output service signs tree wrapper

CTL := act commands judge launch metrics output render request services view

BASE := $(CORE:%=core/%.o) $(SYS:%=sys/%.o)
LIBRARY := $(BASE) sys/linux.o $(SUPERVISE:%=supervise/%.o) $(CTL:%=ctl/%.o)
# The programs, and what each is made of, beside the platform: sys/linux.o or sys/portable.o.
supervise_OBJECTS := $(BASE) $(SUPERVISE:%=supervise/%.o) supervise/main.o
supervisectl_OBJECTS := $(BASE) $(CTL:%=ctl/%.o) ctl/main.o
PROGRAMS := supervise supervisectl

all: $(PROGRAMS)
# With its symbols each is in build/.
$(PROGRAMS): %: $(BUILD)/%
	@strip -s -o $@ $<
programs: $(PROGRAMS:%=$(OUT)/%)
PLATFORM := sys/$(if $(filter portable,$(KIND)),portable,linux).o
define program
$(OUT)/$(1): $($(1)_OBJECTS:%=$(OUT)/obj/%) $(OUT)/obj/$(PLATFORM) $(if $(filter coverage,$(KIND)),$(OUT)/exit.o)
	$$(LINK) $$(filter-out %/exit.o,$$^) $$(LINK_$(KIND))
endef
$(foreach name,$(PROGRAMS),$(eval $(call program,$(name))))
$(OUT)/obj/%.o: src/%.cc Makefile $(call precompiled,product)
	$(COMPILE) $(FLAGS) $(call with_precompiled,product) -c -o $@ $<
$(OUT)/precompiled/product.h: src/precompiled.h
$(OUT)/precompiled/tests.h $(OUT)/precompiled/simulation.h: tests/precompiled.h
$(OUT)/precompiled/%.h:
	@mkdir -p $(@D)
	@cp $< $@
$(OUT)/precompiled/product.h.gch: COMPILE_AS = $(FLAGS)
$(OUT)/precompiled/tests.h.gch: COMPILE_AS = $(TEST_FLAGS) -Itests
$(OUT)/precompiled/simulation.h.gch: COMPILE_AS = $(SIMULATION_FLAGS) -Itests
$(OUT)/precompiled/%.h.gch: $(OUT)/precompiled/%.h Makefile
	$(COMPILE) $(COMPILE_AS) -x c++-header -o $@ $<
$(OUT)/exit.o: tests/coverage/exit.cc
	$(COMPILE) -O0 -c -o $@ $<

debug san valgrind portable clang:
	@$(MAKE) --no-print-directory KIND=$@ programs

# ---- Tests. A test program is its folder's sources, main, and the library.

TESTS := unit fault fuzz proc
# Of the long ones, those that are programs.
LONG_TESTS := faults portable
# Catch2 3 is a library; version 2 is a header that tests/main.cc compiles.
CATCH2 := $(if $(wildcard /usr/include/catch2/catch_all.hpp),-lCatch2Main -lCatch2)
sources = $(filter-out tests/proc/service.cc tests/faults/matrix.cc,$(wildcard tests/$(1)/*.cc))
# The simulated system, which the fuzz targets use as well.
SIMULATION := bench log_world machine_life sim_system
also_fuzz := tests/fuzz/driver/replay.cc $(SIMULATION:%=tests/fault/%.cc)
also_faults := tests/proc/harness.cc tests/peers/peers.cc
also_portable := tests/proc/harness.cc
# main takes longest, so it comes first.
objects = $(OUT)/tests/obj/main.o $(patsubst tests/%.cc,$(OUT)/tests/obj/%.o,$(call sources,$(1)) $(also_$(1)))
define test_program
$(OUT)/tests/$(1): $(call objects,$(1)) $(LIBRARY:%=$(OUT)/obj/%)
	$$(LINK) $$^ -no-pie $(filter-out $(STATIC),$(LINK_$(KIND))) $(CATCH2)
endef
$(foreach test,$(TESTS) $(LONG_TESTS),$(eval $(call test_program,$(test))))
$(OUT)/tests/obj/%.o: tests/%.cc Makefile $(call precompiled,tests)
	$(COMPILE) $(TEST_FLAGS) -Itests $(call with_precompiled,tests) -c -o $@ $<
$(OUT)/tests/obj/fault/%.o: tests/fault/%.cc Makefile $(call precompiled,simulation)
	$(COMPILE) $(SIMULATION_FLAGS) -Itests $(call with_precompiled,simulation) -c -o $@ $<
# It defines what catch.h leaves out, and so can't begin with it.
$(OUT)/tests/obj/main.o: tests/main.cc Makefile
	$(COMPILE) $(TEST_FLAGS) -c -o $@ $<
$(OUT)/tests/service: tests/proc/service.cc
	$(COMPILE) -O1 -static -o $@ $<
# The same program, linked so that a library can be put before it: libfaketime.
$(OUT)/dynamic/supervise: $(supervise_OBJECTS:%=$(OUT)/obj/%) $(OUT)/obj/$(PLATFORM)
	$(LINK) $^ -no-pie
tests: $(TESTS:%=$(OUT)/tests/%) $(OUT)/tests/service $(OUT)/dynamic/supervise
SAN_TESTS := unit fault fuzz $(if $(filter all,$(SUITE)),proc)
san-tests: $(SAN_TESTS:%=$(OUT)/tests/%)
long-tests: tests $(LONG_TESTS:%=$(OUT)/tests/%) $(OUT)/tests/soak $(OUT)/tests/soak-worker

WITH = export SUPERVISE='$(CURDIR)/$(1)supervise' SUPERVISECTL='$(CURDIR)/$(1)supervisectl' SUPERVISE_DYNAMIC='$(CURDIR)/$(BUILD)/dynamic/supervise' \
    SUPERVISE_PORTABLE='$(CURDIR)/$(BUILD)/portable/supervise' SERVICE='$(CURDIR)/$(BUILD)/tests/service' TOP='$(CURDIR)';
RUN = $(WITH) tests/run
QUICK := $(TESTS:%=$(BUILD)/tests/%) $(wildcard tests/check/*.sh tests/compat/*.sh)
LONG := $(SAN_TESTS:%=$(BUILD)/san/tests/%) $(LONG_TESTS:%=$(BUILD)/tests/%) $(wildcard tests/long/*.sh)
# The packages bring Catch2, so what includes it is built by a make of its own that comes after.
check:
	@tests/install-packages
	@$(MAKE) --no-print-directory all tests
	@$(call RUN) $(QUICK)
check-long check-all:
	@tests/install-packages long
	@$(MAKE) --no-print-directory all long-tests portable valgrind
	@$(MAKE) --no-print-directory KIND=san san-tests
	@$(call RUN) -t 900 $(if $(filter check-all,$@),$(QUICK)) $(LONG)
check-san:
	@tests/install-packages
	@$(MAKE) --no-print-directory $(BUILD)/tests/service
	@$(MAKE) --no-print-directory KIND=san programs san-tests
	@export SANITIZED=1; $(call RUN,$(BUILD)/san/) $(SAN_TESTS:%=$(BUILD)/san/tests/%)

COVERAGE_TESTS := unit fault $(if $(filter all,$(SUITE)),proc)
coverage:
	@tests/install-packages
	@$(MAKE) --no-print-directory $(BUILD)/tests/service
	@$(MAKE) --no-print-directory KIND=coverage programs $(COVERAGE_TESTS:%=$(BUILD)/coverage/tests/%)
	@find $(BUILD)/coverage -name '*.gcda' -delete
	@export SANITIZED=1; $(call RUN,$(BUILD)/coverage/) -t 600 $(COVERAGE_TESTS:%=$(BUILD)/coverage/tests/%)
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
FUZZ_COMPILE = $(FUZZ_CXX) $(STANDARD) $(WARNINGS) -g -MMD -MP
# The corpus alone, by the coverage of source code that clang measures.
fuzz-coverage-built:
	@$(MAKE) --no-print-directory CXX=$(FUZZ_CXX) KIND=clang BUILD=$(BUILD)/fuzz-coverage FLAGS_clang='-O0 -g -fprofile-instr-generate -fcoverage-mapping' \
	    LINK_clang=-fprofile-instr-generate $(BUILD)/fuzz-coverage/clang/tests/fuzz
	@TOP='$(CURDIR)' LLVM_PROFILE_FILE=$(BUILD)/fuzz-coverage/fuzz.profraw $(BUILD)/fuzz-coverage/clang/tests/fuzz >/dev/null
	@llvm-profdata merge -o $(BUILD)/fuzz-coverage/fuzz.profdata $(BUILD)/fuzz-coverage/fuzz.profraw
	@llvm-cov report $(BUILD)/fuzz-coverage/clang/tests/fuzz -instr-profile=$(BUILD)/fuzz-coverage/fuzz.profdata $(wildcard src/core/*.cc) $(wildcard src/supervise/*.cc) $(wildcard src/ctl/*.cc)

# BENCH_MEMORY and BENCH_DISK: where the services are, on a file system in memory and on a disk; BENCH: some measurements of
# tests/bench/main.cc alone.
BENCH_MEMORY ?= $(firstword $(wildcard /dev/shm) /tmp)
BENCH_DISK ?= $(CURDIR)/$(BUILD)/bench
BENCH ?=
BENCH_OBJECTS := $(patsubst tests/%.cc,$(BUILD)/bench/obj/%.o,$(filter-out tests/bench/service.cc,$(wildcard tests/bench/*.cc)) tests/peers/peers.cc)
bench: all $(BUILD)/bench/bench $(BUILD)/bench/service
	@tests/install-packages bench
	@SUPERVISE='$(CURDIR)/supervise' SUPERVISECTL='$(CURDIR)/supervisectl' $(BUILD)/bench/bench $(BUILD) $(BENCH_MEMORY) $(BENCH_DISK) $(BENCH)
$(BUILD)/bench/bench: $(BENCH_OBJECTS)
	$(CXX) -static -s -o $@ $^
$(BUILD)/bench/service: $(BUILD)/bench/obj/bench/service.o
	$(CXX) -static -s -o $@ $^
$(BUILD)/bench/obj/%.o: tests/%.cc Makefile
	$(COMPILE) -Itests -O2 -c -o $@ $<

# A service that fails in every way, and the program that starts many of them and does everything to them at random.
$(BUILD)/tests/soak: $(patsubst tests/%.cc,$(BUILD)/tests/obj/%.o,$(filter-out %/worker.cc,$(wildcard tests/soak/*.cc)) tests/proc/harness.cc)
	$(CXX) -g -pthread -o $@ $^
$(BUILD)/tests/soak-worker: tests/soak/worker.cc
	$(COMPILE) -O1 -static -o $@ $<
MINUTES ?= 10
SERVICES ?= 200
SEED ?=
ONLY ?=
soak: all $(BUILD)/tests/soak $(BUILD)/tests/soak-worker
	@tests/install-packages
	@SUPERVISE='$(CURDIR)/supervise' SUPERVISECTL='$(CURDIR)/supervisectl' \
	    $(BUILD)/tests/soak --services $(SERVICES) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

# FAULTS: a regular expression of the faults wanted. Each cell of the matrix is one run of the program of test cases.
FAULTS ?= .
faults:
	@tests/install-packages faults
	@$(MAKE) --no-print-directory all $(BUILD)/tests/faults $(BUILD)/tests/service $(BUILD)/dynamic/supervise $(BUILD)/faults
	@$(call WITH) $(BUILD)/faults $(BUILD)/tests/faults $(BUILD)/faults.md $(BUILD)/faults.json '$(FAULTS)'
$(BUILD)/faults: tests/faults/matrix.cc tests/peers/peers.cc
	$(COMPILE) -Itests -O1 -o $@ $(filter %.cc,$^)

demo: supervise
	@SUPERVISE='$(CURDIR)/supervise' contrib/demo

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

.PHONY: all bench check check-all check-long check-san clang clean coverage debug demo faults fuzz fuzz-built fuzz-corpus fuzz-corpus-built \
    fuzz-coverage fuzz-coverage-built generated install lint long-tests portable programs san san-tests soak tests valgrind
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
