# Descry's build. Non-recursive: every source is found by its folder, so a new
# file needs no line here. The two commands a newcomer needs are `make run` and
# `make check`; `make help` lists the rest.
#
# Variables to override: CC CFLAGS CROSS PKG_CONFIG PREFIX DESTDIR
#   SANITIZE=address,undefined | thread   builds into a folder of its own
#   COVERAGE=1                            builds for `make coverage`, too
#   WERROR=1                              warnings are errors (CI)

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
CROSS ?=
ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
ifeq ($(origin AR),default)
AR := $(CROSS)gcc-ar
endif
PKG_CONFIG ?= $(CROSS)pkg-config
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
SANITIZE ?=
empty :=
comma := ,
COVERAGE ?=
FUZZER ?=
VARIANT := $(ARCH)$(if $(FUZZER),-$(FUZZER))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(COVERAGE),-coverage)
B := build/$(VARIANT)

# --- packages ---------------------------------------------------------------
# Installed by the targets that need them, never by hand.
PACKAGES_BUILD := \
  gcc \
  make \
  pkg-config \
  libc6-dev \
  libturbojpeg0-dev \
  libjpeg62-turbo-dev \
  libpng-dev \
  libexif-dev \
  libopenblas-dev \
  libespeak-ng-dev \
  espeak-ng-data \
  portaudio19-dev \
  libasound2-dev \
  libsamplerate0-dev \
  libsndfile1-dev \
  libdbus-1-dev \
  libsystemd-dev \
  libinih-dev \
  libjansson-dev \
  libspeechd-dev \
  libxcb1-dev \
  zlib1g-dev \
  libevdev-dev \
  libcurl4-openssl-dev \
  libseccomp-dev \
  libprotobuf-c-dev \
  protobuf-c-compiler \
  dbus
PACKAGES_TEST := \
  libcmocka-dev \
  espeak-ng \
  python3 \
  python3-dbus \
  python3-gi \
  python3-numpy \
  python3-pil \
  pocketsphinx \
  pocketsphinx-en-us \
  sox \
  strace \
  faketime \
  jackd2 \
  libasound2-plugins \
  git \
  mandoc \
  qemu-user-static \
  qemu-system-x86 \
  qemu-system-arm \
  busybox-static \
  cpio \
  kmod \
  alsa-utils \
  python3-dbusmock \
  orca \
  at-spi2-core \
  libatk-adaptor \
  speech-dispatcher \
  speech-dispatcher-espeak-ng \
  xvfb \
  xdotool \
  xclip \
  openbox \
  gir1.2-gtk-3.0 \
  gir1.2-wnck-3.0 \
  python3-pyatspi \
  python3-speechd \
  gcc-aarch64-linux-gnu \
  mmdebstrap \
  systemd-container \
  debhelper \
  dpkg-dev \
  fakeroot \
  lintian \
  libc6-dev-arm64-cross \
  clang \
  libclang-rt-dev \
  valgrind
# half a gigabyte, to compare imported networks with the original
PACKAGES_HEAVY := \
  python3-torch \
  python3-torchvision

# --- flags ------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla \
  $(if $(WERROR),-Werror)
CFLAGS ?= -O2 -g
ifneq ($(SANITIZE),)
CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LDFLAGS += -fsanitize=$(SANITIZE)
endif
ifneq ($(COVERAGE),)
CFLAGS := -O2 -g --coverage -DDESCRY_COVERAGE
endif
HARDENING := -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fPIE
CPPFLAGS += -D_GNU_SOURCE -I. -DDESCRY_VERSION='"$(VERSION)"' -DDESCRY_PREFIX='"$(PREFIX)"'
COMPILE = $(CC) -std=c17 $(CPPFLAGS) $(HARDENING) $(WARNINGS) $(CFLAGS) -pthread -MMD -MP

PKGS := libturbojpeg libjpeg libpng libexif openblas espeak-ng portaudio-2.0 alsa samplerate \
  sndfile dbus-1 libsystemd inih jansson speech-dispatcher xcb zlib libevdev libcurl libseccomp \
  libprotobuf-c
