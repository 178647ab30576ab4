dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl EBPFOBS_BPF_TOOLCHAIN: finds a clang that can emit BPF and a bpftool that can make skeletons,
dnl and sets BPF_CLANG, BPF_CFLAGS, BPF_ARCH and BPFTOOL. The user's CFLAGS never reach the
dnl BPF compiler: "-m64" or "-fsanitize" mean nothing to it.
AC_DEFUN([EBPFOBS_BPF_TOOLCHAIN], [
	AC_ARG_WITH([vmlinux-h],
		[AS_HELP_STRING([--with-vmlinux-h=FILE],
			[use FILE instead of the hand-cut kernel types of bpf/lib/kernel.h])],
		[], [with_vmlinux_h=])
	AC_ARG_VAR([BPF_CLANG], [clang that compiles the BPF programs])
	AC_ARG_VAR([BPFTOOL], [bpftool that makes the skeletons])
	AC_PATH_PROGS([BPF_CLANG], [clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14])
	AS_IF([test -z "$BPF_CLANG"],
		[AC_MSG_ERROR([clang is missing, which compiles the BPF programs: Debian package clang, Fedora package clang])])
	AC_PATH_PROG([BPFTOOL], [bpftool], [], [$PATH:/usr/sbin:/sbin])
	AS_IF([test -z "$BPFTOOL"],
		[AC_MSG_ERROR([bpftool is missing, which makes the BPF skeletons: Debian package bpftool, Fedora package bpftool])])

	dnl The names that bpf_tracing.h tests for.
	AS_CASE([$host_cpu],
		[x86_64|i?86], [BPF_ARCH=x86],
		[aarch64*], [BPF_ARCH=arm64],
		[arm*], [BPF_ARCH=arm],
		[s390*], [BPF_ARCH=s390],
		[powerpc*], [BPF_ARCH=powerpc],
		[mips*], [BPF_ARCH=mips],
		[riscv*], [BPF_ARCH=riscv],
		[loongarch*], [BPF_ARCH=loongarch],
		[AC_MSG_ERROR([no BPF register names are known for CPU $host_cpu])])
	AC_SUBST([BPF_ARCH])

	dnl v3: 32-bit arithmetic and jumps, which Linux 5.1 and later run.
	BPF_CFLAGS="--target=bpf -mcpu=v3 -D__TARGET_ARCH_$BPF_ARCH -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-address-of-packed-member -Wno-compare-distinct-pointer-types -fno-stack-protector"
	dnl <linux/types.h> includes <asm/types.h>, which Debian keeps in the multiarch directory
	dnl that "--target=bpf" does not look into.
	multiarch=`$CC -print-multiarch 2>/dev/null`
	AS_IF([test -n "$multiarch" && test -d "/usr/include/$multiarch"],
		[BPF_CFLAGS="$BPF_CFLAGS -idirafter /usr/include/$multiarch"])
	AS_IF([test -n "$with_vmlinux_h"], [
		AS_IF([test -r "$with_vmlinux_h"], [],
			[AC_MSG_ERROR([--with-vmlinux-h: cannot read $with_vmlinux_h])])
		vmlinux_h=`cd "\`dirname "$with_vmlinux_h"\`" && pwd`/`basename "$with_vmlinux_h"`
		BPF_CFLAGS="$BPF_CFLAGS -DEBPFOBS_VMLINUX_H='\"$vmlinux_h\"'"
	])
	AC_SUBST([BPF_CFLAGS])

	AC_CACHE_CHECK([whether $BPF_CLANG compiles BPF], [ebpfobs_cv_bpf_clang], [
		echo 'int f(void) { return 0; }' > conftest.c
		AS_IF([$BPF_CLANG --target=bpf -O2 -g -c conftest.c -o conftest.o >&AS_MESSAGE_LOG_FD 2>&1],
			[ebpfobs_cv_bpf_clang=yes], [ebpfobs_cv_bpf_clang=no])
		rm -f conftest.c conftest.o
	])
	AS_IF([test "$ebpfobs_cv_bpf_clang" = no],
		[AC_MSG_ERROR([$BPF_CLANG has no BPF target; set BPF_CLANG to one that has])])
])
