# SPDX-License-Identifier: GPL-2.0
#
# Builds, boots and checks modreg: 'make help' tells how. Kbuild says what the module is made of.

SHELL := /bin/bash -o pipefail
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := modules

# A kernel of the distribution, or one that scripts/build-kernel builds. Without KVERSION the newest
# supported version.
FLAVOUR ?= amd64
KVERSION ?=
# Not empty if one kernel was asked for.
asked := $(KDIR)$(KVERSION)$(filter-out file,$(origin FLAVOUR))

# The running kernel's build directory if Rust modules can be built against it, else a cached kernel's.
running := /lib/modules/$(shell uname -r)/build
cached = $(shell scripts/kdir $(FLAVOUR) $(KVERSION))
ifeq ($(origin KDIR),undefined)
  ifneq ($(filter-out help clean matrix packages test-packages dkms-tarball cache,$(or $(MAKECMDGOALS),modules)),)
    # These targets boot a guest, so the kernel must be one that can be booted.
    ifneq ($(filter run test test-modules quick conformance torture bench docs lint boots,$(MAKECMDGOALS)),)
      KDIR := $(cached)
    else ifneq ($(origin FLAVOUR)$(KVERSION),file)
      KDIR := $(cached)
    else
      KDIR := $(or $(shell scripts/kdir $(running) 2> /dev/null),$(cached))
    endif
    $(if $(KDIR),,$(error there is no kernel to build against))
  endif
else
  $(if $(shell scripts/kdir $(abspath $(KDIR))),,$(error there is no building against $(KDIR)))
endif
release := $(if $(KDIR),$(shell cat '$(KDIR)/include/config/kernel.release'))
$(if $(KDIR),$(if $(release),,$(error $(KDIR) is no kernel build directory)))

# One directory for each kernel, so that switching between them builds nothing twice.
out := $(CURDIR)/build/$(release)

# Modules for a cached kernel are built with the tools that the kernel was made with.
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/modreg
tree := $(if $(filter $(cache)/%,$(KDIR)),scripts/toolchain --kdir $(KDIR))

# Modules for a kernel made with clang are made with clang.
llvm := $(if $(KDIR),$(if $(shell grep -s '^CONFIG_CC_IS_CLANG=y' '$(KDIR)/.config'),LLVM=1))

# A warning of a compiler, objtool or modpost is an error.
strict := W=e CONFIG_OBJTOOL_WERROR=y
kbuild = $(tree) make --no-print-directory -C $(KDIR) M=$(CURDIR) MO=$(out) -j$(shell nproc) $(llvm) $(strict)

.PHONY: modules
modules: ## build modreg.ko and the samples (KDIR=..., or FLAVOUR=... and KVERSION=... of the cached kernels)
	@mkdir -p $(out)
	@scripts/no-warnings $(out) $(kbuild) modules

.PHONY: run
run: modules ## boot a guest and show modreg at work in it
	@scripts/boot --limit 420 $(KDIR) 'scripts/demo $(out)'

