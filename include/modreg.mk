# SPDX-License-Identifier: GPL-2.0
#
# For the Kbuild file of a module that uses modreg, in C or in Rust, behind the objects:
#
#   obj-m := client.o
#   include /usr/include/modreg/modreg.mk
#
# C says #include <modreg.h>. Rust says 'mod modreg;' with a link to the folder modreg beside its root file.

modreg_include := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
ccflags-y += -I$(modreg_include)

# What modreg exports, as its own build for this kernel left it.
KBUILD_EXTRA_SYMBOLS += $(wildcard /var/lib/modreg/$(KERNELRELEASE)/Module.symvers)

# The bindings of modreg.h, with the kernel crate's types. bindgen's flags are those of the kernel's own
# rust/Makefile, which external modules do not see: the list of flags that are gcc's alone, and the target of each
# architecture.
ifneq ($(wildcard $(srctree)/rust/Makefile),)
$(shell sed -n '/^bindgen_skip_c_flags :=/,/[^\\]$$/p; /^BINDGEN_TARGET/p' $(srctree)/rust/Makefile > $(obj)/bindgen_flags.mk)
include $(obj)/bindgen_flags.mk
endif
clean-files += bindgen_flags.mk

quiet_cmd_modreg_bindgen = BINDGEN $@
      cmd_modreg_bindgen = \
	$(BINDGEN) $< $(bindgen_flags) --rust-target 1.85 --use-core \
		--ctypes-prefix kernel::ffi --no-layout-tests --no-debug '.*' \
		--no-recursive-allowlist --with-derive-default --rustified-enum 'NONE' \
		-o $@ -- $(filter-out $(bindgen_skip_c_flags) $(CC_FLAGS_LTO),$(c_flags)) -w \
		--target=$(BINDGEN_TARGET) -fno-builtin -D__BINDGEN__ -DMODULE $(bindgen_sed)

# The path is in the environment of rustc.
modreg_bindings ?= $(obj)/modreg_generated.rs
export MODREG_BINDINGS := $(abspath $(modreg_bindings))
$(modreg_bindings): private bindgen_flags := \
	--allowlist-type 'modreg_.*' --allowlist-var '(MODREG|modreg)_.*' \
	--allowlist-function 'modreg_.*' --opaque-type modreg_plugin
$(modreg_bindings): $(modreg_include)/modreg.h FORCE
	$(call if_changed_dep,modreg_bindgen)

targets += $(patsubst $(obj)/%,%,$(modreg_bindings))

# Before any object: make cannot know which are Rust's.
$(addprefix $(obj)/,$(filter %.o,$(obj-m) $(foreach o,$(obj-m),$($(o:.o=-y)) $($(o:.o=-objs))))): $(modreg_bindings)