# `=` so that `make deps` can install the packages before they are asked for
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))

# A kernel file's last suffix names the instruction set it alone may use.
ISA_x86_64_sse41 := -msse4.1
ISA_x86_64_avx2 := -mavx2 -mfma -mf16c
ISA_x86_64_avxvnni := -mavx2 -mfma -mf16c -mavxvnni
ISA_x86_64_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c
ISA_x86_64_avx512vnni := $(ISA_x86_64_avx512) -mavx512vnni
ISA_x86_64_avx512bf16 := $(ISA_x86_64_avx512) -mavx512bf16
ISA_aarch64_neon :=
ISA_aarch64_neondot := -march=armv8.2-a+dotprod
ISA_aarch64_i8mm := -march=armv8.2-a+dotprod+i8mm
isa_suffix = $(lastword $(subst _, ,$(basename $(notdir $1))))
ISA_SUFFIXES := sse41 avx2 avxvnni avx512 avx512vnni avx512bf16 neon neondot i8mm
isa_here = $(filter undefined,$(origin ISA_$(ARCH)_$(call isa_suffix,$1)))
# drops the kernels of other processors
kernels_here = $(foreach f,$1,$(if $(filter $(call isa_suffix,$f),$(ISA_SUFFIXES)),$(if $(call isa_here,$f),,$f),$f))