# Some tests run on debug kernels too, or only there: their '# on:' lines say so. Those with a '# limit:' are only
# run if they are named.
others = $(if $(asked),,$(filter-out first,$(sort \
	$(shell sed -n 's/^\# on: //p' $(or $(wildcard $(TESTS:%=tests/%)),$$(grep -L '^\# limit:' tests/*.sh)) /dev/null))))

# Exports of the largest module that is generated for conformance.sh, which runs on the first kernel alone.
EXPORTS = 1600
.PHONY: test-modules
test-modules: strict += MODREG_TESTS=m MODREG_EXPORTS=$(EXPORTS)
test-modules: modules

.PHONY: test
test: test-modules ## run the tests in guests: ends in 'N passed, N failed' (TESTS=... for some of them)
	@# Each build has steps that keep one processor alone busy. xargs begins no other after status 255.
	@kdirs=$$(printf '%s\n' $(others) | xargs -r -P 3 -I{} sh -c 'scripts/kdir {} $(KVERSION) || exit 255' | sort) && \
	echo "$$kdirs" | xargs -r -P 2 -I{} make KDIR={} EXPORTS= test-modules && \
	scripts/test $(KDIR) $$kdirs $(TESTS)

.PHONY: quick
quick: ## the developer's inner loop, under User-mode Linux: the KUnit suites and the examples of the documentation
	@$(MAKE) FLAVOUR=um TESTS="kunit.sh examples.sh" test

.PHONY: conformance
conformance: EXPORTS = 100000
conformance: test-modules ## compare each answer about 40 modules with the kernel's own: an hour, ends with a table
	@scripts/test $(KDIR) bpftrace.sh conformance_full.sh; status=$$?; \
	sed -n 's/^# # \(question .*\)/\1/; t table; b; :table; p; n; s/^# # //; t table' $(out)/results/conformance_full.sh.output; \
	exit $$status

.PHONY: torture
torture: test-modules ## torture modreg for MINUTES=n (10): a line every 10 s and the verdict (FLAVOUR=...)
	@MINUTES=$(or $(MINUTES),10) scripts/test $(KDIR) torture.sh

.PHONY: bench
bench: strict += MODREG_BENCH=m
bench: modules ## measure modreg beside the kernel that it runs in: a table and two plots, in 15 minutes
	@scripts/bench $(KDIR) $(out)

.PHONY: docs
docs: strict += MODREG_DOCS=m
docs: modules ## build the reference of the C and Rust interfaces as HTML
	@echo '  $(out:$(CURDIR)/%=%)/docs/reference/html/index.html'

.PHONY: lint
lint: ## check style and documents, and that nothing warns
	@scripts/lint $(KDIR)

# A distribution does not ship the key for signing modules.
unsigned = $(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)

.PHONY: modules_install
modules_install: modules ## install the modules for KDIR's kernel (INSTALL_MOD_PATH=... for another root)
	@# First to a directory here: the toolchain tree has a /lib/modules of its own, and no System.map.
	@rm -rf $(out)/install
	@$(kbuild) $(unsigned) INSTALL_MOD_PATH=$(out)/install cmd_depmod=true modules_install
	@mkdir -p '$(INSTALL_MOD_PATH)/lib/modules'
	@cp -R $(out)/install/lib/modules/. '$(INSTALL_MOD_PATH)/lib/modules'
	@PATH=$$PATH:/usr/sbin:/sbin; if command -v depmod > /dev/null; \
	then depmod --basedir '$(or $(INSTALL_MOD_PATH),/)' $(release); \
	else echo 'depmod is missing here: run it where the modules are used'; fi

.PHONY: rust-analyzer
rust-analyzer: ## write rust-project.json for editors
	@$(kbuild) rust-analyzer
	@scripts/toolchain true
	@sed 's|"/usr/lib|"$(if $(tree),$(shell scripts/toolchain))/usr/lib|' $(out)/rust-project.json > rust-project.json

.PHONY: boots
boots: ## boot a guest N times (100) on a busy machine: each must come to its command within 60 s
	@scripts/boots $(KDIR) $(N)

.PHONY: matrix
matrix: ## run four scripts on each kernel and machine (KERNELS=... for some): writes docs/matrix.md
	@scripts/matrix $(KERNELS)

.PHONY: packages
packages: ## make the Debian packages rust-kdir, modreg-dkms and modreg-dev in build/packages
	@scripts/packages

.PHONY: test-packages
test-packages: packages dkms-tarball ## install the packages on a fresh system, boot its kernels: ends in 'N passed, N failed'
	@scripts/test-packages

.PHONY: dkms-tarball
dkms-tarball: ## make a source archive for 'dkms add' on other distributions
	@scripts/packages --tarball

.PHONY: cache
cache: ## list what the cache holds, and how to make it smaller
	@scripts/cache

.PHONY: clean
clean: ## remove what was built here (the cache stays: it is in $XDG_CACHE_HOME/modreg)
	@rm -rf build rust-project.json

.PHONY: help
help: ## this text
	@sed -n 's/^\([a-z_-]*\):.*## /\1\t/p' Makefile | expand -t 18
	@echo
	@echo 'KDIR=...          a kernel build directory that Rust modules can be built against'
	@echo 'FLAVOUR=...       amd64 (the default), cloud-amd64 or rt-amd64: a cached kernel of the distribution;'
	@echo '                  arm64, testing-amd64, unstable-amd64: the same of another machine or suite;'
	@echo '                  kasan, kcsan, modversions, llvm, dwarf, um, umkasan: one built from its source'
	@echo 'KVERSION=...      the start of its version, for example 7.3 or 7.2'