# --- sources ----------------------------------------------------------------
ENGINE_SRC := $(wildcard engine/*.c) $(call kernels_here,$(wildcard engine/kernels/*.c))
LAB_SRC := $(wildcard engine/lab/*.c)
TTS_SRC := $(wildcard tts/*.c)
DAEMON_MAINS := daemon/descryd.c daemon/descry-worker.c daemon/descry-speech.c
DAEMON_SRC := $(filter-out $(DAEMON_MAINS),$(wildcard daemon/*.c))
CLIENT_SRC := $(wildcard daemon/client/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
SUPPORT_SRC := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))
BENCH_SRC := $(wildcard tests/bench/*.c)
TOOL_SRC := $(wildcard tests/tools/*.c)
TOOL_LIBS_jack_tap := -ljack
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

obj = $(patsubst %.c,$B/%.o,$1)
LIB_ENGINE := $B/libengine.a
LIB_LAB := $B/liblab.a
LIB_TTS := $B/libtts.a
LIB_DAEMON := $B/libdaemon.a
LIB_SUPPORT := $B/libsupport.a
UNIT_BIN := $(patsubst tests/unit/%.c,$B/%,$(UNIT_SRC))
BENCH_BIN := $(patsubst tests/bench/%.c,$B/%,$(BENCH_SRC))
TOOL_BIN := $(patsubst tests/tools/%.c,$B/tools/%,$(TOOL_SRC))
PRELOAD := $(if $(SANITIZE),,$(patsubst tests/preload/%.c,$B/preload/%.so,$(wildcard tests/preload/*.c)))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(FUZZ_SRC))
PROGRAMS := $B/descryd $B/descry-worker $B/descry-speech $(if $(CLIENT_SRC),$B/descry)

.PHONY: all help check-roots demo coverage deps deps-core deps-test print-packages print-version programs unit run packages documents check model bench install uninstall clean
all: programs  ## build descryd, descry-worker, descry-speech and descry
programs: $(LIB_ENGINE) $(LIB_LAB) $(LIB_TTS) $(LIB_DAEMON) $(PROGRAMS)
unit: $(UNIT_BIN) $(TOOL_BIN) $(PRELOAD)  ## build the unit tests and the tests' tools

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /'

# gcc 12 crashes over a reduction in a test when it vectorises for arm64
$B/tests/%.o: private CFLAGS += -fno-tree-vectorize
# products and sums may be joined where no two instruction sets must agree to the bit
$B/engine/kernels/winograd_%.o $B/engine/kernels/product_f32_%.o: private CFLAGS += -ffp-contract=fast
# short loops over rows of a few hundred numbers, which GCC 12 leaves alone at -O2;
# clang, which builds the fuzz targets, does not know the word
$B/engine/matrix.o $B/engine/decoder.o $B/engine/kernels/row_sums_q8_plain.o: private CFLAGS += $(if $(findstring clang,$(CC)),,-fvect-cost-model=dynamic)
$B/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) $(ISA_$(ARCH)_$(call isa_suffix,$<)) $(PKG_CFLAGS) -c $< -o $@

# the add-on is copied into the client by the assembler, unseen by -MMD
$B/daemon/client/orca.o: $(wildcard daemon/orca/*.py)

$(LIB_ENGINE): $(call obj,$(ENGINE_SRC))
# what the protocol buffer compiler makes of the messages of ONNX
GENERATED := $B/generated
$(GENERATED)/%.pb-c.c $(GENERATED)/%.pb-c.h &: %.proto
	@mkdir -p $(GENERATED)
	protoc-c --c_out=$(GENERATED) $<
$B/%.pb-c.o: $(GENERATED)/%.pb-c.c
	@mkdir -p $(@D)
	$(COMPILE) -w -I$(GENERATED) $(PKG_CFLAGS) -c $< -o $@
ONNX_OBJ := $(call obj,$(wildcard engine/lab/onnx_*.c) engine/lab/import_onnx.c)
$(ONNX_OBJ): $(GENERATED)/engine/lab/onnx.pb-c.h
$(ONNX_OBJ): CPPFLAGS += -I$(GENERATED)

$(LIB_LAB): $(call obj,$(LAB_SRC)) $B/engine/lab/onnx.pb-c.o
$(LIB_TTS): $(call obj,$(TTS_SRC))
$(LIB_DAEMON): $(call obj,$(DAEMON_SRC))
$(LIB_SUPPORT): $(call obj,$(SUPPORT_SRC))
$B/lib%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

# lost memory is looked for when a program ends, in libraries as well
KEPT := $(if $(findstring address,$(SANITIZE)),$B/tests/sanitizers/libraries.o)
LINK = $(CC) $(CFLAGS) $(LDFLAGS) -pie -pthread -o $@ $^ $(PKG_LIBS) -lm
$B/descryd: $B/daemon/descryd.o $(KEPT) $(LIB_DAEMON) $(LIB_TTS) $(LIB_ENGINE)
	$(LINK)
# the libraries of its own work alone, each
$(PROGRAMS): private LDFLAGS += -Wl,--as-needed
$B/descry-worker: $B/daemon/descry-worker.o $(KEPT) $(LIB_DAEMON) $(LIB_ENGINE)
	$(LINK)
$B/descry-speech: $B/daemon/descry-speech.o $(KEPT) $(LIB_DAEMON) $(LIB_TTS)
	$(LINK)
$B/descry: $(call obj,$(CLIENT_SRC)) $(KEPT) $(LIB_DAEMON) $(LIB_LAB) $(LIB_TTS) $(LIB_ENGINE)
	$(LINK)
$B/test_%: $B/tests/unit/test_%.o $(LIB_SUPPORT) $(LIB_DAEMON) $(LIB_LAB) $(LIB_TTS) $(LIB_ENGINE)
	$(LINK) -lcmocka
# a tool may name libraries of its own: TOOL_LIBS_<name>
$B/tools/%: $B/tests/tools/%.o $(LIB_DAEMON) $(LIB_TTS) $(LIB_ENGINE)
	@mkdir -p $(@D)
	$(LINK) $(TOOL_LIBS_$*)
$B/preload/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(CC) -std=c17 $(CPPFLAGS) $(WARNINGS) $(CFLAGS) -fPIC -shared -o $@ $< -ldl -pthread
$B/fuzz/%: $B/tests/fuzz/%.o $(LIB_DAEMON) $(LIB_LAB) $(LIB_TTS) $(LIB_ENGINE)
	@mkdir -p $(@D)
	$(LINK)
$B/bench_%: $B/tests/bench/bench_%.o $(LIB_DAEMON) $(LIB_LAB) $(LIB_TTS) $(LIB_ENGINE)
	$(LINK)

# --- packages, by the system's own package manager ----------------------------
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
define install_packages
	@missing=; for p in $1; do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "Installing:$$missing"; $(SUDO) apt-get update -qq && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
endef
deps:  ## install what the build needs
	$(call install_packages,$(PACKAGES_BUILD))
deps-core: deps  ## install what the unit tests need
	$(call install_packages,libcmocka-dev)
deps-test: deps  ## install what the tests need
	$(call install_packages,$(PACKAGES_TEST) $(PACKAGES_HEAVY))

# --- running and installing -----------------------------------------------------
run: deps  ## build, describe the photos of the repository, speak the sentences
	@$(MAKE) --no-print-directory -s demo
# a make of its own: before deps there was perhaps no compiler to ask for the
# processor, which names the folder
demo: programs
	@tests/demo.sh $B

bindir := $(PREFIX)/bin
datadir := $(PREFIX)/share
mandir := $(datadir)/man
# units and bus files are found under /usr or /usr/local alike; only the policy
# of the system bus and the configuration have one place
unitdir := $(PREFIX)/lib/systemd
sysconfdir ?= /etc
INSTALL ?= install
fill = sed 's|@bindir@|$(bindir)|g; s|@prefix@|$(PREFIX)|g' $1 > $(DESTDIR)$2 && chmod 644 $(DESTDIR)$2

install: programs  ## install under DESTDIR and PREFIX
	$(INSTALL) -d $(addprefix $(DESTDIR),$(bindir) $(unitdir)/user $(unitdir)/system \
	  $(PREFIX)/lib/sysusers.d $(PREFIX)/lib/descry $(datadir)/dbus-1/services $(datadir)/dbus-1/system-services \
	  $(datadir)/dbus-1/system.d $(datadir)/descry/models $(datadir)/doc/descry \
	  $(datadir)/bash-completion/completions $(mandir)/man1 $(mandir)/man5 $(mandir)/man8 \
	  $(sysconfdir)/descry)
	$(INSTALL) -m 755 $B/descryd $B/descry $(DESTDIR)$(bindir)
	$(INSTALL) -m 755 $B/descry-worker $B/descry-speech $(DESTDIR)$(PREFIX)/lib/descry
	$(call fill,systemd/user/descryd.service.in,$(unitdir)/user/descryd.service)
	$(call fill,systemd/system/descryd.service.in,$(unitdir)/system/descryd.service)
	$(call fill,systemd/dbus/session.service.in,$(datadir)/dbus-1/services/org.descry.Descry1.service)
	$(call fill,systemd/dbus/system.service.in,$(datadir)/dbus-1/system-services/org.descry.Descry1.service)
	$(INSTALL) -m 644 systemd/dbus/policy.conf $(DESTDIR)$(datadir)/dbus-1/system.d/org.descry.Descry1.conf
	$(INSTALL) -m 644 systemd/descry.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/descry.conf
	$(INSTALL) -m 644 systemd/http-camera.conf README.md $(DESTDIR)$(datadir)/doc/descry
	$(INSTALL) -m 644 config/descry.conf $(DESTDIR)$(sysconfdir)/descry/descry.conf
	$(INSTALL) -m 644 config/completion.bash $(DESTDIR)$(datadir)/bash-completion/completions/descry
	$(INSTALL) -m 644 config/descry.1 $(DESTDIR)$(mandir)/man1
	$(INSTALL) -m 644 config/descry.conf.5 $(DESTDIR)$(mandir)/man5
	$(INSTALL) -m 644 config/descryd.8 $(DESTDIR)$(mandir)/man8
	$(INSTALL) -m 644 engine/models/*.gguf $(DESTDIR)$(datadir)/descry/models

uninstall:  ## remove what install put in place; the configuration stays
	rm -f $(addprefix $(DESTDIR),$(bindir)/descryd $(bindir)/descry $(unitdir)/user/descryd.service \
	  $(unitdir)/system/descryd.service $(datadir)/dbus-1/services/org.descry.Descry1.service \
	  $(datadir)/dbus-1/system-services/org.descry.Descry1.service \
	  $(datadir)/dbus-1/system.d/org.descry.Descry1.conf $(PREFIX)/lib/sysusers.d/descry.conf \
	  $(datadir)/bash-completion/completions/descry $(mandir)/man1/descry.1 \
	  $(mandir)/man5/descry.conf.5 $(mandir)/man8/descryd.8)
	rm -rf $(addprefix $(DESTDIR),$(PREFIX)/lib/descry $(datadir)/descry $(datadir)/doc/descry)

print-packages:
	@echo $(PACKAGES_BUILD)
print-version:
	@echo $(VERSION)

PACKAGES_PACKAGING := debhelper dpkg-dev fakeroot lintian
packages: deps  ## build the Debian packages into build/packages
	$(call install_packages,$(PACKAGES_PACKAGING))
	systemd/debian/build.sh $(VERSION) build/packages -- $(PACKAGES_BUILD)

# Written from the programs' own tables and kept in the repository, so that a
# cross build need not run what it built; a test compares.
documents: programs  ## write descry.conf, the manual pages and the completion anew
	config/write-documents.sh $B config

# --- tests --------------------------------------------------------------------
check: deps-test  ## build with and without sanitizers, run every test
	tests/run.sh

model: $B/descry  ## rebuild the default model from its parts
	engine/models/build.sh $B/descry build/model $(DECODER) $(VOCABULARY)
.PHONY: calibrated
calibrated: $B/descry  ## make the default model of TRAINED=…, with confidence; needs ../shared
	engine/models/calibrate.sh $B/descry build/model $(TRAINED) $(OPTIONS)

# libFuzzer is clang's; the targets are built in a folder of their own, and once
# more for AFL++, whose compiler takes the same targets
FUZZ_VARIANT := CC=$(if $(FUZZER),afl-clang-fast,clang) SANITIZE=fuzzer,address,undefined
.PHONY: fuzzers fuzz quality-report
fuzzers: $(FUZZ_BIN)
fuzz:  ## fuzz T=… (image, model, …; all when empty) for SECONDS=… (default 1800) each; FUZZER=afl
	$(if $(FUZZER),$(call install_packages,afl++))
	@AFL_QUIET=1 $(MAKE) -s $(FUZZ_VARIANT) fuzzers
	SECONDS_EACH=$(or $(SECONDS),1800) tests/fuzz/run$(if $(FUZZER),-$(FUZZER)).sh $(T)

.PHONY: lint
lint:  ## check the sources with cppcheck, clang-tidy and gcc -fanalyzer
	tests/lint.sh
print-%:
	@echo '$($*)'

quality-report: $B/descry  ## judge the picture-quality verdicts on ../shared/data
	tests/tools/report_quality.py build/quality

coverage: deps-test  ## run the tests on a build that counts lines; report
	$(call install_packages,gcovr)
	tests/coverage.sh

# Peers are installed here, by nobody else; the npm package's own installer would
# only fetch what needs a graphics card.
PACKAGES_BENCH := $(if $(shell command -v npm),,nodejs npm) python3 python3-pil python3-numpy python3-torch python3-opencv
.PHONY: deps-bench
deps-bench: deps
	$(call install_packages,$(PACKAGES_BENCH))
	@[ -d build/bench/node_modules/onnxruntime-node ] || \
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/bench onnxruntime-node
bench: deps-bench  ## measure beside ONNX Runtime, PyTorch and OpenCV; ROUNDS=…
	@$(MAKE) --no-print-directory -s $B/bench_row $B/bench_train $B/bench_layers
	BUILD=$B /usr/bin/python3 tests/bench/bench.py --rounds $(or $(ROUNDS),100)

check-roots: deps-test  ## of the tests only the packages, fresh Debian 12 and 13 machines and arm64
	tests/run.sh test_packages test_fresh test_arm64

clean:  ## remove everything built
	rm -rf build

-include $(shell find $B -type f -name '*.d' 2>/dev/null)
